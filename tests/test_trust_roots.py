"""Whose root is trusted: refreshed by TUF, imported for a private Sigstore, and kept for what it once judged."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cgexplorer import ingest, jobs
from cgexplorer.oci.reference import parse
from cgexplorer.store.models import Manifest, PolicyRow, TrustRoot, TrustUpdate, VerdictRow
from cgexplorer.store.queries import trust
from cgexplorer.store.queries.trust_roots import RootStatus, ago, statuses
from cgexplorer.store.record import trust_roots
from cgexplorer.store.record.policies import PolicyFields, policy
from cgexplorer.verify import trust_refresh
from cgexplorer.verify.trust_root import PUBLIC_GOOD, PUBLIC_GOOD_SHA256, public_good_bytes
from tests.fakes.sigstore import GITHUB, WORKFLOW, FakeSigstore
from tests.fakes.source import MemorySource
from tests.fakes.tuf import FakeTuf
from tests.ingesting import LATER, NOW
from tests.test_commands import run

pytestmark = pytest.mark.django_db
SIGNED_ON = NOW - dt.timedelta(days=1)
ACME, OTHER = FakeSigstore(SIGNED_ON, name="acme.example"), FakeSigstore(SIGNED_ON, name="other.example")
KEYLESS = ("--issuer", GITHUB, "--identity", WORKFLOW)


def sha256(sigstore: FakeSigstore) -> str:
    return trust_roots.trust_root(sigstore.trusted_root(), sigstore.name).sha256


def signed_by(*instances: FakeSigstore) -> MemorySource:
    source = MemorySource()
    digest = source.push_image("latest")
    for one in instances:
        source.attach(one.signature(digest, one.leaf()))
    return source


def judged(source: MemorySource, name: str = "acme.example/app") -> Manifest:
    ingest.ingest(parse(f"{name}:latest"), source, trigger="ingest", now=NOW)
    return Manifest.objects.get(image__name=name)


def status(digest: str) -> RootStatus:
    return statuses([digest])[0]


# -- refresh ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def tuf(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTuf]:
    """A mirror of ours in the place of Sigstore's, whose root the program ships."""
    found = FakeTuf(ACME.trusted_root())
    monkeypatch.setattr(trust_refresh, "first_root", lambda: found.first_root)
    settings.CGEXPLORER_HOME = tmp_path
    with found.served() as address:
        settings.TUF_MIRROR = address
        settings.INSECURE_REGISTRIES = frozenset({address.removeprefix("http://")})
        yield found


def test_a_refreshed_root_judges_from_now_on_and_old_verdicts_keep_theirs(tuf: FakeTuf) -> None:
    policy("ours", PolicyFields(pattern="acme.example/*", issuer=GITHUB, identity=WORKFLOW))
    manifest = judged(signed_by(ACME))
    assert (manifest.state, manifest.run.trust_root.sha256) == ("invalid", PUBLIC_GOOD_SHA256)
    code, said, _ = run("refresh_trust")
    assert code == 0
    assert f"It replaces sha256:{PUBLIC_GOOD_SHA256}" in said
    run_after = ingest.reverify(manifest, now=timezone.now())
    new = trust.current(PUBLIC_GOOD)
    assert (run_after.state, run_after.trust_root) == ("verified", new)
    assert list(VerdictRow.objects.order_by("pk").values_list("trusted_root_sha256", flat=True)) == [
        PUBLIC_GOOD_SHA256,
        new.sha256,
    ]
    old = status(PUBLIC_GOOD_SHA256)
    assert (old.source, old.is_current) == ("shipped", False)
    assert old.standing(timezone.now()) == "replaced just now"
    assert TrustRoot.objects.get(sha256=PUBLIC_GOOD_SHA256).payload.size == len(public_good_bytes())


