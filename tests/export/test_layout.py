"""What is carried as a layout to where there is no network is the same there: bytes, verdicts, packages, tags."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from cgexplorer import ingest
from cgexplorer.export import layout as layouts
from cgexplorer.export import layout_folder
from cgexplorer.oci import digest as digests
from cgexplorer.oci.layout import Layout
from cgexplorer.store.models import DriftEvent, Evidence, Follow, IndexEntry, Manifest, Payload, SbomPackages, Tag
from cgexplorer.store.queries import layouts as queries
from cgexplorer.store.record.policies import PolicyFields, policy
from cgexplorer.store.record.trust_roots import trust_root
from tests.export.bundles import cosign
from tests.fakes.sigstore import GITHUB
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, NAME, NOW, allow, attest, fetch, sign, signed_image, sigstore, spdx
from tests.test_commands import run
from tests.test_ingest_indexes import entry, of_buildkit, push_index

pytestmark = pytest.mark.django_db


def rows() -> dict[str, list[Any]]:
    """All that two stores should have in common about the same images."""
    verdicts = [
        "image__name", "manifest__digest", "carrier", "kind", "form", "state", "reason", "identity", "issuer",
        "signed_at", "predicate_type", "content__sha256", "payload__sha256", "annotations_json",
    ]  # fmt: skip
    asked = {
        "tags": Tag.objects.values_list("image__name", "name", "manifest__digest"),
        "manifests": Manifest.objects.values_list(
            "image__name", "digest", "state", "state_reason", "platform", "payload__sha256", "config__sha256",
            "run__problems",
        ),
        "evidence": Evidence.objects.values_list(*verdicts),
        "entries": IndexEntry.objects.values_list("index__digest", "position", "platform", "manifest__digest"),
        "packages": SbomPackages.objects.values_list("sbom__manifest__digest", "searchable", "sbom__package_count"),
    }  # fmt: skip
    return {name: sorted(map(repr, found)) for name, found in asked.items()}


def there_and_back(fill: Callable[[], None], folder: Path, *names: str) -> tuple[dict[str, list[Any]], ...]:
    """The rows where it was exported, and those of an empty store that imported it."""
    with transaction.atomic():
        fill()
        before = rows()
        assert run("export_layout", *(names or ("--followed",)), "--output", folder)[0] == 0
        transaction.set_rollback(True)
    assert not Tag.objects.exists()
    code, _, why = run("import_layout", folder)
    assert code == 0, why
    return before, rows()


def a_whole_index() -> MemorySource:
    """An index in an index, BuildKit's manifest, a platform under a tag of its own, signatures in every place."""
    source, one = MemorySource(), sigstore()
    amd64 = signed_image("openssl@3.3.1-r0", "zlib@1.3-r0", tag="only-amd64", into=source)
    assert amd64 is source
    first = source.tagged["only-amd64"]
    second = source.push_image(platform="linux/arm64")
    inner = push_index(source, "", entry(second, "linux/arm64"))
    top = push_index(
        source, "latest", entry(first, "linux/amd64"), entry(inner, kind="application/vnd.oci.image.index.v1+json"),
        of_buildkit(source, first),
    )  # fmt: skip
    source.tagged["1.0"] = top
    sign(source, top)
    for digest, more in (
        (second, {}),
        (top, {"predicate_type": "https://spdx.dev/Document", "predicate": spdx("x@1")}),
    ):
        source.refer(digest, json.dumps(one.bundle(digest, one.leaf(), **more)).encode())
    attest(source, second, spdx("curl@8.9.0-r0"), identity="https://elsewhere.example/not-allowed")
    return source


def store(source: MemorySource, *tags: str) -> None:
    for tag in tags:
        fetch(source, f"{NAME}:{tag}")


def test_an_index_with_all_that_can_hang_on_it_is_the_same_after_the_journey(tmp_path: Path) -> None:
    allow()
    source = a_whole_index()
    tags = ("latest", "1.0", "only-amd64")
    before, after = there_and_back(lambda: store(source, *tags), tmp_path / "out", *(f"{NAME}:{tag}" for tag in tags))
    assert len(before["evidence"]) == 6
    assert after == before


def test_every_tag_of_a_followed_repository_is_carried(tmp_path: Path) -> None:
    allow()
    Follow.objects.create(name=NAME, every_s=3600, due_at=NOW)
    source = a_whole_index()
    before, after = there_and_back(lambda: store(source, "latest", "1.0"), tmp_path / "out")
    assert after == before
    assert len(after["tags"]) == 2


def test_a_digest_goes_with_all_tags_that_point_to_it_and_alone_it_gets_none(tmp_path: Path) -> None:
    allow()
    source = a_whole_index()
    top = source.tagged["latest"]
    before, after = there_and_back(lambda: store(source, "latest", "1.0"), tmp_path / "a", f"{NAME}@{top}")
    assert after == before
    Tag.objects.all().delete()
    assert run("export_layout", top, "--output", tmp_path / "b")[0] == 0
    assert run("import_layout", tmp_path / "b")[0] == 0
    assert not Tag.objects.exists()


