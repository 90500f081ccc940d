"""The checks of one signature, in the order of `CheckName`. Every check that can run does run.

A check answers (expected, found) when it passed, a sentence when it could not run, and raises Fault when it failed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes

from cgexplorer.oci.evidence import Form, Kind
from cgexplorer.verify import bundle, keys, log_binding, log_entry, signer, times, verdict
from cgexplorer.verify import certificate as certificates
from cgexplorer.verify import material as materials
from cgexplorer.verify import statement as statements
from cgexplorer.verify.errors import Fault, Malformed, UnusableKey
from cgexplorer.verify.keys import PublicKey
from cgexplorer.verify.material import Content, Material, OfferedEntry
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.request import Request, Trust
from cgexplorer.verify.timestamp import UnknownAuthority
from cgexplorer.verify.trust_root import Authority
from cgexplorer.verify.verdict import Check, CheckName, Outcome

type Answer = tuple[str, str] | str


@dataclass(slots=True)
class Examination:
    """Runs the checks and keeps what they learnt. `verifier` makes the verdict of it."""

    trust: Trust
    request: Request
    checks: dict[CheckName, Check] = field(default_factory=dict)
    faults: dict[CheckName, Fault] = field(default_factory=dict)
    material: Material | None = None
    described: verdict.Certificate | None = None
    key: PublicKey | None = None
    key_fault: Fault | None = None
    logged: list[tuple[OfferedEntry, log_binding.Logged]] = field(default_factory=list)
    log_entries: tuple[verdict.LogEntry, ...] = ()
    log_times: tuple[dt.datetime, ...] = ()
    token_times: tuple[dt.datetime, ...] = ()
    checked_at_now: bool = False  # the certificate, because no time of signing is proven and the policy needs none
    authority: Authority | None = None
    claims: statements.Claims | None = None
    identity: str = ""

    def run(self) -> None:
        self._run(CheckName.FORMAT, self._format)
        self._run(CheckName.POLICY, self._policy)
        if self.material is None:
            for name in CheckName:
                self.checks.setdefault(name, Check(name, Outcome.NOT_RUN, "", "the evidence could not be read"))
            return
        token_fault = self._read_tokens(self.material)
        self._run(CheckName.LOG_ENTRY, lambda: self._log_entry(self._material))
        self._find_key(self.material)
        self._run(CheckName.LOG_BINDING, lambda: self._log_binding(self._material))
        self._run(CheckName.TIMESTAMP, lambda: self._timestamp(self._material, token_fault))
        self._run(CheckName.CERTIFICATE_CHAIN, lambda: self._certificate_chain(self._material))
        self._run(CheckName.SCT, lambda: self._sct(self._material))
        self._run(CheckName.KEY_USAGE, lambda: self._key_usage(self._material))
        self._run(CheckName.ISSUER, self._issuer)
        self._run(CheckName.IDENTITY, self._identity)
        self._run(CheckName.WORKFLOW, self._workflow)
        self._run(CheckName.KEY_PERIOD, self._key_period)
        self._run(CheckName.SIGNATURE, lambda: self._signature(self._material))
        self._run(CheckName.TYPE, lambda: self._type(self._material))
        self._run(CheckName.SUBJECT, lambda: self._subject(self._material))
        self._run(CheckName.ANNOTATIONS, self._annotations)
        self._run(CheckName.THRESHOLD, self._threshold)

    def failed(self, name: CheckName) -> bool:
        return name in self.faults

    @property
    def times(self) -> tuple[dt.datetime, ...]:
        """Verified times of signing that the policy lets count."""
        counts = self.request.policy is None or self.request.policy.use_signed_timestamps
        return (*self.log_times, *(self.token_times if counts else ()))

    @property
    def _material(self) -> Material:
        assert self.material is not None  # noqa: S101  (`run` asks only once it is read)
        return self.material

    @property
    def _sane_policy(self) -> Policy | None:
        return None if self.failed(CheckName.POLICY) else self.request.policy

    def _run(self, name: CheckName, check: Callable[[], Answer]) -> None:
        try:
            answer = check()
        except Fault as fault:
            self.faults[name] = fault
            self.checks[name] = Check(name, Outcome.FAILED, fault.expected, fault.found)
            return
        if isinstance(answer, str):
            self.checks[name] = Check(name, Outcome.NOT_RUN, "", answer)
        else:
            self.checks[name] = Check(name, Outcome.PASSED, *answer)

    # 1: size and strict parse
    def _format(self) -> Answer:
        evidence = self.request.evidence
        if len(evidence.content) > materials.MAX_CONTENT_BYTES:
            raise Fault(f"at most {materials.MAX_CONTENT_BYTES} bytes", f"{len(evidence.content)} bytes")
        try:
            if evidence.form is Form.LEGACY:
                self.material = materials.read_legacy(evidence)
            else:
                sha256 = bytes.fromhex(self.request.digest.removeprefix("sha256:"))
                self.material = bundle.read(evidence.content, self.request.artifact, sha256)
            if self.material.certificate is not None:
                self.described = certificates.describe(self.material.certificate)
        except Malformed as error:
            raise Fault("evidence that can be read in one way only", str(error)) from None
        return "strict JSON, base64 and X.509", f"{self.material.content}, {len(evidence.content)} bytes"

    # 2: the policy itself
    def _policy(self) -> Answer:
        if self.request.policy is None:
            return "nobody has said who should sign"
        return "issuer and identity, or a key", signer.check_policy(self.request.policy)

    # 3: each log entry is in a log that we trust …
    def _log_entry(self, material: Material) -> Answer:
        root = self.trust.root
        if not material.entries:
            if self.request.needs_log:
                raise Fault("an entry in a transparency log", "none")
            return "none offered, and the policy does not ask for one"
        self.log_entries = tuple(log_entry.offered(item, root) for item in material.entries)
        if len({(item.log_id, item.index, item.body) for item in material.entries}) != len(material.entries):
            raise Fault("distinct log entries", "one of them twice")
        known = [item for item in material.entries if item.log_id in root.logs]
        if not known and not self.request.needs_log:
            return "its log is not in the trust root, and the policy does not ask for one"
        verified = [log_entry.check(item, root, self.token_times) for item in known or material.entries]
        self.log_entries = tuple(item.entry for item in verified)
        self.log_times = tuple(item.time for item in verified if item.time is not None)
        found = "; ".join(f"{item.log_name} #{item.log_index}: {item.proof}" for item in self.log_entries)
        return "a log of the trust root, with signed entry timestamp or inclusion proof", found

    # … and logs this signature, key and payload
    def _log_binding(self, material: Material) -> Answer:
        if not material.entries:
            return "no log entry"
        if not self._bound_entries(material):
            return "its log is not in the trust root, and the policy does not ask for one"
        for item in self._bound_entries(material):
            logged = log_binding.read(item)
            self.logged.append((item, logged))
            log_binding.check(item, logged, material, self._signer_der(material))
        kinds = ", ".join(item.kind for item, _ in self.logged)
        return "an entry for this signature, signer and payload", kinds

    def _bound_entries(self, material: Material) -> list[OfferedEntry]:
        known = [item for item in material.entries if item.log_id in self.trust.root.logs]
        return known or (list(material.entries) if self.request.needs_log else [])

    def _signer_der(self, material: Material) -> tuple[str, bytes]:
        if material.certificate_der:
            return log_binding.CERTIFICATE, material.certificate_der
        return log_binding.PUBLIC_KEY, self.key.der if self.key else b""

    def _find_key(self, material: Material) -> None:
        """The key to check the signature with: the certificate's, the logged one, or the policy's.

        A logged key that is not the policy's is used all the same, so that a good signature by somebody else is
        called that; the identity check then refuses it.
        """
        try:
            if material.certificate is not None:
                self.key = keys.of_certificate(material.certificate)
                return
            for item in self._bound_entries(material):
                logged = log_binding.read(item)
                if logged.label == log_binding.PUBLIC_KEY:
                    self.key = keys.from_der(logged.der, self._digest_algorithm)
                    return
            policy = self._sane_policy
            if policy is not None and policy.key_pem:
                allowed = signer.policy_keys(policy)
                mine = (key for key in allowed[1:] if self._made_by(key, material))
                self.key = allowed[0] if self._made_by(allowed[0], material) else next(mine, allowed[0])
        except UnusableKey as error:
            self.key_fault = Fault("a key of a kind in Sigstore's registry", str(error), unsupported=True)
        except Fault:
            return  # the log binding check says what is wrong with the entry

    @property
    def _digest_algorithm(self) -> hashes.HashAlgorithm | None:
        return signer.digest_algorithm(self._sane_policy)

    # 4: RFC 3161 timestamps; read first because a log without times of its own needs them
    def _read_tokens(self, material: Material) -> Fault | None:
        if len(set(material.timestamps)) != len(material.timestamps):
            return Fault("distinct timestamps", "one of them twice")
        found = []
        for token in material.timestamps:
            try:
                found.append(self.trust.timestamp_authorities.check(token, material.timestamped))
            except UnknownAuthority:
                continue  # as entries of unknown logs: nobody vouches for it, and anybody could have left it out
            except Fault as fault:
                return fault
        self.token_times = tuple(found)
        return None

    def _timestamp(self, material: Material, token_fault: Fault | None) -> Answer:
        if token_fault is not None:
            raise token_fault
        policy = self.request.policy
        if policy is not None and policy.require_timestamp and not self.token_times:
            found = "only by others" if material.timestamps else "none"
            raise Fault("a timestamp by an authority of the trust root", found)
        if not self.times:
            if material.certificate is None:
                return "no time is known; a key has no end of its own"
            if self.failed(CheckName.LOG_ENTRY):
                return "no time is known, because the log entry does not hold"
            if material.timestamps and not self.token_times:
                raise Fault("a timestamp by an authority of the trust root", "only by others")
            if not self.request.needs_log:
                return "no time of signing is proven, and the policy does not ask for a log"
            raise Fault("a verified time of signing", "neither a signed entry timestamp nor a timestamp")
        times.check_clock(self.times, self.request.now)
        return "a verified time of signing", f"{max(self.times):%Y-%m-%d %H:%M:%S} UTC from {self.time_source}"

    @property
    def time_source(self) -> str:
        sources = [
            *(["transparency log"] if self.log_times else []),
            *(["timestamp authority"] if len(self.times) > len(self.log_times) else []),
        ]
        return " and ".join(sources)

    # 5: certificate chain at every verified time
    def _certificate_chain(self, material: Material) -> Answer:
        if material.certificate is None:
            return "signed with a key, without certificate"
        unproven = not self.times and self.checks[CheckName.TIMESTAMP].outcome is Outcome.NOT_RUN
        if not self.times and (self.failed(CheckName.LOG_ENTRY) or not unproven):
            return "no verified time to check it at"
        # Without a log and without a timestamp cosign looks at the certificate as it is today; so do we, and say so.
        self.checked_at_now = unproven
        self.authority = self.trust.authorities.chain(material.certificate, self.times or (self.request.now,))
        name = self.authority.name or self.authority.chain[0].subject.rfc4514_string()
        if unproven:
            return "a chain to a CA of the trust root, valid now", f"{name}, at {times.at(self.request.now)}"
        return "a chain to a CA of the trust root, valid at the time of signing", name

    # 6: certificate transparency
    def _sct(self, material: Material) -> Answer:
        if material.certificate is None:
            return "signed with a key, without certificate"
        if self.request.policy is not None and not self.request.policy.require_sct:
            return "the policy does not ask for it"
        if self.authority is None:
            return "no issuer is known, because the chain does not hold"
        found = certificates.check_sct(material.certificate, self.authority, self.trust.root)
        return "a CT log of the trust root has promised to log the certificate", found

    # 7: key usage, extended key usage, strength
    def _key_usage(self, material: Material) -> Answer:
        if self.key_fault is not None:
            raise self.key_fault
        if material.certificate is None:
            return ("a key of a known kind", self.key.kind) if self.key else "no key is known"
        usage = certificates.check_usage(material.certificate)
        return "a certificate for code signing, a key of a known kind", f"{usage}; {self.key.kind if self.key else ''}"

    # 8: issuer, identity, workflow claims
    def _issuer(self) -> Answer:
        if self.described is None:
            return "signed with a key, without certificate"
        policy = self._sane_policy
        keyless = policy if policy is not None and not policy.key_pem else None
        found = signer.check_issuer(self.described, keyless)
        if keyless is None:
            return "no policy names an issuer"
        return keyless.issuer or f"/{keyless.issuer_regexp}/", found

    def _identity(self) -> Answer:
        policy, key = self._sane_policy, self.key
        if self.described is not None:
            self.identity = self.described.subjects[0] if self.described.subjects else ""
        elif key is not None:
            self.identity = f"key sha256:{key.fingerprint}"
        if policy is None:
            return "no policy to compare with"
        if policy.key_pem:
            allowed = [f"key sha256:{one.fingerprint}" for one in signer.policy_keys(policy)]
            expected = " or ".join(allowed)
            # A certificate is never one of the keys, whatever name an authority has put into it.
            if self.described is not None or self.identity not in allowed:
                raise Fault(expected, self.identity or "no key", decisive=not self.identity)
            return expected, self.identity
        if self.described is None:
            wanted = policy.identity or f"/{policy.identity_regexp}/"
            raise Fault(wanted, self.identity or "neither certificate nor key", decisive=not self.identity)
        self.identity = signer.check_identity(self.described, policy)
        return policy.identity or f"/{policy.identity_regexp}/", self.identity

    def _workflow(self) -> Answer:
        policy = self._sane_policy
        if policy is None or not signer.asks_for_workflow(policy):
            return "no policy asks for workflow claims"
        if self.described is None:
            raise Fault("workflow claims", "no certificate")
        found = signer.check_workflow(self.described, policy)
        return found, found

    def _key_period(self) -> Answer:
        policy = self._sane_policy
        if policy is None or not (policy.not_before or policy.not_after):
            return "no policy says when its key may sign"
        return times.check_period(policy, self.times)

    # 9: signature
    def _signature(self, material: Material) -> Answer:
        if self.key is None:
            return "no key is known to check it with"
        if material.claimed_sha256 is not None and material.claimed_sha256 != material.message_sha256:
            raise Fault(
                f"message digest {material.message_sha256.hex()[:16]}…", material.claimed_sha256.hex()[:16] + "…"
            )
        good, bare = self._made_by(self.key, material), self._has_digest_only(material)
        if not good and bare and not self.key.can_tell_by_sha256:
            raise Fault(f"the artifact itself, for a {self.key.kind} key", "its SHA-256 only", unsupported=True)
        if not good:
            raise Fault(
                f"a signature over the {material.content} by this {self.key.kind} key", "one that does not verify"
            )
        return f"a signature over the {material.content}", f"{self.key.kind} signature"

    def _made_by(self, key: PublicKey, material: Material) -> bool:
        if self._has_digest_only(material):
            return key.signed_digest(material.signature, material.message_sha256)
        return key.signed(material.signature, material.message)

    def _has_digest_only(self, material: Material) -> bool:
        return material.content is Content.MESSAGE and self.request.artifact is None

    # 10: claims
    def _type(self, material: Material) -> Answer:
        request = self.request
        if request.lone_bundle and material.content is Content.MESSAGE:
            return "an artifact or a statement", "artifact"
        self.claims = statements.read(material, request.digest)
        found, wanted = self.claims.statement.predicate_type, request.predicate_type
        if wanted is not None and found != wanted:
            raise Fault(f"predicate type {wanted}", found or "a simple-signing payload")
        if request.lone_bundle:
            return "an artifact or a statement", found
        if request.evidence.kind is Kind.SIGNATURE and self.claims.kind is not Kind.SIGNATURE:
            raise Fault(f"an image signature (simple signing, or predicate type {statements.SIGN})", found)
        if request.evidence.kind is Kind.ATTESTATION and self.claims.kind is not Kind.ATTESTATION:
            raise Fault("an attestation", found or "a simple-signing payload")
        return wanted or f"an {'image signature' if self.claims.kind is Kind.SIGNATURE else 'attestation'}", (
            found or "simple signing"
        )

    def _subject(self, material: Material) -> Answer:
        digest = self.request.digest
        if self.request.lone_bundle and material.content is Content.MESSAGE:
            return digest, "sha256:" + material.message_sha256.hex()
        if self.claims is None:
            return "the payload could not be read"
        subjects = self.claims.statement.subjects
        if digest not in subjects:
            more = f" and {len(subjects) - 1} more" if len(subjects) > 1 else ""
            raise Fault(digest, f"{subjects[0][:80]}{more}" if subjects else "no sha256 subject")
        return digest, digest

    def _annotations(self) -> Answer:
        policy = self._sane_policy
        if policy is None or not policy.annotations:
            return "no policy asks for annotations"
        if self.claims is None:
            return "the payload could not be read"
        for name, value in policy.annotations:
            found = self.claims.annotations.get(name)
            if found != value:
                raise Fault(f"{name}={value}", f"no {name}" if found is None else f"{name}={found[:80]}")
        pairs = ", ".join(f"{name}={value}" for name, value in policy.annotations)
        return pairs, pairs

    def _threshold(self) -> Answer:
        policy = self._sane_policy
        if policy is None or policy.threshold <= 1:
            return "no policy asks for several signers"
        return "counted over the image's signatures that hold"  # by `threshold.applied`, which sees them all
