"""The verifiers that judge one image: its policies, each with the trust root that it names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from cgexplorer.oci.evidence import Evidence
from cgexplorer.store.models import PolicyRow
from cgexplorer.store.queries import payloads
from cgexplorer.store.queries.clock import passed
from cgexplorer.store.queries.trust import policies_for
from cgexplorer.store.record import trust_roots
from cgexplorer.verify import clock, summary
from cgexplorer.verify import trust_root as roots
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.verdict import State, Verdict
from cgexplorer.verify.verifier import Verifier

_MAX_REASON_CHARACTERS = 500


class Tried(msgspec.Struct, frozen=True):
    """A policy that names the image too, but did not decide."""

    policy: str
    version: int
    state: State
    reason: str


class Judgement(msgspec.Struct, frozen=True):
    """What is said of one piece of evidence."""

    verdict: Verdict
    policy_id: int | None  # that decided; None without any policy
    tried: tuple[Tried, ...] = ()


class Judges:
    """Policies and roots as they are now. `root_id` is the trust root of the first, for the run's record."""

    def __init__(self, image_name: str, now: dt.datetime) -> None:
        self._wrong_clock = clock.doubt(passed(), now)
        public_good = trust_roots.public_good(now)
        rows = policies_for(image_name)
        self.root_id = (rows[0].trust_root_id if rows else None) or public_good.pk
        self._judges: list[tuple[Verifier, Policy | None, int | None]] = [
            (_verifier(payloads.content((row.trust_root or public_good).payload)), as_policy(row), row.pk)
            for row in rows
        ] or [(_verifier(payloads.content(public_good.payload)), None, None)]

    def judge(self, evidence: Sequence[Evidence], digest: str, now: dt.datetime) -> tuple[Judgement, ...]:
        """On each piece of one image's evidence the best verdict, the policy that decided, and what the others said."""
        asked = [
            (self._timely(verifier.verify_image(evidence, digest, policy, now=now)), policy_id)
            for verifier, policy, policy_id in self._judges
        ]
        return tuple(
            _judgement([(verdicts[place], policy_id) for verdicts, policy_id in asked])
            for place in range(len(evidence))
        )

    def _timely(self, verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
        wrong = self._wrong_clock
        return verdicts if wrong is None else tuple(clock.doubted(verdict, wrong) for verdict in verdicts)


def _judgement(verdicts: list[tuple[Verdict, int | None]]) -> Judgement:
    decisive = summary.best([verdict for verdict, _ in verdicts])
    policy_id = next(policy_id for verdict, policy_id in verdicts if verdict is decisive)
    return Judgement(decisive, policy_id, tuple(_tried(verdict) for verdict, _ in verdicts if verdict is not decisive))


def _tried(verdict: Verdict) -> Tried:
    reason = verdict.reason[: _MAX_REASON_CHARACTERS - 1] + "…" * (len(verdict.reason) >= _MAX_REASON_CHARACTERS)
    return Tried(verdict.policy, verdict.policy_version, verdict.state, reason)


def as_policy(row: PolicyRow) -> Policy:
    return Policy(
        name=row.name,
        version=row.version,
        issuer=row.issuer,
        issuer_regexp=row.issuer_regexp,
        identity=row.identity,
        identity_regexp=row.identity_regexp,
        key_pem=row.key_pem,
        key_digest=row.key_digest,
        not_before=row.not_before,
        not_after=row.not_after,
        workflow_trigger=row.workflow_trigger,
        workflow_sha=row.workflow_sha,
        workflow_name=row.workflow_name,
        workflow_repository=row.workflow_repository,
        workflow_ref=row.workflow_ref,
        threshold=row.threshold,
        required_types=tuple(row.required_types),
        annotations=tuple(sorted(row.annotations.items())),
        require_log=row.require_log,
        require_sct=row.require_sct,
        use_signed_timestamps=row.use_signed_timestamps,
        require_timestamp=row.require_timestamp,
        max_age_s=row.max_age_s,
    )


@lru_cache(maxsize=32)
def _verifier(root: bytes) -> Verifier:
    """Parsing a root costs more than a verification: kept by its bytes."""
    return Verifier(roots.load(root))
