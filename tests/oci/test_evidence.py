"""Discovery asks both places, believes neither, and never turns a failure into "nothing there"."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from cgexplorer.oci import unread
from cgexplorer.oci.evidence import Discovery, Form, Kind, discover
from cgexplorer.oci.layout import Layout
from cgexplorer.oci.manifest import OCI_MANIFEST
from cgexplorer.oci.signed_forms import DSSE_ENVELOPE, SIMPLE_SIGNING, claims_to_sign_an_image, is_bundle, is_signed
from tests.oci.crafted import CraftedLayout, own_tag

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


@pytest.fixture
def crafted(tmp_path: Path) -> CraftedLayout:
    return CraftedLayout(tmp_path)


def found_in(crafted: CraftedLayout, digest: str) -> Discovery:
    return discover(Layout(crafted.directory), "", digest)


def bundle(predicate_type: str) -> bytes:
    payload = base64.b64encode(json.dumps({"predicateType": predicate_type}).encode()).decode()
    return json.dumps({"dsseEnvelope": {"payload": payload}}).encode()


def sign(crafted: CraftedLayout, digest: str, suffix: str, layers: list[dict[str, Any]]) -> str:
    return crafted.enter(crafted.image(layers), own_tag(digest, suffix))


def test_classic_tags_and_referrers_are_both_found(crafted: CraftedLayout) -> None:
    image = crafted.image()
    digest = crafted.enter(image, "latest")
    sig = sign(crafted, digest, ".sig", [crafted.blob(b"{sig}", SIMPLE_SIGNING, annotations={"a": "b"})])
    att = sign(crafted, digest, ".att", [crafted.blob(b"{att}", DSSE_ENVELOPE)])
    attached = crafted.enter(crafted.image([crafted.blob(bundle("https://spdx.dev/Document"), BUNDLE)], subject=image))
    found = found_in(crafted, digest)
    assert found.problems == ()
    assert [(one.form, one.kind, one.manifest) for one in found.evidence] == [
        (Form.LEGACY, Kind.SIGNATURE, sig),
        (Form.LEGACY, Kind.ATTESTATION, att),
        (Form.BUNDLE, Kind.ATTESTATION, attached),
    ]
    assert found.evidence[0].content == b"{sig}"
    assert found.evidence[0].annotations == {"a": "b"}
    assert {one.subject for one in found.evidence} == {digest}


def test_an_image_alone_in_a_layout_has_neither_evidence_nor_problems_and_that_proves_nothing(
    crafted: CraftedLayout,
) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    found = found_in(crafted, digest)
    assert (found.evidence, found.problems) == ((), ())
    assert "does not say what its registry held" in found.unproven
    assert [one.place for one in found.doubts] == ["signatures"]


def test_a_layout_proves_that_a_signature_is_missing_where_it_names_those_of_others(crafted: CraftedLayout) -> None:
    signed = crafted.enter(crafted.image(annotations={"n": "signed"}), "signed")
    digest = crafted.enter(crafted.image(), "latest")
    sign(crafted, signed, ".sig", [crafted.blob(b"{sig}", SIMPLE_SIGNING)])
    assert found_in(crafted, digest) == Discovery(digest)


@pytest.mark.parametrize(("name", "proves"), [("a/b@sha256:" + "0" * 64, True), ("", False)])
def test_what_is_attached_to_another_image_proves_that_nothing_is_only_under_a_name(
    crafted: CraftedLayout, name: str, proves: bool
) -> None:
    """oras copies what is attached, without names and without cosign's tags."""
    signed = crafted.image(annotations={"n": "signed"})
    crafted.enter(signed, "a/b:signed")
    crafted.enter(crafted.image([crafted.blob(bundle("https://spdx.dev/Document"), BUNDLE)], subject=signed), name)
    digest = crafted.enter(crafted.image(), "a/b:latest")
    assert (found_in(crafted, digest).unproven == "") is proves


def test_cosign_save_proves_nothing_of_what_it_did_not_save(crafted: CraftedLayout) -> None:
    """It leaves out bundles that are attached, which cosign 3 makes unless told otherwise."""
    digest = crafted.enter(crafted.image(), kind="dev.cosignproject.cosign/image")
    attested = crafted.image([crafted.blob(b"{att}", DSSE_ENVELOPE)])
    crafted.enter(attested, kind="dev.cosignproject.cosign/atts")
    found = found_in(crafted, digest)
    assert [one.kind for one in found.evidence] == [Kind.ATTESTATION]
    assert [one.place for one in found.doubts] == ["signatures"]


def test_a_layout_can_say_that_everything_was_read_of_one_image(crafted: CraftedLayout) -> None:
    image, other = crafted.image(), crafted.image(annotations={"n": "other"})
    read, unsaid = crafted.enter(image), crafted.enter(other)
    empty = crafted.blob(unread.EMPTY, unread.EMPTY_TYPE)
    crafted.enter(crafted.blob(unread.write(image, empty, ()), OCI_MANIFEST))
    assert found_in(crafted, read) == Discovery(read)
    assert found_in(crafted, unsaid).unproven


