"""Every check stands alone before some attack: with it nothing else fails, without it the attack is verified.

Each attack is properly signed and logged by a throwaway Sigstore, so no other check can take the credit.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cgexplorer.verify import threshold
from cgexplorer.verify.checks import Examination
from cgexplorer.verify.verdict import Check, CheckName, Outcome, State
from tests.verify import attacks_claims, attacks_log, attacks_signer, attacks_threshold
from tests.verify.world import ALICE, DIGEST, SIGSTORE, Case, failed

ATTACKS = [*attacks_log.ATTACKS, *attacks_signer.ATTACKS, *attacks_claims.ATTACKS, *attacks_threshold.ATTACKS]
IDS = [f"{check}: {name}" for check, name, _ in ATTACKS]


@pytest.mark.parametrize(("check", "make"), [(check, make) for check, _, make in ATTACKS], ids=IDS)
def test_only_this_check_stops_the_attack(check: CheckName, make: Callable[[], Case]) -> None:
    verdict = make().ask()
    assert failed(verdict) == {check.value}
    assert verdict.state not in {State.VERIFIED, State.VERIFIED_STALE, State.NO_POLICY}


@pytest.mark.parametrize(("check", "make"), [(check, make) for check, _, make in ATTACKS], ids=IDS)
def test_without_this_check_the_attack_succeeds(
    check: CheckName, make: Callable[[], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = Examination._run

    def lenient(self: Examination, name: CheckName, ask: Callable[[], object]) -> None:
        ordinary(self, name, ask)  # type: ignore[arg-type]
        if name is check:
            self.faults.pop(name, None)
            self.checks[name] = Check(name, Outcome.PASSED, "", "")

    monkeypatch.setattr(Examination, "_run", lenient)
    if check is CheckName.THRESHOLD:
        monkeypatch.setattr(threshold, "applied", lambda verdicts, policy: tuple(verdicts))
    assert make().ask().state is State.VERIFIED


def test_every_check_is_attacked() -> None:
    assert {check for check, _, _ in ATTACKS} == set(CheckName) - {CheckName.FORMAT}


def test_the_honest_case_passes() -> None:
    assert Case(SIGSTORE.signature(DIGEST, ALICE)).ask().state is State.VERIFIED
