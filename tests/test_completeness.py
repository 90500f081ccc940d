"""An image is complete when all is attested of it that its policy asks for; its verdict does not hang on that."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from cgexplorer.ingest import reverify
from cgexplorer.store.models import Manifest, PolicyRow
from cgexplorer.store.queries import completeness, verification
from cgexplorer.store.record.policies import PolicyFields, policy
from cgexplorer.store.record.trust_roots import trust_root
from tests.fakes.sigstore import GITHUB, SPDX, WORKFLOW
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, fetch, sign, sigstore, spdx

pytestmark = pytest.mark.django_db
SLSA, APKO = "https://slsa.dev/provenance", "https://apko.dev/image-configuration"


@pytest.fixture(autouse=True)
def asks_for_three() -> PolicyRow:
    root = trust_root(sigstore().trusted_root(), "throwaway")
    fields = PolicyFields(
        pattern="registry.example/*", issuer=GITHUB, identity=WORKFLOW, required_types=[SLSA, APKO, SPDX]
    )
    return policy("test", fields, root)


def attest(source: MemorySource, digest: str, *types: str, identity: str = WORKFLOW) -> None:
    one = sigstore()
    bodies: dict[str, Any] = {SPDX: spdx("openssl@3.3.1-r0")}
    source.attach(*(one.attestation(digest, one.leaf(identity), type_, bodies.get(type_)) for type_ in types))


def image(*types: str, identity: str = WORKFLOW) -> Manifest:
    """A signed image with attestations of these types."""
    source = MemorySource()
    digest = source.push_image("latest")
    sign(source, digest)
    if types:
        attest(source, digest, *types, identity=identity)
    fetch(source)
    return Manifest.objects.get()


def of(manifest: Manifest) -> completeness.Completeness:
    report = verification.report(manifest)
    assert report is not None
    found = completeness.of(report)
    assert found is not None
    return found


def test_an_image_that_has_all_is_complete_in_whatever_version() -> None:
    found = of(image(SLSA + "/v1", APKO, SPDX + "/v2.3"))
    assert found.missing == ()
    assert [one.found for one in found.requirements] == [SLSA + "/v1", APKO, SPDX + "/v2.3"]


def test_what_is_missing_is_named_and_the_signature_stays_verified() -> None:
    manifest = image(SPDX)
    assert manifest.state == "verified"
    assert of(manifest).missing == (SLSA, APKO)


def test_what_somebody_else_attested_does_not_count() -> None:
    assert of(image(SLSA + "/v1", APKO, SPDX, identity=WORKFLOW + "2")).missing == (SLSA, APKO, SPDX)


def test_an_image_that_nobody_signed_lacks_everything_that_is_asked_now() -> None:
    source = MemorySource()
    source.push_image("latest")
    fetch(source)
    assert of(Manifest.objects.get()).missing == (SLSA, APKO, SPDX)


def test_a_policy_that_asks_for_nothing_says_nothing() -> None:
    root = trust_root(sigstore().trusted_root(), "throwaway")
    policy("test", PolicyFields(pattern="registry.example/*", issuer=GITHUB, identity=WORKFLOW), root)
    report = verification.report(image(SPDX))
    assert report is not None
    assert completeness.of(report) is None


def indexed(
    *, of_index: tuple[str, ...] = (), of_platforms: tuple[tuple[str, ...], ...]
) -> tuple[Manifest, list[Manifest]]:
    source = MemorySource()
    names = ("amd64", "arm64")[: len(of_platforms)]
    digests = [source.push_image(platform=f"linux/{name}") for name in names]
    top = source.push_index("latest", **dict(zip(names, digests, strict=True)))
    for digest, types in ((top, of_index), *zip(digests, of_platforms, strict=True)):
        sign(source, digest)
        if types:
            attest(source, digest, *types)
    fetch(source)
    return Manifest.objects.get(digest=top), [Manifest.objects.get(digest=digest) for digest in digests]


def test_a_platform_has_what_its_index_has_and_is_told_so() -> None:
    top, (platform,) = indexed(of_index=(SLSA + "/v1", APKO), of_platforms=((SPDX,),))
    found = of(platform)
    assert found.missing == ()
    assert [one.place for one in found.requirements] == [f"its index {top.digest}"] * 2 + [""]


def test_an_index_has_what_each_of_its_platforms_has() -> None:
    top, _ = indexed(of_index=(APKO,), of_platforms=((SPDX, SLSA + "/v1"), (SPDX,)))
    found = of(top)
    assert found.missing == (SLSA,)
    assert [one.place for one in found.requirements] == ["", "", "each of its 2 platforms"]


def test_pages_json_and_text_say_what_is_missing(client: Client) -> None:
    manifest = image(SPDX, APKO)
    address = [manifest.image.name, manifest.digest]
    assert "not complete" in client.get(reverse("digest", args=address)).content.decode()
    page = client.get(reverse("verification", args=address)).content.decode()
    assert "Not complete: 1 of 3 missing" in page
    assert f"{SLSA}</code>" in page
    found = json.loads(client.get(reverse("verification-json", args=address)).content)["subjects"][0]["completeness"]
    assert (found["complete"], found["policy"]) == (False, {"name": "test", "version": 1})
    assert [one["found"] for one in found["requirements"]] == ["", APKO, SPDX]
    output = io.StringIO()
    call_command("verify", f"{manifest.image.name}:latest", "--format", "report", stdout=output)
    assert f"✗ {SLSA}: no verified attestation" in output.getvalue()


def test_the_policies_that_come_along_ask_for_what_chainguard_attests() -> None:
    presets = PolicyRow.objects.filter(name__startswith="chainguard")
    assert {tuple(one.required_types) for one in presets.filter(current=True)} == {(SLSA, APKO, SPDX)}
    assert {tuple(one.required_types) for one in presets.filter(version=1)} == {()}  # as verdicts were given under it
    assert presets.filter(current=True).count() == presets.filter(version=1).count() == 3


def test_a_pipeline_can_stop_at_an_image_that_is_not_complete() -> None:
    name = f"{image(SPDX).image.name}:latest"
    output = io.StringIO()
    call_command("verify", name, stdout=output)  # by itself it is no failure
    assert f"not complete: no verified attestation of {SLSA}, {APKO}" in output.getvalue()
    with pytest.raises(CommandError, match="Found: incomplete") as stopped:
        call_command("verify", name, "--fail-on", "invalid,incomplete", stdout=io.StringIO())
    assert stopped.value.returncode == 2


def test_the_command_takes_words_and_uris_and_refuses_the_rest(client: Client) -> None:
    flags = ["--name", "words", "--match", "x/*", "--issuer", GITHUB, "--identity", WORKFLOW]
    call_command("add_policy", *flags, "--require-type", "slsa", "--require-type", SPDX, stdout=io.StringIO())
    assert PolicyRow.objects.get(name="words").required_types == [SLSA, SPDX]
    assert "Complete with" in client.get(reverse("policies")).content.decode()
    with pytest.raises(CommandError, match="--require-type: expected a predicate type"):
        call_command("add_policy", *flags, "--require-type", "sbom")


def test_an_older_report_says_what_it_said_whatever_is_attested_later() -> None:
    source = MemorySource()
    platform = source.push_image(platform="linux/amd64")
    top = source.push_index("latest", amd64=platform)
    for digest in (platform, top):
        sign(source, digest)
    attest(source, platform, SPDX)
    fetch(source)
    attest(source, top, SLSA + "/v1", APKO)
    fetch(source, now=LATER)
    manifest = Manifest.objects.get(digest=platform)
    assert of(manifest).missing == ()  # its newest run is told with what its index has by now
    reverify(manifest, now=LATER)
    manifest.refresh_from_db()
    first = verification.report(manifest, manifest.runs.earliest("pk").pk)
    assert first is not None
    then = completeness.of(first)
    assert then is not None
    assert then.missing == (SLSA, APKO)
