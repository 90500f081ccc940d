"""A clock that cannot be right checks nothing, and says against what."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from cgexplorer import ingest
from cgexplorer.store.models import ClockAcceptance, Manifest, TrustUpdate, VerdictRow, VerificationRun
from cgexplorer.store.record import trust_roots
from cgexplorer.verify import cli, clock, trust_root
from cgexplorer.verify.trust_refresh import Refreshed, Versions
from cgexplorer.verify.verdict import State
from tests.fakes.source import MemorySource
from tests.ingesting import LATER, NOW, allow, fetch, sign, signed_image, sigstore
from tests.test_commands import run
from tests.verify.world import ALICE, DIGEST, SIGNED_ON, SIGSTORE, Case, failed, policy, root

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
WRONG = clock.WrongClock("a clock that is right", "one that is not")


@pytest.fixture
def manifest() -> Manifest:
    """A signed image that was verified at NOW."""
    allow()
    fetch(signed_image())
    return Manifest.objects.get()


@pytest.mark.django_db
def test_a_clock_before_the_newest_run_cannot_check_and_the_last_verdict_stays(manifest: Manifest) -> None:
    newest = manifest.run
    found = ingest.reverify(manifest, now=NOW - clock.TOLERANCE - HOUR)
    assert found.state == "could-not-check"
    said = (
        f"expected a clock at or after 2026-08-01 12:00:00 UTC, when run {newest.pk} was stored, found this machine's"
    )
    verdicts = VerdictRow.objects.filter(run=found)
    assert all(said in one.reason for one in verdicts)
    assert {check["name"] for one in verdicts for check in one.checks if check["outcome"] == "failed"} == {"timestamp"}
    manifest.refresh_from_db()
    assert (manifest.state, manifest.run) == ("verified", newest)


@pytest.mark.django_db
def test_a_clock_stays_wrong_however_often_it_is_asked(manifest: Manifest) -> None:
    states = [ingest.reverify(manifest, now=NOW - 2 * DAY + n * HOUR).state for n in range(3)]
    assert states == ["could-not-check"] * 3
    assert ingest.reverify(manifest, now=LATER).state == "verified"


@pytest.mark.django_db
def test_an_hour_is_forgiven(manifest: Manifest) -> None:
    assert ingest.reverify(manifest, now=NOW - clock.TOLERANCE).state == "verified"


@pytest.mark.django_db
def test_an_image_that_was_never_seen_is_not_verified_by_a_wrong_clock(manifest: Manifest) -> None:
    source = MemorySource()
    sign(source, source.push_image("latest"))
    fetch(source, "registry.example/other:latest", now=NOW - 3 * HOUR)
    assert Manifest.objects.get(image__name="registry.example/other").state == "could-not-check"


@pytest.mark.django_db
def test_a_clock_before_the_newest_refresh_cannot_check() -> None:
    allow()
    later = Refreshed(sigstore().trusted_root(log_for=(NOW - 9 * DAY, None)), Versions(15, 1, 1, 1), NOW + 8 * DAY)
    trust_roots.refreshed(later, "https://mirror.example", NOW + DAY)
    fetch(signed_image())
    found = Manifest.objects.get()
    assert found.state == "could-not-check"
    assert "when the trust root Sigstore public good was refreshed" in VerdictRow.objects.latest("pk").reason


@pytest.mark.django_db
def test_a_clock_that_ran_ahead_can_be_accepted_again(manifest: Manifest) -> None:
    ahead = timezone.now() + 900 * DAY
    ingest.reverify(manifest, now=ahead)
    assert ingest.reverify(manifest, now=timezone.now()).state == "could-not-check"
    code, said, _ = run("accept_clock")
    assert code == 0
    assert said.startswith("Accepted: ")
    assert ingest.reverify(manifest, now=timezone.now()).state == "verified"
    assert VerificationRun.objects.filter(finished_at=ahead).exists()


@pytest.mark.django_db
def test_a_clock_that_nothing_contradicts_needs_no_acceptance(manifest: Manifest) -> None:
    code, said, _ = run("accept_clock")
    assert (code, said.startswith("Nothing contradicts")) == (0, True)
    assert not ClockAcceptance.objects.exists()


@pytest.mark.django_db
def test_nobody_can_accept_a_clock_before_the_program_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "shipped", lambda: clock.Passed(timezone.now() + DAY, "when it was made"))
    code, _, said = run("accept_clock")
    assert (code, "nobody can accept it" in said) == (1, True)


@pytest.mark.django_db
def test_what_was_refreshed_with_a_later_date_is_accepted_too() -> None:
    TrustUpdate.objects.create(name="x", source="refreshed", trust_root=allow().trust_root, at=timezone.now() + DAY,
                               expires_at=timezone.now())  # fmt: skip
    assert run("accept_clock")[1].startswith("Accepted: ")


def test_the_newest_key_of_the_shipped_root_has_begun() -> None:
    """It stands for the date of the program: no clock before it is right, and no right one is before it."""
    began = clock.shipped().moment
    assert dt.datetime(2025, 1, 1, tzinfo=dt.UTC) < began < dt.datetime.now(dt.UTC)
    assert began in {log.period.start for log in trust_root.public_good().logs.values()}
    wrong = clock.doubt((clock.shipped(),), dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    assert "when the newest key of the shipped trust root began" in str(wrong)
    assert "this machine's clock says 1970-01-01 00:00:00 UTC" in str(wrong)
    assert clock.doubt((clock.shipped(),), dt.datetime.now(dt.UTC)) is None


def test_the_stand_alone_verifier_believes_no_such_clock_either(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(clock, "shipped", lambda: clock.Passed(dt.datetime.now(dt.UTC) + DAY, "when it was made"))
    arguments = ["--certificate-identity", "x", "--certificate-oidc-issuer", "y", "registry.example/app"]
    assert cli.main(["verify", *arguments]) == cli.COULD_NOT_CHECK
    assert "The clock cannot be right" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("case", "state"),
    [
        (Case(SIGSTORE.signature(DIGEST, ALICE)), State.COULD_NOT_CHECK),
        (Case(SIGSTORE.signature(DIGEST, ALICE), policy(max_age_s=60)), State.COULD_NOT_CHECK),
        (Case(SIGSTORE.signature(DIGEST, ALICE), policy(identity="somebody else")), State.COULD_NOT_CHECK),
        (Case(SIGSTORE.signature(DIGEST, ALICE), None), State.COULD_NOT_CHECK),
        (Case(SIGSTORE.signature("sha256:" + "00" * 32, ALICE)), State.INVALID),
        (Case(SIGSTORE.signature(DIGEST, ALICE), verifier=root(ca_for=(SIGNED_ON - 2 * DAY, SIGNED_ON - DAY))),
         State.INVALID),
        (Case(SIGSTORE.signature(DIGEST, ALICE, log=False), policy(require_log=False), now=SIGNED_ON - DAY),
         State.COULD_NOT_CHECK),
    ],
    ids=["verified", "stale", "other signer", "no policy", "other digest", "CA at the proven time", "chain as of now"],
)  # fmt: skip
def test_only_what_needs_no_clock_is_still_said(case: Case, state: State) -> None:
    verdict = case.ask()
    found = clock.doubted(verdict, WRONG)
    assert found.state is state
    if state is State.INVALID:
        assert found == verdict
    else:
        assert "timestamp" in failed(found)
        assert found.statement == msgspec.structs.replace(verdict).statement
