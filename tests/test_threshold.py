"""An image that too few have signed is neither verified nor found by the default search, from the same moment on."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from cgexplorer import ingest
from cgexplorer.store.models import Evidence, Manifest, PolicyRow, SbomPackages
from cgexplorer.store.record.policies import PolicyFields, policy
from cgexplorer.store.record.trust_roots import trust_root
from tests.fakes.sigstore import GITHUB, WORKFLOW
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, fetch, signed_image, sigstore

pytestmark = pytest.mark.django_db
OTHER = WORKFLOW.replace("release", "approve")


def ask_for(signers: int) -> PolicyRow:
    root = trust_root(sigstore().trusted_root(), "throwaway")
    pattern = r"https://github\.com/chainguard-images/images/.+"
    fields = PolicyFields(pattern="registry.example/*", issuer=GITHUB, identity_regexp=pattern, threshold=signers)
    return policy("test", fields, root)


def both_sign(source: MemorySource) -> None:
    digest, one = source.tagged["latest"], sigstore()
    del source.tagged[digest.replace(":", "-") + ".sig"]
    source.attach(*(one.signature(digest, one.leaf(identity)) for identity in (WORKFLOW, OTHER)))


def state() -> tuple[str, bool]:
    """Of the image, and whether the default search finds it."""
    return Manifest.objects.get().state, SbomPackages.objects.get().searchable


def test_one_of_two_signers_is_not_enough_and_two_are() -> None:
    ask_for(2)
    source = signed_image()
    report = fetch(source)
    assert "too few signed" in report.manifests[0].reason
    assert state() == ("signer-not-allowed", False)
    both_sign(source)
    fetch(source, now=LATER)
    assert state() == ("verified", True)
    run = Manifest.objects.get().runs.latest("pk")
    assert set(run.verdicts.values_list("state", flat=True)) == {"verified"}


def test_a_policy_that_asks_for_more_takes_the_image_out_of_the_search_when_it_is_verified_again() -> None:
    ask_for(1)
    fetch(signed_image())
    assert state() == ("verified", True)
    ask_for(2)
    run = ingest.reverify(Manifest.objects.get(), now=LATER)
    assert "found 1: https://github.com/chainguard-images/images/.github/workflows/release.yaml" in run.reason
    assert state() == ("signer-not-allowed", False)


def test_the_report_shows_how_many_signed_and_the_policy_how_many_must(client: Client) -> None:
    ask_for(2)
    fetch(signed_image())
    manifest = Manifest.objects.get()
    page = client.get(reverse("verification", args=[manifest.image.name, manifest.digest])).content.decode()
    assert "Number of signers" in page
    assert "2 distinct signers of the image" in page
    assert "at least 2 distinct ones" in client.get(reverse("policies")).content.decode()


def test_several_policies_each_count_their_own_signers_and_the_others_are_told(client: Client) -> None:
    ask_for(2)
    root = trust_root(sigstore().trusted_root(), "throwaway")
    policy("second", PolicyFields(pattern="registry.example/*", issuer=GITHUB, identity=OTHER), root)
    source = signed_image()
    fetch(source)
    assert state() == ("signer-not-allowed", False)
    both_sign(source)
    fetch(source, now=LATER)
    by = Evidence.objects.get(identity=OTHER, kind="signature").verdict
    assert by is not None
    assert by.policy is not None
    assert (by.policy.name, [one["policy"] for one in by.tried]) == ("second", ["test"])
