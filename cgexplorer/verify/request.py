"""What a verifier is asked, and what it trusts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import msgspec

from cgexplorer.oci.evidence import Evidence
from cgexplorer.verify import certificate as certificates
from cgexplorer.verify.policy import Policy
from cgexplorer.verify.timestamp import TimestampAuthorities
from cgexplorer.verify.trust_root import TrustRoot


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust root made ready: shared by all threads, never changed."""

    root: TrustRoot
    authorities: certificates.Authorities
    timestamp_authorities: TimestampAuthorities


class Request(msgspec.Struct, frozen=True):
    """One question: does this evidence hold for this digest, and is its signer allowed?"""

    evidence: Evidence
    digest: str
    policy: Policy | None
    predicate_type: str | None
    now: dt.datetime
    lone_bundle: bool = False  # a bundle over any artifact, not one stored beside an image
    artifact: bytes | None = None  # its bytes, when at hand; `digest` is theirs

    @property
    def needs_log(self) -> bool:
        return self.policy is None or self.policy.require_log
