"""Media types of signed layers, and what an unverified bundle says of itself (only for sorting)."""

from __future__ import annotations

import base64
import re

import msgspec

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE_ENVELOPE = "application/vnd.dsse.envelope.v1+json"
COSIGN_SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
_BUNDLE = re.compile(r"application/vnd\.dev\.sigstore\.bundle(?:[.+].*)?\+json(?:;.*)?")
_OTHER_SIGNERS = ("sigstore.bundle", "simplesigning", "dsse", "signature", "jose+json", "cose")  # Notation: JWS, COSE


def is_bundle(media_type: str) -> bool:
    """Sigstore bundles v0.1 to v0.3, in either way their version is written."""
    return _BUNDLE.fullmatch(media_type) is not None


def is_signed(media_type: str) -> bool:
    """The three forms of cosign, and forms of other signers, so that verify can call these unsupported by name."""
    known = media_type in (SIMPLE_SIGNING, DSSE_ENVELOPE) or is_bundle(media_type)
    return known or any(word in media_type.lower() for word in _OTHER_SIGNERS)


class _Envelope(msgspec.Struct, rename="camel"):
    payload: str = ""


class _Bundle(msgspec.Struct, rename="camel"):
    message_signature: dict[str, msgspec.Raw] | None = None
    dsse_envelope: _Envelope | None = None


class _Statement(msgspec.Struct, rename="camel"):
    predicate_type: str = ""


def claims_to_sign_an_image(bundle: bytes) -> bool:
    """A bundle over raw bytes, or a statement of cosign's own predicate type. Unreadable ones claim nothing."""
    try:
        outer = msgspec.json.decode(bundle, type=_Bundle)
        if outer.message_signature is not None or outer.dsse_envelope is None:
            return outer.message_signature is not None
        statement = msgspec.json.decode(base64.b64decode(outer.dsse_envelope.payload), type=_Statement)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return statement.predicate_type == COSIGN_SIGNATURE
