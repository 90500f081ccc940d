"""Import the sample images that come with cgexplorer."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from cgexplorer import ingest, jobs
from cgexplorer.management import telling
from cgexplorer.management.store_command import StoreCommand
from cgexplorer.oci.errors import OciError
from cgexplorer.oci.layout import Layout
from cgexplorer.oci.reference import Reference
from cgexplorer.store.record import policies, trust_roots
from cgexplorer.store.record.policies import PolicyFields
from cgexplorer.verify import required

SAMPLES = settings.BASE_DIR / "samples"
REGISTRY = "samples.example"
ROOT_NAME = "cgexplorer sample images"
POLICY = PolicyFields(
    pattern=f"{REGISTRY}/*",
    issuer="https://token.actions.githubusercontent.com",
    identity="https://github.com/example/images/.github/workflows/release.yaml@refs/heads/main",
    required_types=[required.FAMILIES[name] for name in ("slsa", "apko", "spdx")],
)


class Command(StoreCommand):
    help = "Import the sample images, and the trust root and policy that are theirs alone."

    def handle(self, *args: Any, **options: Any) -> None:
        root = trust_roots.trust_root((SAMPLES / "trusted_root.json").read_bytes(), ROOT_NAME, is_sample=True)
        policies.policy("samples", POLICY, root)
        for directory in sorted(path for path in SAMPLES.iterdir() if path.is_dir()):
            try:
                self.take(directory.name, Layout(directory), verbosity=options["verbosity"])
            except OciError as error:
                raise CommandError(f"The sample {directory.name} is damaged: {error}") from error

    def take(self, repository: str, layout: Layout, *, verbosity: int) -> None:
        for entry in layout.references():
            reference = Reference(REGISTRY, repository, entry.tag, entry.digest)
            report = ingest.ingest(reference, layout, trigger="ingest", now=timezone.now())
            for line in telling.lines(report) if verbosity else ():
                self.stdout.write(line)
        jobs.defer_conformance(f"{REGISTRY}/{repository}")