def test_the_real_postgres_image_is_the_same_after_the_journey(tmp_path: Path, shared: Path) -> None:
    name = "cgr.dev/chainguard/postgres"
    source = shared / "chainguard-postgres" / "oci-layout"
    before, after = there_and_back(
        lambda: call_command("import_layout", str(source), "--as", f"{name}:18.4", stdout=io.StringIO()),
        tmp_path / "out",
        f"{name}:18.4",
    )
    assert sum("'verified'" in row for row in before["evidence"]) >= 3
    assert before["packages"]
    assert after == before
    held = {path.name for path in (source / "blobs/sha256").iterdir()}
    assert {path.name for path in (tmp_path / "out/blobs/sha256").iterdir()} <= held | {digests.of(b"{}")[7:]}


def test_all_that_cosign_makes_is_the_same_after_the_journey(tmp_path: Path, shared: Path) -> None:
    made = shared / "cosign-made"
    root = trust_root((made / "trusted_root.json").read_bytes(), "private")
    policy("erin", PolicyFields(pattern="registry.example/*", issuer="https://accounts.example.test",
                                identity="erin@example.test"), root)  # fmt: skip

    def fill() -> None:
        run("import_layout", made, "--as", "registry.example/made")
        for image in set(Tag.objects.values_list("image__name", flat=True)):
            Follow.objects.create(name=image, every_s=3600, due_at=NOW)

    before, after = there_and_back(fill, tmp_path / "out")
    assert len(before["evidence"]) > 30
    assert after == before


def test_the_same_store_gives_the_same_bytes(tmp_path: Path) -> None:
    allow()
    store(a_whole_index(), "latest")
    for name in ("a", "b"):
        assert run("export_layout", f"{NAME}:latest", "--output", tmp_path / name)[0] == 0
    written = [
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("a", "b")
    ]
    assert written[0] == written[1]
    assert all(path.name in (digests.of(raw)[7:], "index.json", "oci-layout") for path, raw in written[0].items())


def test_what_could_not_be_read_at_the_source_is_not_taken_for_absent_after_the_journey(tmp_path: Path) -> None:
    allow()
    source = MemorySource()
    source.push_image("latest")
    source.unreachable.add("referrers")
    before, after = there_and_back(lambda: store(source, "latest"), tmp_path / "out", f"{NAME}:latest")
    assert "could-not-check" in before["manifests"][0]
    assert after == before


def test_what_was_taken_away_at_the_source_is_not_carried(tmp_path: Path) -> None:
    allow()
    source = signed_image()
    fetch(source)
    for tag in [name for name in source.tagged if name.endswith(".att")]:
        del source.tagged[tag]
    fetch(source, now=LATER, trigger="re-verify")
    wanted = queries.named([f"{NAME}:latest"])
    assert [one.evidence for one in layouts.write(wanted, tmp_path / "out")] == [1]


def test_signatures_whose_manifests_were_not_kept_are_the_same_in_new_ones(tmp_path: Path) -> None:
    """A store that was filled before manifests of signatures were kept."""
    allow()
    source = a_whole_index()

    def fill() -> None:
        store(source, "latest")
        Payload.objects.filter(pk__in=[bytes.fromhex(one.carrier[7:]) for one in Evidence.objects.all()]).delete()

    before, after = there_and_back(fill, tmp_path / "out", f"{NAME}:latest")
    assert {one.carrier for one in Evidence.objects.all()}.isdisjoint(source.manifests)
    for found in (before, after):
        found["evidence"] = sorted(
            re.sub("sha256:[0-9a-f]{64}', '(signature|attestation)", r"\1", one) for one in found["evidence"]
        )
    assert len(before["evidence"]) == 6
    assert after == before


def test_a_platform_that_nobody_fetched_is_named_and_stays_unknown(tmp_path: Path) -> None:
    allow()
    source = a_whole_index()
    gone = source.tagged["only-amd64"]
    source.unreachable.add(gone)
    fetch(source)
    code, said, _ = run("export_layout", f"{NAME}:latest", "--output", tmp_path / "out")
    assert code == 0
    assert f"not stored, so not in the layout: {digests.short(gone)}" in said
    code, said, _ = run("import_layout", tmp_path / "out")
    assert "could not check: not in this layout" in said


def test_the_layout_says_that_layers_of_images_are_not_in_it(tmp_path: Path) -> None:
    allow()
    store(a_whole_index(), "latest")
    said = run("export_layout", f"{NAME}:latest", "--output", tmp_path / "out")[1]
    assert "without their layers" in said
    index = json.loads((tmp_path / "out/index.json").read_bytes())
    assert "layers are not here" in index["annotations"]["org.opencontainers.image.description"]


@pytest.mark.parametrize("taken", ["a full folder", "a file", "a link"])
def test_a_place_that_is_taken_is_left_as_it_is(tmp_path: Path, taken: str) -> None:
    allow()
    store(a_whole_index(), "latest")
    target = tmp_path / "out"
    if taken == "a full folder":
        target.mkdir()
        (target / "mine").write_text("mine")
    elif taken == "a file":
        target.write_text("mine")
    else:
        (tmp_path / "elsewhere").mkdir()
        target.symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.rglob("*"))
    code, _, why = run("export_layout", f"{NAME}:latest", "--output", target)
    assert (code, "is there already" in why) == (1, True)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    allow()
    store(a_whole_index(), "latest")
    (tmp_path / "out").mkdir()
    assert run("export_layout", f"{NAME}:latest", "--output", tmp_path / "out")[0] == 0
    assert len(Layout(tmp_path / "out").references()) == 1


