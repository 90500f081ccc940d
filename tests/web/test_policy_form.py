"""The form for a policy: it checks, warns, shows what would be decided, and makes a command that says the same."""

from __future__ import annotations

import io
import re
import shlex
from html import unescape
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from cgexplorer.store.models import PolicyRow
from cgexplorer.store.record.trust_roots import trust_root
from tests.fakes.sigstore import GITHUB, WORKFLOW
from tests.store import factories as make
from tests.verify.world import KEY, SIGSTORE

pytestmark = pytest.mark.django_db
SYNCER, BUILDER = "720909c9f5279097/b6461e99e132298f", "720909c9f5279097/af12bc34e132298f"
ACME = {"name": "acme", "match": "ghcr.io/acme/*", "signer": "certificate"}
CERTIFICATE = {**ACME, "issuer": GITHUB, "identity": WORKFLOW}


def answer(client: Client, **asked: object) -> str:
    return unescape(client.get(reverse("policy-new"), asked).content.decode())


def stored(page: str) -> PolicyRow:
    """What the command of this page stores."""
    found = re.search(r"<pre>(manage\.py add_policy.+?)</pre>", page, re.DOTALL)
    assert found is not None
    line = found[1].replace("\\\n", "")  # as a shell joins lines
    call_command(*shlex.split(line)[1:], stdout=io.StringIO())
    return PolicyRow.objects.get(name="acme", current=True)


def test_an_untouched_form_complains_of_nothing(client: Client) -> None:
    page = answer(client)
    assert "Not usable yet" not in page
    assert "add_policy" not in page


def test_the_command_stores_what_the_form_says(client: Client) -> None:
    page = answer(
        client,
        **CERTIFICATE,
        require_type=["slsa", "spdx"],
        max_age_days=30,
        require_timestamp=1,
        no_log=1,
        workflow_ref="refs/heads/it's main",
    )
    row = stored(page)
    assert (row.pattern, row.issuer, row.identity) == ("ghcr.io/acme/*", GITHUB, WORKFLOW)
    assert row.required_types == ["https://slsa.dev/provenance", "https://spdx.dev/Document"]
    assert (row.max_age_s, row.require_timestamp, row.require_log) == (30 * 86400, True, False)
    assert row.workflow_ref == "refs/heads/it's main"


def test_a_pattern_with_a_threshold_is_stored_as_a_pattern(client: Client) -> None:
    row = stored(
        answer(client, **CERTIFICATE | {"identity": r"-x|https://e\.test/.+"}, identity_pattern=1, threshold=2)
    )
    assert (row.identity, row.identity_regexp, row.threshold) == ("", r"-x|https://e\.test/.+", 2)