def test_an_old_run_shows_the_root_that_it_used_and_that_another_counts_now(tuf: FakeTuf, client: Client) -> None:
    policy("ours", PolicyFields(pattern="acme.example/*", issuer=GITHUB, identity=WORKFLOW))
    manifest = judged(signed_by(ACME))
    first = manifest.run
    run("refresh_trust")
    second = ingest.reverify(manifest, now=timezone.now())
    pages = {}
    for one in (first, second):
        where = [manifest.image.name, manifest.digest, one.pk]
        pages[one] = client.get(reverse("verification-run", args=where)).content.decode()
    assert PUBLIC_GOOD_SHA256 in pages[first]
    assert "Replaced just now" in pages[first]
    assert "<dt>Shipped</dt>" in pages[first]
    assert trust.current(PUBLIC_GOOD).sha256 in pages[second]
    assert "Current; last refreshed just now; its metadata expires in 6 days" in pages[second]


def test_a_refresh_that_brings_the_same_root_says_until_when(tuf: FakeTuf) -> None:
    run("refresh_trust")
    tuf.publish(ACME.trusted_root(), expires={"targets": tuf.now + dt.timedelta(days=2, minutes=1)})
    code, said, _ = run("refresh_trust")
    assert code == 0
    assert "current; last refreshed just now; its metadata expires in 2 days" in said
    assert "replaces" not in said
    step = trust.newest(PUBLIC_GOOD)
    assert (step.source, step.root_version, step.timestamp_version, step.mirror) == ("refreshed", 1, 2, step.mirror)


def test_a_mirror_that_is_away_changes_nothing_and_is_told(tuf: FakeTuf, settings: Any, monkeypatch: Any) -> None:
    run("refresh_trust")
    before = trust.current(PUBLIC_GOOD)
    settings.TUF_MIRROR = "https://mirror.invalid"
    code, _, why = run("refresh_trust")
    assert code == 3
    assert "mirror.invalid" in why
    assert f"Kept: {PUBLIC_GOOD} sha256:{before.sha256}: current; last refreshed just now; its metadata expires" in why
    assert trust.current(PUBLIC_GOOD) == before
    found = status(before.sha256)
    assert found.problem.startswith("The mirror https://mirror.invalid could not be asked.")
    code, said, _ = run("trust_roots", "--history")
    assert code == 0
    assert "not refreshed just now: The mirror https://mirror.invalid" in said
    assert "refreshed  failed: The mirror" in said


def test_a_mirror_that_lies_changes_nothing_and_is_told(tuf: FakeTuf) -> None:
    run("refresh_trust")
    before = trust.current(PUBLIC_GOOD)
    tuf.publish(OTHER.trusted_root(), by={"targets": tuf.signer("stranger")})
    code, _, why = run("refresh_trust")
    assert code == 3
    assert "not signed by enough of the keys" in why
    assert trust.current(PUBLIC_GOOD) == before


def test_a_home_that_was_lost_does_not_let_a_mirror_roll_back(tuf: FakeTuf, settings: Any, tmp_path: Path) -> None:
    before = dict(tuf.files)
    tuf.publish(OTHER.trusted_root())
    run("refresh_trust")
    tuf.files = before
    settings.CGEXPLORER_HOME = tmp_path / "another"
    code, _, why = run("refresh_trust")
    assert (code, "a rollback, refused" in why) == (3, True)
    assert trust.current(PUBLIC_GOOD).sha256 == sha256(OTHER)


def test_never_refreshed_is_said_too(tuf: FakeTuf, settings: Any) -> None:
    settings.TUF_MIRROR = "https://mirror.invalid"
    _, _, why = run("refresh_trust")
    assert f"Kept: {PUBLIC_GOOD} sha256:{PUBLIC_GOOD_SHA256}: current; shipped with cgexplorer, never refreshed." in why


def test_metadata_that_has_expired_is_said_and_its_root_still_judges(tuf: FakeTuf) -> None:
    run("refresh_trust")
    sha = trust.current(PUBLIC_GOOD).sha256
    assert "its metadata expired 1 day ago" in status(sha).standing(timezone.now() + dt.timedelta(days=8, minutes=1))
    assert trust_roots.public_good(timezone.now() + dt.timedelta(days=8)).sha256 == sha


