"""Who is allowed to sign what."""

from __future__ import annotations

import datetime as dt

import msgspec


class Policy(msgspec.Struct, frozen=True):
    """Who may sign: whoever has one of these keys, or a certificate of this issuer and identity. Patterns are RE2.

    A stored policy (`whole_match`) matches the whole value; cosign's flags search anywhere.
    An exact value and a pattern given together must both hold.
    """

    name: str = ""
    version: int = 1
    issuer: str = ""
    issuer_regexp: str = ""
    identity: str = ""
    identity_regexp: str = ""
    key_pem: str = ""  # one `PUBLIC KEY` block, or several of which any may sign
    key_digest: str = ""  # "sha256", "sha384" or "sha512" when signatures with `key_pem` use another than the usual one
    not_before: dt.datetime | None = None  # of `key_pem`: it may have signed from here on,
    not_after: dt.datetime | None = None  # and until here
    workflow_trigger: str = ""
    workflow_sha: str = ""
    workflow_name: str = ""
    workflow_repository: str = ""
    workflow_ref: str = ""
    threshold: int = 1  # distinct signers, identities or keys, who must each be verified before the image is
    required_types: tuple[str, ...] = ()  # predicate types that must be attested of a complete image: see `required`
    annotations: tuple[tuple[str, str], ...] = ()
    require_log: bool = True
    require_sct: bool = True
    use_signed_timestamps: bool = True
    require_timestamp: bool = False  # by an RFC 3161 authority of the trust root
    max_age_s: int = 0  # seconds since signing after which `verified` becomes `verified-stale`; 0 = never
    whole_match: bool = True