def test_the_same_payload_signed_twice_is_two_pieces_of_evidence(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    layers = [crafted.blob(b"{}", SIMPLE_SIGNING, annotations={"signature": s}) for s in ("first", "second")]
    sign(crafted, digest, ".sig", layers)
    assert [one.annotations["signature"] for one in found_in(crafted, digest).evidence] == ["first", "second"]


def test_other_layers_under_a_classic_tag_are_kept_with_their_type(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    sign(crafted, digest, ".sig", [crafted.blob(b"pgp", "application/pgp-signature")])
    (one,) = found_in(crafted, digest).evidence
    assert (one.kind, one.media_type) == (Kind.SIGNATURE, "application/pgp-signature")


def test_signatures_of_other_tools_are_kept_and_plain_artifacts_are_not(crafted: CraftedLayout) -> None:
    image = crafted.image()
    digest = crafted.enter(image, "latest")
    crafted.enter(crafted.image([crafted.blob(b"sbom", "text/spdx+json")], subject=image))
    crafted.enter(crafted.image([crafted.blob(b"jws", "application/jose+json")], subject=image))
    found = found_in(crafted, digest)
    assert [one.media_type for one in found.evidence] == ["application/jose+json"]
    assert found.problems == ()


def test_a_referrer_of_another_image_is_a_problem_and_no_evidence(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    other = crafted.image(annotations={"other": "image"})
    foreign = crafted.image([crafted.blob(b"{}", BUNDLE)], subject=other)
    crafted.enter(crafted.index([foreign]), own_tag(digest))
    found = found_in(crafted, digest)
    assert found.evidence == ()
    assert [problem.place for problem in found.problems] == [foreign["digest"]]
    assert other["digest"] in found.problems[0].reason


def test_a_classic_tag_that_is_the_image_itself_is_no_evidence(crafted: CraftedLayout) -> None:
    image = crafted.image([crafted.blob(b"layer", SIMPLE_SIGNING)])
    digest = crafted.enter(image, "latest")
    crafted.enter(image, own_tag(digest, ".sig"))
    assert found_in(crafted, digest) == Discovery(digest)


def test_a_missing_layer_is_a_problem_and_the_others_are_found(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    lost, kept = crafted.blob(b"lost", SIMPLE_SIGNING), crafted.blob(b"kept", SIMPLE_SIGNING)
    sign(crafted, digest, ".sig", [lost, kept])
    crafted.path(lost["digest"]).unlink()
    found = found_in(crafted, digest)
    assert [one.content for one in found.evidence] == [b"kept"]
    assert [problem.place for problem in found.problems] == [lost["digest"]]
    assert ".sig" in found.problems[0].reason


def test_a_missing_signature_manifest_is_a_problem_not_an_absence(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    sig = sign(crafted, digest, ".sig", [crafted.blob(b"{}", SIMPLE_SIGNING)])
    crafted.path(sig).unlink()
    assert [problem.place for problem in found_in(crafted, digest).problems] == [own_tag(digest, ".sig")]


def test_an_altered_referrer_is_a_problem(crafted: CraftedLayout) -> None:
    image = crafted.image()
    digest = crafted.enter(image, "latest")
    attached = crafted.enter(crafted.image([crafted.blob(b"{}", BUNDLE)], subject=image))
    crafted.path(attached).write_bytes(b"{}")
    assert [problem.place for problem in found_in(crafted, digest).problems] == [attached]


def test_an_index_under_a_classic_tag_is_a_problem(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    crafted.enter(crafted.index([]), own_tag(digest, ".att"))
    assert [problem.place for problem in found_in(crafted, digest).problems] == [own_tag(digest, ".att")]


def test_a_giant_attestation_is_a_problem_by_name(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    giant = {**crafted.blob(b"x", DSSE_ENVELOPE), "size": (32 << 20) + 1}
    sign(crafted, digest, ".att", [giant])
    found = found_in(crafted, digest)
    assert [problem.place for problem in found.problems] == [giant["digest"]]
    assert "33554432" in found.problems[0].reason


def test_more_than_a_hundred_attestations_are_a_problem_not_silence(crafted: CraftedLayout) -> None:
    digest = crafted.enter(crafted.image(), "latest")
    sign(crafted, digest, ".att", [crafted.blob(str(n).encode(), DSSE_ENVELOPE) for n in range(101)])
    found = found_in(crafted, digest)
    assert len(found.evidence) == 100
    assert [problem.place for problem in found.problems] == ["signed layers"]


def test_more_than_a_thousand_signatures_are_a_problem_not_silence(crafted: CraftedLayout) -> None:
    image = crafted.image()
    digest = crafted.enter(image, "latest")
    payload = crafted.blob(b"{}", SIMPLE_SIGNING)
    layers = [{**payload, "annotations": {"number": str(n)}} for n in range(1001)]
    sign(crafted, digest, ".sig", layers[:600])
    crafted.enter(crafted.image(layers[600:], subject=image))
    sign(crafted, digest, ".att", [crafted.blob(b"{att}", DSSE_ENVELOPE)])
    found = found_in(crafted, digest)
    assert [one.kind for one in found.evidence].count(Kind.SIGNATURE) == 1000
    assert [one.content for one in found.evidence if one.kind is Kind.ATTESTATION] == [b"{att}"]
    assert [problem.place for problem in found.problems] == ["signed layers"]


def test_more_than_a_hundred_bundles_of_a_kind_are_a_problem_not_silence(crafted: CraftedLayout) -> None:
    image = crafted.image()
    digest = crafted.enter(image, "latest")
    for n in range(101):
        crafted.enter(crafted.image([crafted.blob(bundle(f"https://example.org/{n}"), BUNDLE)], subject=image))
    found = found_in(crafted, digest)
    assert len(found.evidence) == 100
    assert [problem.place for problem in found.problems] == ["attestations"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"messageSignature": {"signature": ""}}', True),
        (bundle("https://sigstore.dev/cosign/sign/v1"), True),
        (bundle("https://slsa.dev/provenance/v1"), False),
        (b'{"dsseEnvelope": {"payload": "!"}}', False),
        (b'{"dsseEnvelope": {"payload": 1}}', False),
        (b"{}", False),
        (b"[" * 100_000, False),
        (b"\xff", False),
    ],
)
def test_a_bundle_is_sorted_by_what_it_claims(content: bytes, expected: bool) -> None:
    assert claims_to_sign_an_image(content) is expected


def test_both_spellings_of_a_bundles_type_are_known_and_layers_of_images_are_not_signed() -> None:
    assert is_bundle(BUNDLE)
    assert is_bundle("application/vnd.dev.sigstore.bundle+json;version=0.1")
    assert not is_bundle("application/vnd.dev.sigstore.bundles+json")
    assert not is_signed("application/vnd.oci.image.layer.v1.tar+gzip")
    assert not is_signed("application/vnd.in-toto+json")


def test_the_real_postgres_layout_has_every_piece(shared: Path) -> None:
    layout = Layout(shared / "chainguard-postgres" / "oci-layout")
    index = layout.manifest("", layout.resolve("", "latest"))
    amd64, arm64 = index.children
    on_index, on_amd64, on_arm64 = (
        discover(layout, "chainguard/postgres", d) for d in (index.digest, amd64.digest, arm64.digest)
    )
    assert [one.kind for one in on_index.evidence] == [Kind.SIGNATURE]
    assert [one.kind for one in on_arm64.evidence] == [Kind.SIGNATURE, *[Kind.ATTESTATION] * 3]
    assert on_index.problems == on_arm64.problems == ()
    assert on_amd64.evidence == ()
    assert "not in this layout" in on_amd64.problems[0].reason


@pytest.mark.parametrize("told", ["", "[]", "nonsense", '[{"place": "referrers", "reason": "It did not answer."}]'])
def test_a_layout_can_say_that_its_source_could_not_be_read(tmp_path: Path, told: str) -> None:
    """Whatever is written there, something is missing: emptiness is not taken for a proof."""
    crafted = CraftedLayout(tmp_path / "layout")
    image = crafted.image()
    digest = crafted.enter(image, "latest")
    marked = crafted.image(subject=image, artifactType=unread.ARTIFACT_TYPE, annotations={"cgexplorer.problems": told})
    crafted.enter(marked)
    (problem,) = discover(Layout(crafted.directory), "a/b", digest).problems
    assert problem.reason in ("It did not answer.", "The layout says that something could not be read, and not what.")


@pytest.mark.parametrize("version", ["v1.4.0", "v1.9.0", "v2.0.0"])
def test_the_layouts_of_cosign_save_have_their_attestation(shared: Path, version: str) -> None:
    layout = Layout(shared / "slsa-container-layouts" / version / "container_workflow_dispatch")
    (image,) = layout.references()
    found = discover(layout, image.repository, image.digest)
    assert [(one.form, one.kind) for one in found.evidence] == [(Form.LEGACY, Kind.ATTESTATION)]
    assert found.problems == ()


def test_every_repository_that_stock_cosign_signed_has_what_it_stored(shared: Path) -> None:
    layout = Layout(shared / "cosign-made")
    found = {e.repository: discover(layout, e.repository, e.digest) for e in layout.references()}
    assert [name for name, one in found.items() if not one.evidence] == ["d/unsigned"]
    assert [name for name, one in found.items() if one.problems] == []
    assert [one.form for one in found["d/sig-and-bundle"].evidence] == [Form.LEGACY, Form.BUNDLE]
    assert len(found["d/multi"].evidence) == 3
    assert found["d/b-att-slsa"].evidence[0].kind is Kind.ATTESTATION
    assert found["d/b-rekor2"].evidence[0].kind is Kind.SIGNATURE