def test_a_key_with_its_period_is_stored(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cosign.pub").write_text(KEY.public_pem)
    row = stored(
        answer(client, **ACME | {"signer": "key"}, key=KEY.public_pem, not_before="2026-01-01", not_after="2027-01-01")
    )
    assert row.key_pem == KEY.public_pem
    assert (f"{row.not_before:%Y-%m-%d %H}", f"{row.not_after:%Y-%m-%d %H}") == ("2026-01-01 00", "2027-01-01 00")


def test_a_private_root_is_stored_by_its_name(client: Client) -> None:
    """The field is there when somebody has imported one."""
    assert 'name="trust_root"' not in answer(client, **CERTIFICATE)
    root = trust_root(SIGSTORE.trusted_root(), "the root's name")
    page = answer(client, **CERTIFICATE, trust_root="the root's name")
    assert "selected>the root's name" in page
    assert stored(page).trust_root == root


def test_a_root_that_nobody_imported_is_refused(client: Client) -> None:
    assert "add_policy" not in answer(client, **CERTIFICATE, trust_root="unknown")


def test_two_ids_make_the_pattern_of_a_private_catalogue(client: Client) -> None:
    page = answer(client, **ACME | {"signer": "chainguard"}, image_syncer=SYNCER, custom_image_builder=BUILDER)
    row = stored(page)
    assert row.issuer == "https://issuer.enforce.dev"
    assert row.identity_regexp == rf"https://issuer\.enforce\.dev/({SYNCER}|{BUILDER})"
    assert "a dot stands for any character" not in page


def test_the_policy_that_waits_for_them_links_to_the_form(client: Client) -> None:
    page = unescape(client.get(reverse("policies")).content.decode())
    found = re.search(r'href="([^"]+)">write them in', page)
    assert found is not None
    asked = unescape(client.get(f"{found[1]}&image_syncer={SYNCER}").content.decode())
    assert "add_policy \\\n  --name='chainguard private (issuer.enforce.dev)'" in asked
    assert rf"issuer\.enforce\.dev/({SYNCER})" in asked


def test_one_of_the_two_ids_is_enough(client: Client) -> None:
    row = stored(answer(client, **ACME | {"signer": "chainguard"}, image_syncer=SYNCER))
    assert row.identity_regexp == rf"https://issuer\.enforce\.dev/({SYNCER})"


@pytest.mark.parametrize(
    "ids", [("", ""), (".*", ""), (SYNCER, "a|b"), ("<IMAGE_SYNCER UIDP>", ""), (SYNCER + "/", "")]
)
def test_what_is_no_id_is_refused(client: Client, ids: tuple[str, str]) -> None:
    page = answer(client, **ACME | {"signer": "chainguard"}, image_syncer=ids[0], custom_image_builder=ids[1])
    assert "Not usable yet" in page
    assert "<pre>manage.py add_policy" not in page


@pytest.mark.parametrize(
    "asked",
    [
        ACME,
        CERTIFICATE | {"name": ""},
        CERTIFICATE | {"identity": ".*", "identity_pattern": 1},
        CERTIFICATE | {"identity": "(", "identity_pattern": 1},
        CERTIFICATE | {"threshold": 2},
        CERTIFICATE | {"threshold": "many"},
        ACME | {"signer": "key", "key": "no key"},
        ACME | {"signer": "key", "key": KEY.public_pem, "not_before": "2027-01-01", "not_after": "2026-01-01"},
        ACME | {"signer": "nobody"},
        CERTIFICATE | {"require_type": "sbom"},
        CERTIFICATE | {"name": "a\0b"},
    ],
)
def test_what_the_command_would_refuse_the_form_refuses_too(client: Client, asked: dict[str, object]) -> None:
    page = answer(client, **asked)
    assert "Not usable yet" in page
    assert "<pre>manage.py add_policy" not in page


@pytest.mark.parametrize(
    ("asked", "warning"),
    [
        ({"identity": r"https://e\.test/a", "identity_pattern": 1}, "cosign searches it anywhere"),
        ({"identity": "https://e.test/a", "identity_pattern": 1}, "a dot stands for any character"),
        ({"identity": r"https://e\.test/.*", "identity_pattern": 1}, "ends with “anything”"),
        ({"no_log": 1}, "a certificate counts only until it ends"),
    ],
)
def test_what_allows_more_than_it_seems_is_said(client: Client, asked: dict[str, object], warning: str) -> None:
    assert warning in answer(client, **CERTIFICATE | asked)
    assert warning not in answer(client, **CERTIFICATE)


def test_an_anchored_pattern_means_the_same_to_cosign(client: Client) -> None:
    asked = CERTIFICATE | {"identity": r"^https://e\.test/a$", "identity_pattern": 1}
    assert "cosign searches it anywhere" not in answer(client, **asked)


def test_it_shows_which_stored_images_it_would_decide_for(client: Client) -> None:
    for name in ("ghcr.io/acme/tool", "ghcr.io/acme/inner/tool", "ghcr.io/other/tool"):
        make.image(name)
    PolicyRow.objects.create(name="inner", pattern="ghcr.io/acme/inner/*", issuer=GITHUB, identity=WORKFLOW)
    page = answer(client, **CERTIFICATE)
    assert reverse("image", args=["ghcr.io/acme/tool"]) in page
    assert reverse("image", args=["ghcr.io/acme/inner/tool"]) not in page
    assert "<b>1</b> stored image:" in page
    assert "It is the first of this name." in page
    stored(page)
    assert "It replaces version 1" in answer(client, **CERTIFICATE | {"identity": "somebody else"})


def test_nothing_is_stored_by_looking(client: Client) -> None:
    before = PolicyRow.objects.count()
    answer(client, **CERTIFICATE)
    assert PolicyRow.objects.count() == before
    assert client.post(reverse("policy-new"), CERTIFICATE).status_code == 405


def test_what_is_typed_is_shown_as_text(client: Client) -> None:
    naughty = '"><script>alert(1)</script>'
    page = client.get(reverse("policy-new"), CERTIFICATE | {"name": naughty, "identity": naughty}).content.decode()
    assert "<script>alert" not in page