def test_a_damaged_store_leaves_no_half_layout(tmp_path: Path) -> None:
    allow()
    store(a_whole_index(), "latest")
    content = Evidence.objects.order_by("-pk")[0].content
    Payload.objects.filter(pk=content.pk).update(data=b"damaged")
    code, _, why = run("export_layout", f"{NAME}:latest", "--output", tmp_path / "out")
    assert (code, "cannot be unpacked" in why) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_bytes_is_refused_with_the_reason(tmp_path: Path) -> None:
    code, _, why = run("export_layout", "registry.example/unknown", "--output", tmp_path / "out")
    assert (code, "is not stored here" in why) == (3, True)
    assert run("export_layout", "--output", tmp_path / "out")[0] == 1
    assert run("export_layout", "--followed", "--output", tmp_path / "out")[0] == 3


@pytest.mark.parametrize("kind", ["signature", "attestation"])
def test_stock_cosign_verifies_the_layout_of_one_image(tmp_path: Path, shared: Path, kind: str) -> None:
    program, folder = cosign(), shared / "chainguard-postgres"
    layout = folder / "oci-layout"
    call_command("import_layout", str(layout), "--as", "cgr.dev/chainguard/postgres:18.4", stdout=io.StringIO())
    signed = Manifest.objects.get(is_index=kind == "signature", payload__isnull=False)
    assert run("export_layout", signed.digest, "--output", tmp_path / "out")[0] == 0
    asked = ["verify"] if kind == "signature" else ["verify-attestation", "--type", "https://spdx.dev/Document"]
    who = "https://github.com/chainguard-images/images/.github/workflows/release.yaml@refs/heads/main"
    flags = ["--certificate-identity", who, "--certificate-oidc-issuer", GITHUB]
    flags += ["--trusted-root", str(folder / "trusted-root.json"), "--local-image", str(tmp_path / "out")]
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = {"HOME": str(tmp_path / "home"), **nowhere}
    answer = subprocess.run(
        [program, *asked, *flags], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr


def test_what_was_proven_to_be_unsigned_is_so_after_the_journey_and_what_was_not_is_not(tmp_path: Path) -> None:
    """Of a layout without any signature, only what its exporter was told by the registry."""
    source = MemorySource()
    source.push_image("proven")
    source.push_image("doubtful", platform="linux/arm64")

    def stored() -> None:
        fetch(source, f"{NAME}:proven")
        source.unreachable.add("referrers")
        fetch(source, f"{NAME}:doubtful")

    before, after = there_and_back(stored, tmp_path / "out", f"{NAME}:proven", f"{NAME}:doubtful")
    assert after == before
    assert ["'could-not-check'" in one for one in after["manifests"]].count(True) == 1
    assert ["'unsigned'" in one for one in after["manifests"]].count(True) == 1


def test_the_entries_of_thousands_of_images_are_written_and_read(tmp_path: Path) -> None:
    """More than the 4 MiB that a manifest of a registry may have."""
    with layout_folder.whole(tmp_path / "many") as folder:
        image = folder.blob(b'{"schemaVersion": 2, "layers": []}', "application/vnd.oci.image.manifest.v1+json")
        for number in range(15_000):
            folder.enter(image, f"registry.example/team/application-{number % 100}:v{number}")
    assert (tmp_path / "many" / "index.json").stat().st_size > 4 << 20
    layout = Layout(tmp_path / "many")
    assert len(layout.references()) == 15_000
    assert len(list(layout.tags("team/application-7"))) == 150


def test_what_would_not_be_read_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(layout_folder.TooMany, match=r"3 entries do not fit .* Export fewer"):
        write_giant(tmp_path / "giant")
    assert list(tmp_path.iterdir()) == []


def write_giant(target: Path) -> None:
    with layout_folder.whole(target) as folder:
        for number in range(3):
            folder.enter(folder.blob(b"{}", ""), f"{number}" * (12 << 20))


def test_an_older_layout_takes_nothing_from_what_the_registry_has_now(tmp_path: Path) -> None:
    """It was exported before the image was signed, and says with proof that it was not."""
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    store(source, "latest")
    assert run("export_layout", f"{NAME}:latest", "--output", tmp_path / "out")[0] == 0
    sign(source, digest)
    store(source, "latest")
    told = set(DriftEvent.objects.values_list("kind", flat=True))

    code, said, _ = run("import_layout", tmp_path / "out")
    assert (code, "lacks 1 of the signatures and attestations that are known" in said) == (0, True)
    assert Manifest.objects.get().state == "verified"
    assert set(DriftEvent.objects.values_list("kind", flat=True)) == told == {"signature-added", "verdict-changed"}
    assert ingest.reverify(Manifest.objects.get(), now=NOW).state == "verified"
