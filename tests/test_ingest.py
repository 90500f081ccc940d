from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest

from cgexplorer import ingest
from cgexplorer.oci import reference as references
from cgexplorer.oci.digest import of as digest_of
from cgexplorer.oci.errors import DigestMismatch, NotFound, NotNow, OciError, TooLarge
from cgexplorer.oci.layout import Layout
from cgexplorer.oci.reference import Reference
from cgexplorer.oci.registry import connect
from cgexplorer.store.models import (
    Evidence,
    Image,
    IndexEntry,
    Manifest,
    Package,
    Payload,
    Sbom,
    Tag,
    TagMove,
    VerdictRow,
)
from cgexplorer.store.queries import payloads
from tests.fakes.registry import FakeRegistry, Fault
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, NAME, NOW, allow, attest, fetch, signed_image, sigstore, spdx, tables

pytestmark = pytest.mark.django_db
RELEASE = "https://github.com/chainguard-images/images/.github/workflows/release.yaml@refs/heads/main"
POSTGRES = "cgr.dev/chainguard/postgres"


def import_postgres(directory: Path, now: dt.datetime = NOW) -> ingest.IngestReport:
    layout = Layout(directory)
    named = references.parse(f"{POSTGRES}:18.4")
    entry = layout.references()[0]
    reference = Reference(named.registry, named.repository, named.tag, entry.digest)
    return ingest.ingest(reference, layout, trigger="ingest", now=now)


def by_platform(report: ingest.IngestReport) -> dict[str, ingest.ManifestReport]:
    return {one.platform: one for one in report.manifests}


# -- the real image -----------------------------------------------------------------------------------------------
@pytest.fixture
def postgres(shared: Path) -> Path:
    return shared / "chainguard-postgres" / "oci-layout"


def test_the_real_postgres_image_is_verified_as_its_release_workflow(postgres: Path) -> None:
    found = by_platform(import_postgres(postgres))

    assert (found[""].state, found["linux/arm64"].state) == ("verified", "verified")
    assert (found[""].identity, found["linux/arm64"].identity) == (RELEASE, RELEASE)
    rows = Evidence.objects.filter(manifest__platform="linux/arm64", kind="attestation")
    assert {(row.predicate_type, row.state, row.identity) for row in rows} == {
        ("https://slsa.dev/provenance/v1", "verified", RELEASE),
        ("https://apko.dev/image-configuration", "verified", RELEASE),
        ("https://spdx.dev/Document", "verified", RELEASE),
    }


def test_a_platform_that_the_layout_does_not_hold_could_not_be_checked(postgres: Path) -> None:
    found = by_platform(import_postgres(postgres))["linux/amd64"]

    assert (found.state, found.reason) == ("could-not-check", "not in this layout")
    row = Manifest.objects.get(platform="linux/amd64")
    assert (row.state, row.problem, row.payload_id) == ("could-not-check", "not in this layout", None)


def test_postgres_holds_sixty_installed_things(postgres: Path) -> None:
    import_postgres(postgres)

    sbom = Sbom.objects.get()
    assert (sbom.installed_count + sbom.module_count, len(sbom.packages.package_ids)) == (60, 60)
    assert sbom.packages.searchable
    assert sbom.evidence is not None
    assert sbom.evidence.state == "verified"


def test_importing_postgres_twice_changes_nothing_but_when_it_was_seen(postgres: Path) -> None:
    import_postgres(postgres)
    before = tables()
    import_postgres(postgres, LATER)

    assert tables() == before
    assert set(Manifest.objects.values_list("observed_at", flat=True)) == {LATER}


# -- bad input ----------------------------------------------------------------------------------------------------
def copy_of(layout: Path, to: Path) -> Path:
    shutil.copytree(layout, to / "layout", copy_function=shutil.copyfile)
    for place in (to / "layout").rglob("*"):
        place.chmod(0o755 if place.is_dir() else 0o644)
    (to / "layout").chmod(0o755)
    return to / "layout"


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def arm64(layout: Path) -> str:
    names = json.loads((layout / "index.json").read_text())["manifests"]
    return next(e["digest"] for e in names if e["annotations"]["org.opencontainers.image.ref.name"] == "arm64")


def layer_of(layout: Path, suffix: str) -> str:
    tag = arm64(layout).replace(":", "-") + suffix
    names = json.loads((layout / "index.json").read_text())["manifests"]
    carrier = next(e["digest"] for e in names if e["annotations"]["org.opencontainers.image.ref.name"] == tag)
    return json.loads(blob(layout, carrier).read_text())["layers"][0]["digest"]