def test_the_job_does_what_the_command_does(tuf: FakeTuf, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    jobs.refresh_trust(0)
    assert trust.newest(PUBLIC_GOOD).source == "refreshed"
    settings.TUF_MIRROR = "http://127.0.0.1:9"
    with caplog.at_level(logging.WARNING, "cgexplorer.jobs"):
        jobs.refresh_trust(0)
    assert "The trust root was not refreshed: The mirror http://127.0.0.1:9 could not be asked." in caplog.text


@pytest.mark.parametrize(
    ("known", "source", "taken"),
    [(14, "refreshed", True), (15, "refreshed", False), (16, "refreshed", False), (15, "shipped", True)],
)
def test_a_new_program_brings_its_root_unless_a_newer_one_was_refreshed(known: int, source: str, taken: bool) -> None:
    refreshed = TrustRoot.objects.get(sha256=sha256(ACME))
    TrustUpdate.objects.create(name=PUBLIC_GOOD, source=source, trust_root=refreshed, root_version=known, at=NOW)
    assert (trust_roots.public_good(NOW).sha256 == PUBLIC_GOOD_SHA256) == taken
    assert trust_roots.public_good(NOW) == trust.current(PUBLIC_GOOD)


def test_what_happened_to_trust_roots_is_never_rewritten() -> None:
    sha256(ACME)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        TrustUpdate.objects.update(error="never happened")


def test_a_root_comes_along_with_its_schedule() -> None:
    from procrastinate.contrib.django import app

    crons = {one.task.name: one.cron for one in app.periodic_registry.periodic_tasks.values()}
    assert crons["refresh_trust"] == "47 2 * * *"


# -- import -----------------------------------------------------------------------------------------------------------
def file(tmp_path: Path, sigstore: FakeSigstore, **how: Any) -> Path:
    path = tmp_path / f"{sigstore.name}.json"
    path.write_bytes(sigstore.trusted_root(**how))
    return path


def test_each_instance_verifies_its_own_images_and_nobody_elses(tmp_path: Path) -> None:
    """Two private roots and the public one, each under a policy that allows the same signer."""
    for instance in (ACME, OTHER):
        name = instance.name
        assert run("import_trust_root", file(tmp_path, instance), "--name", name)[0] == 0
        assert run("add_policy", "--name", name, "--match", f"{name}/*", "--trust-root", name, *KEYLESS)[0] == 0
    run("add_policy", "--name", "public", "--match", "public.example/*", *KEYLESS)
    states = {
        (registry, signer.name): judged(signed_by(signer), f"{registry}/{signer.name}").state
        for registry in ("acme.example", "other.example", "public.example")
        for signer in (ACME, OTHER)
    }
    assert {pair for pair, state in states.items() if state == "verified"} == {
        ("acme.example", "acme.example"),
        ("other.example", "other.example"),
    }
    assert set(states.values()) == {"verified", "invalid"}


def test_a_real_public_image_is_verified_under_the_public_root_only(tmp_path: Path, shared: Path) -> None:
    name, layout = "cgr.dev/chainguard/postgres", shared / "chainguard-postgres" / "oci-layout"
    run("import_layout", layout, "--as", f"{name}:18.4")
    signed = Manifest.objects.filter(evidence__isnull=False).distinct()
    assert {one.state for one in signed} == {"verified"}
    run("import_trust_root", file(tmp_path, ACME), "--name", "acme")
    signer = ("--issuer", GITHUB, "--identity", PolicyRow.objects.get(name="chainguard public", current=True).identity)
    run("add_policy", "--name", "chainguard public", "--match", "cgr.dev/chainguard/*", "--trust-root", "acme", *signer)
    assert {ingest.reverify(one, now=timezone.now()).state for one in signed} == {"invalid"}


def test_another_root_of_the_same_name_gives_its_policies_a_version_and_leaves_old_verdicts(tmp_path: Path) -> None:
    run("import_trust_root", file(tmp_path, ACME), "--name", "acme")
    run("add_policy", "--name", "ours", "--match", "acme.example/*", "--trust-root", "acme", *KEYLESS)
    manifest = judged(signed_by(ACME))
    rotated = file(tmp_path, ACME, log_for=(SIGNED_ON, None))
    code, said, _ = run("import_trust_root", rotated, "--name", "acme")
    assert code == 0
    assert "ours v2 now uses it" in said
    ingest.reverify(manifest, now=LATER)
    old, new = VerdictRow.objects.select_related("policy").order_by("pk")
    assert (old.state, old.policy.version, new.state, new.policy.version) == ("verified", 1, "verified", 2)
    assert [status(one.trusted_root_sha256).is_current for one in (old, new)] == [False, True]
    assert status(new.trusted_root_sha256).policies == ("ours",)


def test_going_back_to_an_older_root_is_a_step_like_any_other(tmp_path: Path) -> None:
    first, second = ACME.trusted_root(), ACME.trusted_root(log_for=(SIGNED_ON, None))
    for raw in (first, second, first, first):
        root = trust_roots.trust_root(raw, "acme")
    assert trust.current("acme") == root
    assert TrustUpdate.objects.filter(name="acme").count() == 3
    assert TrustRoot.objects.filter(name="acme").count() == 2


def test_known_bytes_under_another_name_change_nothing(tmp_path: Path) -> None:
    """Least of all may an old file of the public-good root take the place of the new one."""
    trust_roots.public_good(NOW)
    path = tmp_path / "old.json"
    path.write_bytes(public_good_bytes())
    steps = TrustUpdate.objects.count()
    code, _, why = run("import_trust_root", path, "--name", "mine")
    assert (code, why) == (1, f"This root is already stored, as '{PUBLIC_GOOD}': give that name to policies.")
    assert TrustUpdate.objects.count() == steps


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not strict JSON"),
        (b'{"mediaType": "text/plain"}', "not a Sigstore trusted root"),
        (json.dumps({"mediaType": json.loads(ACME.trusted_root())["mediaType"]}).encode(), "names no authority and no"),
        (ACME.trusted_root()[:-40], "not strict JSON"),
        (b" " * (5 << 20), "larger than"),
    ],
    ids=["empty", "other", "without any part", "cut short", "huge"],
)
def test_a_bad_file_is_refused_in_a_sentence_and_nothing_is_stored(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "root.json"
    path.write_bytes(content)
    code, _, said = run("import_trust_root", path, "--name", "acme")
    assert code == 1
    assert said.startswith(f"{path} is not a usable trusted root: ")
    assert why in said
    assert not TrustRoot.objects.filter(name="acme").exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    _, _, said = run("import_trust_root", tmp_path / "none.json", "--name", "acme")
    assert "No such file or directory" in said


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\x00b", "a\nb", PUBLIC_GOOD])
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    assert run("import_trust_root", file(tmp_path, ACME), "--name", name)[0] == 1
    assert not TrustRoot.objects.exists()


def test_the_sample_root_keeps_its_name(tmp_path: Path) -> None:
    trust_roots.trust_root(OTHER.trusted_root(), "samples", is_sample=True)
    _, _, said = run("import_trust_root", file(tmp_path, ACME), "--name", "samples")
    assert "choose another" in said


def test_a_policy_for_an_unknown_root_names_those_that_there_are(tmp_path: Path) -> None:
    run("import_trust_root", file(tmp_path, ACME), "--name", "acme")
    code, _, said = run("add_policy", "--name", "x", "--match", "x/*", "--trust-root", "acne", *KEYLESS)
    assert (code, said) == (1, "No trust root is called 'acne'. There is: acme.")
    assert not PolicyRow.objects.filter(name="x").exists()


def test_a_policy_for_the_public_root_follows_it(tmp_path: Path) -> None:
    run("add_policy", "--name", "x", "--match", "x/*", "--trust-root", PUBLIC_GOOD, *KEYLESS)
    assert PolicyRow.objects.get(name="x").trust_root is None


def test_two_files_of_the_same_name_are_two_roots(tmp_path: Path) -> None:
    """Everybody's file is called trusted_root.json; what it is called here is the policy's name."""
    path = tmp_path / "trusted_root.json"
    for instance, name in ((ACME, "a"), (OTHER, "b")):
        path.write_bytes(instance.trusted_root())
        run("add_policy", "--name", name, "--match", f"{name}/*", "--trusted-root", path, *KEYLESS)
    assert [status(sha256(one)).is_current for one in (ACME, OTHER)] == [True, True]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "just now"), (59, "just now"), (60, "1 minute ago"), (7300, "2 hours ago"), (-86400, "in 1 day")],
)
def test_ages_are_words(seconds: int, said: str) -> None:
    assert ago(NOW - dt.timedelta(seconds=seconds), NOW) == said
