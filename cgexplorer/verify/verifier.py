"""The only maker of verdicts. Offline: it looks at the evidence, the trust root, the policy and the clock it is given.

    verifier = Verifier(trust_root.public_good())
    verdict = verifier.verify(evidence, "sha256:…", policy, now=datetime.now(UTC))

Order of checks and what each must refuse: `CheckName` and `checks`. Sources: sigstore "client specification", cosign.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from cgexplorer.oci import digest as digests
from cgexplorer.oci.evidence import Evidence, Form, Kind
from cgexplorer.verify import certificate as certificates
from cgexplorer.verify import summary, threshold
from cgexplorer.verify.checks import Examination
from cgexplorer.verify.errors import Fault, VerifyError
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.request import Request, Trust
from cgexplorer.verify.times import ClockFault
from cgexplorer.verify.timestamp import TimestampAuthorities
from cgexplorer.verify.trust_root import TrustRoot
from cgexplorer.verify.verdict import Check, CheckName, Outcome, State, Verdict

_ABOUT_SIGNER = frozenset(
    {CheckName.ISSUER, CheckName.IDENTITY, CheckName.WORKFLOW, CheckName.KEY_PERIOD, CheckName.THRESHOLD}
)
_PROVEN = tuple(  # what must hold before anybody reads the statement
    name for name in CheckName if name not in _ABOUT_SIGNER | {CheckName.POLICY, CheckName.ANNOTATIONS}
)


class Verifier:
    """Verifies under one trust root. Reusable and safe to share between threads."""

    def __init__(self, root: TrustRoot) -> None:
        self.root = root
        self._trust = Trust(root, certificates.Authorities(root), TimestampAuthorities(root.timestamp_authorities))

    def verify(
        self,
        evidence: Evidence,
        digest: str,
        policy: Policy | None,
        *,
        predicate_type: str | None = None,
        now: dt.datetime,
    ) -> Verdict:
        """Verdict on one stored signature or attestation of the image with this digest.

        Without policy all that is not about the signer is checked and the best state is `no-policy`. An attestation
        without `predicate_type` may have any but cosign's own signature type. Hostile bytes give a verdict, never an
        exception; only a digest that is none raises VerifyError.
        """
        if not digests.is_digest(digest):
            raise VerifyError(f"{digest[:80]!r} is not a sha256 digest.")
        # Alone it is one signer, whatever else may be stored: `verify_image` sees the others.
        return threshold.applied([self._answer(Request(evidence, digest, policy, predicate_type, now))], policy)[0]

    def verify_image(
        self, evidence: Sequence[Evidence], digest: str, policy: Policy | None, *, now: dt.datetime
    ) -> tuple[Verdict, ...]:
        """Verdicts on all that is stored beside one image, in the same order; together they may meet a threshold.

        Annotations are asked of image signatures only: cosign's verify-attestation cannot ask for them either.
        """
        if not digests.is_digest(digest):
            raise VerifyError(f"{digest[:80]!r} is not a sha256 digest.")
        return threshold.applied([self._stored(one, digest, policy, now) for one in evidence], policy)

    def _stored(self, evidence: Evidence, digest: str, policy: Policy | None, now: dt.datetime) -> Verdict:
        verdict = self._answer(Request(evidence, digest, policy, None, now))
        if policy is None or not policy.annotations or verdict.kind is not Kind.ATTESTATION:
            return verdict
        # The kind is that of the signed contents, or the verdict is bad without annotations too.
        return self._answer(Request(evidence, digest, msgspec.structs.replace(policy, annotations=()), None, now))

    def verify_any(
        self,
        evidence: Evidence,
        digest: str,
        policies: tuple[Policy, ...],
        *,
        predicate_type: str | None = None,
        now: dt.datetime,
    ) -> Verdict:
        """The best verdict under several policies; it names the one that decided. Without any: `no-policy` at best."""
        return summary.best(
            [
                self.verify(evidence, digest, policy, predicate_type=predicate_type, now=now)
                for policy in policies or (None,)
            ]
        )

    def verify_bundle(self, raw: bytes, artifact: bytes | str, policy: Policy | None, *, now: dt.datetime) -> Verdict:
        """Verdict on a lone bundle over an artifact: its bytes, or `sha256:<hex>` of them. As the conformance suite."""
        given = artifact if isinstance(artifact, bytes) else None
        digest = digests.of(artifact) if isinstance(artifact, bytes) else artifact
        if not digests.is_digest(digest):
            raise VerifyError(f"{digest[:80]!r} is not a sha256 digest.")
        evidence = Evidence(digest, Form.BUNDLE, Kind.SIGNATURE, "", "", raw)
        request = Request(evidence, digest, policy, None, now, lone_bundle=True, artifact=given)
        return threshold.applied([self._answer(request)], policy)[0]

    def _answer(self, request: Request) -> Verdict:
        examination = Examination(self._trust, request)
        try:
            examination.run()
            return _verdict(examination)
        except Exception as error:  # hostile bytes found a hole in a parser: invalid, and the hole has a name
            checks = [
                Check(CheckName.FORMAT, Outcome.FAILED, "evidence that can be read", f"{type(error).__name__}")
                if name is CheckName.FORMAT
                else Check(name, Outcome.NOT_RUN, "", "the evidence could not be read")
                for name in CheckName
            ]
            return Verdict(
                state=State.INVALID,
                reason=f"The evidence made a parser fail ({type(error).__name__}); it proves nothing.",
                checks=tuple(checks),
                form=request.evidence.form,
                kind=request.evidence.kind,
                policy=request.policy.name if request.policy else "",
                policy_version=request.policy.version if request.policy else 0,
                trusted_root_sha256=self.root.sha256,
            )


def _verdict(examination: Examination) -> Verdict:
    request, claims, described = examination.request, examination.claims, examination.described
    policy, material = request.policy, examination.material
    times = examination.log_times or examination.times
    signed_at = min(times) if times else None
    state, reason = _state(examination, signed_at)
    proven = not any(examination.failed(name) for name in _PROVEN) and claims is not None
    proven = proven and examination.checks[CheckName.SIGNATURE].outcome is Outcome.PASSED
    return Verdict(
        state=state,
        reason=reason,
        checks=tuple(examination.checks[name] for name in CheckName),
        form=request.evidence.form,
        kind=claims.kind if claims else request.evidence.kind,
        identity=examination.identity,
        issuer=described.issuer if described else "",
        key_sha256=examination.key.fingerprint if examination.key else "",
        signed_at=signed_at,
        time_source=examination.time_source if times else "",
        log_entries=examination.log_entries,
        certificate=described,
        payload_sha256=material.payload_sha256 if material else "",
        predicate_type=claims.statement.predicate_type if claims else "",
        policy=policy.name if policy else "",
        policy_version=policy.version if policy else 0,
        trusted_root_sha256=examination.trust.root.sha256,
        statement=claims.statement if claims and proven else None,
    )


def _state(examination: Examination, signed_at: dt.datetime | None) -> tuple[State, str]:
    """State and one sentence for a person. Worst news first: what is false, unknown, uncheckable, not allowed."""
    policy, faults = examination.request.policy, examination.faults
    false = [name for name, fault in faults.items() if _is_false(name, fault)]
    if false:
        name = min(false, key=list(CheckName).index)
        return State.INVALID, _sentence(f"The {name} check failed", faults[name])
    unknown = [fault for fault in faults.values() if fault.unsupported]
    if unknown:
        return State.UNSUPPORTED, _sentence("This verifier does not know the form", unknown[0])
    for name, fault in faults.items():
        if isinstance(fault, ClockFault):
            return State.COULD_NOT_CHECK, _sentence("The clock cannot be right", fault)
        if name is CheckName.POLICY:
            return State.COULD_NOT_CHECK, _sentence("The policy cannot be used", fault)
    if examination.checks[CheckName.SIGNATURE].outcome is Outcome.NOT_RUN:
        return State.COULD_NOT_CHECK, "It is signed with a key, and no policy names one to check it with."
    if faults:
        name = min(faults, key=list(CheckName).index)
        what = "its key might not sign then" if name is CheckName.KEY_PERIOD else "its signer is not the allowed one"
        return State.SIGNER_NOT_ALLOWED, _sentence(f"The signature is valid, but {what}", faults[name])
    signer = examination.identity or "an unnamed signer"
    if policy is None:
        return State.NO_POLICY, f"The signature of {signer} is valid, but no policy says who should sign."
    if policy.max_age_s:
        oldest = examination.request.now - dt.timedelta(seconds=policy.max_age_s)
        if signed_at is None or signed_at < oldest:
            when = f"on {signed_at:%Y-%m-%d}" if signed_at else "at an unknown time"
            return State.VERIFIED_STALE, f"Signed by {signer} {when}, longer ago than the policy allows."
    if examination.checked_at_now:
        unproven = "no time of signing is proven, so the certificate was checked as it is now"
        return State.VERIFIED, f"Signed by {signer}; {unproven}."
    return State.VERIFIED, f"Signed by {signer}."


def _is_false(name: CheckName, fault: Fault) -> bool:
    if fault.decisive:
        return True
    return not (fault.unsupported or isinstance(fault, ClockFault) or name in _ABOUT_SIGNER or name is CheckName.POLICY)


def _sentence(what: str, fault: Fault) -> str:
    return f"{what}: expected {fault.expected}, found {fault.found}."