def test_an_altered_index_stores_nothing(postgres: Path, tmp_path: Path) -> None:
    layout = copy_of(postgres, tmp_path)
    top = Layout(layout).references()[0].digest
    blob(layout, top).write_bytes(blob(layout, top).read_bytes() + b" ")

    with pytest.raises(DigestMismatch):
        import_postgres(layout)
    assert not Image.objects.exists()


def test_an_altered_platform_could_not_be_checked_and_says_why(postgres: Path, tmp_path: Path) -> None:
    layout = copy_of(postgres, tmp_path)
    blob(layout, arm64(layout)).write_bytes(blob(layout, arm64(layout)).read_bytes() + b" ")

    found = by_platform(import_postgres(layout))["linux/arm64"]

    assert found.state == "could-not-check"
    assert "hashes to" in found.reason or "altered" in found.reason
    assert not Sbom.objects.exists()


def test_an_altered_signature_is_not_unsigned_but_unchecked(postgres: Path, tmp_path: Path) -> None:
    layout = copy_of(postgres, tmp_path)
    layer = layer_of(layout, ".sig")
    blob(layout, layer).write_bytes(blob(layout, layer).read_bytes().replace(b"sha256:c", b"sha256:d"))

    found = by_platform(import_postgres(layout))["linux/arm64"]

    assert found.state == "could-not-check"
    assert layer in found.reason


def test_a_missing_attestation_is_named_and_the_rest_is_stored(postgres: Path, tmp_path: Path) -> None:
    layout = copy_of(postgres, tmp_path)
    layer = layer_of(layout, ".att")
    blob(layout, layer).unlink()

    found = by_platform(import_postgres(layout))["linux/arm64"]

    assert found.state == "verified"
    assert len(found.attestations) == 2
    run = Manifest.objects.get(digest=found.digest).run
    assert [problem["place"] for problem in run.problems] == [layer]


def test_an_unknown_tag_stores_nothing() -> None:
    with pytest.raises(NotFound):
        fetch(MemorySource(), f"{NAME}:nope")
    assert not Image.objects.exists()


def test_a_registry_that_is_down_stores_nothing() -> None:
    with FakeRegistry() as registry:
        host = registry.host
    with connect(host, insecure=frozenset({host})) as source, pytest.raises(OciError):
        fetch(source, f"{host}/app:latest")
    assert not Image.objects.exists()


def test_a_registry_that_sends_other_bytes_stores_nothing() -> None:
    with FakeRegistry() as registry:
        registry.push_image("app", "latest")
        registry.fault, registry.fault_at = Fault.WRONG_BYTES, "/manifests/sha256"
        with connect(registry.host, insecure=frozenset({registry.host})) as source, pytest.raises(OciError):
            fetch(source, f"{registry.host}/app:latest")
    assert not Image.objects.exists()


# -- states -------------------------------------------------------------------------------------------------------
def test_an_image_without_signatures_is_unsigned_only_when_both_places_answered() -> None:
    source = MemorySource()
    source.push_image("latest")
    assert fetch(source).manifests[0].state == "unsigned"

    source.unreachable.add("referrers")
    assert fetch(source, now=LATER).manifests[0].state == "could-not-check"


def test_without_a_policy_a_good_signature_is_no_policy_and_its_sbom_is_kept_but_not_searched() -> None:
    allow(pattern="elsewhere.example/*")
    source = signed_image()

    # Nobody named this Sigstore for the image, so the public-good root judges and does not know its CA.
    assert fetch(source).manifests[0].state == "invalid"
    assert not Sbom.objects.exists()


def test_another_signers_sbom_is_browsable_but_not_searched() -> None:
    allow("https://github.com/somebody/else/.github/workflows/release.yaml@refs/heads/main")

    assert fetch(signed_image()).manifests[0].state == "signer-not-allowed"
    sbom = Sbom.objects.get()
    assert sbom.indexed
    assert not sbom.packages.searchable


def test_contents_of_an_invalid_attestation_are_not_read() -> None:
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    attest(source, digest_of(b"another image"), spdx("openssl@3.3.1-r0"))
    tag = digest_of(b"another image").replace(":", "-") + ".att"
    source.tagged[digest.replace(":", "-") + ".att"] = source.tagged[tag]

    fetch(source)

    assert Evidence.objects.get().state == "invalid"
    assert VerdictRow.objects.count() == 1
    assert not Sbom.objects.exists()
    assert not Package.objects.exists()


def test_an_attested_document_that_is_no_spdx_is_kept_with_the_reason() -> None:
    allow()
    source = MemorySource()
    attest(source, source.push_image("latest"), "tag: value")

    fetch(source)

    sbom = Sbom.objects.get()
    assert not sbom.indexed
    assert sbom.not_indexed_reason


