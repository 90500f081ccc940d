"""The signed claim: an in-toto statement, or cosign's simple-signing payload.

Sources: in-toto attestation framework v0.1 and v1; containers/image `containers-signature.5` as cosign writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from cgexplorer.oci import digest as digests
from cgexplorer.oci.evidence import Kind
from cgexplorer.verify import strict, verdict
from cgexplorer.verify.errors import Fault, Malformed
from cgexplorer.verify.material import SIMPLE_SIGNING, Content, Material

INTOTO = "application/vnd.in-toto+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"  # predicate type of an image signature made by cosign 3
STATEMENT_TYPES = frozenset({"https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"})
CRITICAL_TYPE = "cosign container image signature"
MAX_SUBJECTS = 1024
MAX_DIGESTS = 32  # of one subject


@dataclass(frozen=True, slots=True)
class Claims:
    """A payload that could be read. `annotations` are the key=value pairs that the signer gave this image."""

    kind: Kind
    statement: verdict.Statement
    annotations: dict[str, str]


class _Sliced(msgspec.Struct):
    predicate: msgspec.Raw = msgspec.Raw(b"")


def read(material: Material, digest: str) -> Claims:
    """What is claimed; annotations only of the image with this digest.

    Raises Fault when the payload is not what a signature or an attestation signs.
    """
    try:
        if material.content is Content.SIMPLE_SIGNING:
            return _simple_signing(material.payload)
        if material.content is Content.DSSE:
            return _statement(material, digest)
    except Malformed as error:
        raise Fault("a payload that can be read in one way only", str(error)) from None
    found = "a signature over bare bytes"
    raise Fault("an in-toto statement or a simple-signing payload", found, unsupported=True)


def _simple_signing(payload: bytes) -> Claims:
    what = "the simple-signing payload"
    wire = strict.json_object(payload, what)
    critical = _member(wire, "critical", what)
    identity, image = _member(critical, "identity", what), _member(critical, "image", what)
    if critical.get("type") != CRITICAL_TYPE:
        raise Fault(f"critical.type {CRITICAL_TYPE!r}", repr(critical.get("type"))[:80])
    if not isinstance(identity.get("docker-reference"), str) or not identity["docker-reference"]:
        raise Fault("a docker-reference in the payload", "none")
    digest = image.get("docker-manifest-digest")
    if not isinstance(digest, str) or not digests.is_digest(digest):
        raise Fault("a docker-manifest-digest in the payload", "none")
    optional = wire.get("optional") or {}
    if not isinstance(optional, dict):
        raise Malformed(f"{what} has options that are no object")
    statement = verdict.Statement(payload, SIMPLE_SIGNING, "", "", (digest,), b"")
    return Claims(Kind.SIGNATURE, statement, {k: v for k, v in optional.items() if isinstance(v, str)})


def _statement(material: Material, wanted: str) -> Claims:
    if material.payload_type != INTOTO:
        raise Fault(f"payload type {INTOTO}", repr(material.payload_type[:80]))
    what = "the statement"
    wire = strict.json_object(material.payload, what)
    statement_type, predicate_type, subjects = wire.get("_type"), wire.get("predicateType"), wire.get("subject")
    if not isinstance(statement_type, str) or statement_type not in STATEMENT_TYPES:
        raise Fault("an in-toto statement v0.1 or v1", f"_type {str(statement_type)[:80]!r}")
    if not isinstance(predicate_type, str) or not predicate_type or not predicate_type.isprintable():
        raise Fault("a predicate type", "none")
    if not isinstance(subjects, list) or not 0 < len(subjects) <= MAX_SUBJECTS:
        raise Fault(f"1 to {MAX_SUBJECTS} subjects", f"{len(subjects)}" if isinstance(subjects, list) else "none")
    signed: list[str] = []
    annotations: dict[str, str] = {}
    for subject in subjects:
        values = subject.get("digest") if isinstance(subject, dict) else None
        if not isinstance(values, dict) or len(values) > MAX_DIGESTS:
            raise Fault(f"subjects with at most {MAX_DIGESTS} digests", "one without or with more")
        strict.refuse_twins(subject, "a subject")
        strict.refuse_twins(values, "a subject's digests")
        digest = f"sha256:{values.get('sha256')}"
        if digests.is_digest(digest):
            signed.append(digest)
        notes = subject.get("annotations")
        if isinstance(notes, dict) and digest == wanted:  # what is said of another image is not said of this one
            annotations |= {k: v for k, v in notes.items() if isinstance(v, str)}
    try:
        predicate = bytes(msgspec.json.decode(material.payload, type=_Sliced).predicate)
    except msgspec.DecodeError as error:
        raise Malformed(f"{what} cannot be read: {error}") from None
    return Claims(
        Kind.SIGNATURE if predicate_type == SIGN else Kind.ATTESTATION,
        verdict.Statement(
            material.payload, material.payload_type, statement_type, predicate_type, tuple(signed), predicate
        ),
        annotations,
    )


def _member(value: dict[str, Any], name: str, what: str) -> dict[str, Any]:
    member = value.get(name)
    if not isinstance(member, dict):
        raise Fault("cosign's simple-signing payload", f"no {name} in it")
    strict.refuse_twins(member, what)
    return member
