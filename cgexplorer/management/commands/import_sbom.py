"""Keep SBOM files that nobody signed: browsable, outside the default search."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import zstandard
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from cgexplorer import ingest
from cgexplorer.oci import reference as references
from cgexplorer.oci.errors import OciError

MAX_BYTES = 128 << 20  # decoded; as an attestation's ceiling
MAX_NAME_CHARACTERS = 200  # a name has 255 with its registry


class Command(BaseCommand):
    help = "Import unsigned SBOM files (SPDX JSON; .zst is unpacked)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--as", dest="name", metavar="REF", help="name of the image that a single file is about")

    def handle(self, *args: Any, files: list[Path], name: str | None, **options: Any) -> None:
        if name and len(files) > 1:
            raise CommandError("--as names one image: give one file with it.")
        failed = [file for file in files if not self.take(file, name)]
        if failed:
            raise CommandError(f"{len(failed)} of {len(files)} files could not be read.")

    def take(self, file: Path, name: str | None) -> bool:
        """False, with the reason on stderr, when the file cannot be read at all."""
        try:
            raw = read(file)
            reference = references.parse(name) if name else None
        except (OSError, ValueError, OciError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.stderr.write(f"{file}: {why}")
            return False
        sbom = ingest.import_sbom(raw, slug(file), now=timezone.now(), reference=reference)
        stored = f"{sbom.image.name}@{sbom.manifest.digest}"
        if sbom.indexed:
            contents = sbom.installed_count + sbom.module_count
            self.stdout.write(f"{file.name}: {contents} packages of {sbom.package_count} elements, kept as {stored}")
        else:
            self.stdout.write(f"{file.name}: kept as {stored}, not indexed: {sbom.not_indexed_reason}")
        return True


def read(file: Path) -> bytes:
    """Bytes of the file, unpacked. Raises OSError, or ValueError when it is too large or no zstd."""
    if file.suffix != ".zst":
        if file.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
        return file.read_bytes()
    with file.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as stream:
        try:
            raw = stream.read(MAX_BYTES + 1)
        except zstandard.ZstdError as error:
            raise ValueError(f"cannot be unpacked: {error}") from error
    if len(raw) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES >> 20} MiB when unpacked")
    return raw


def slug(file: Path) -> str:
    """A repository name out of a file name: `Debian Host.spdx.json.zst` → `debian-host`."""
    stem = re.sub(r"(\.(spdx|cdx|json|zst))+$", "", file.name.lower())
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:MAX_NAME_CHARACTERS] or "sbom"