# -- again --------------------------------------------------------------------------------------------------------
def test_ingesting_twice_changes_nothing_but_when_it_was_seen() -> None:
    allow()
    source = signed_image()
    digest = source.tagged["latest"]
    source.push_index("latest", amd64=digest, arm64=digest_of(b"never pushed"))
    fetch(source)
    before = tables()

    fetch(source, now=LATER)

    assert tables() == before
    assert Image.objects.get().observed_at == LATER


def test_a_failed_fetch_is_a_run_but_leaves_the_verdict_standing() -> None:
    allow()
    source = signed_image()
    digest = source.tagged["latest"]
    fetch(source)
    source.unreachable |= {digest.replace(":", "-") + ".sig", digest.replace(":", "-") + ".att", "referrers"}

    fetch(source, now=LATER)

    row = Manifest.objects.get()
    assert [run.state for run in row.runs.order_by("pk")] == ["verified", "could-not-check"]
    assert (row.state, row.run.state) == ("verified", "verified")
    assert Sbom.objects.get().packages.searchable


def test_a_platform_that_cannot_be_fetched_now_keeps_its_bytes_and_verdict() -> None:
    allow()
    source = signed_image()
    digest = source.tagged["latest"]
    source.push_index("latest", amd64=digest)
    fetch(source)
    source.unreachable.add(digest)

    fetch(source, now=LATER)

    row = Manifest.objects.get(digest=digest)
    assert (row.state, row.problem, row.platform) == ("verified", "", "linux/amd64")
    assert row.payload is not None


def test_a_moved_tag_takes_the_old_sbom_out_of_the_default_search() -> None:
    allow()
    source = signed_image("openssl@3.3.1-r0")
    fetch(source)
    signed_image("openssl@3.3.2-r0", into=source, variant="new")
    fetch(source, now=LATER)

    assert [row.packages.searchable for row in Sbom.objects.order_by("pk")] == [False, True]
    assert TagMove.objects.count() == 2
    assert Tag.objects.get().moved_at == LATER


def test_an_sbom_behind_a_tagged_index_is_searched() -> None:
    allow()
    source = signed_image()
    source.push_index("latest", amd64=source.tagged["latest"])
    fetch(source)

    assert Sbom.objects.get().packages.searchable
    assert IndexEntry.objects.get().platform == "linux/amd64"


def test_a_versioned_spdx_predicate_type_is_read_too() -> None:
    allow()
    source = MemorySource()
    digest = source.push_image("latest")
    one = sigstore()
    source.attach(one.attestation(digest, one.leaf(), "https://spdx.dev/Document/v2.3", predicate=spdx("zlib@1.3-r0")))
    fetch(source)
    assert Sbom.objects.get().installed_count == 1


def test_an_index_with_too_many_platforms_is_refused_not_cut() -> None:
    source = MemorySource()
    child = source.push_image()
    source.push_index("latest", **{f"arch{number}": child for number in range(101)})
    with pytest.raises(TooLarge, match="101 manifests"):
        fetch(source)
    assert not Manifest.objects.exists()


def test_stored_bytes_that_are_not_what_they_were_are_never_handed_out() -> None:
    fetch(signed_image())
    row = Evidence.objects.first()
    assert row is not None
    other = Payload.objects.exclude(pk=row.content_id).first()
    assert other is not None
    Payload.objects.filter(pk=row.content_id).update(data=bytes(other.data), size=other.size)
    with pytest.raises(payloads.Damaged, match="not what they were"):
        payloads.content(Payload.objects.get(pk=row.content_id))


@pytest.mark.parametrize("place", ["referrers", "signature", "attestation", "layer", "config", "platform"])
def test_what_is_asked_later_is_no_verdict_now(place: str) -> None:
    allow()
    source = signed_image("a@1")
    child = source.tagged["latest"]
    index = source.push_index("multi", amd64=child)
    carrier = source.manifests[source.tagged[tag_of(child, "att")]]
    source.not_now.add(
        {
            "referrers": "referrers",
            "signature": tag_of(index, "sig"),
            "attestation": tag_of(child, "att"),
            "layer": json.loads(carrier)["layers"][0]["digest"],
            "config": json.loads(source.manifests[child])["config"]["digest"],
            "platform": child,
        }[place]
    )
    with pytest.raises(NotNow):
        fetch(source, f"{NAME}:multi")
    assert not Manifest.objects.exclude(digest=child, state="verified").exists()


def tag_of(digest: str, ending: str) -> str:
    return f"{digest.replace(':', '-')}.{ending}"
