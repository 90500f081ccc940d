"""Attestations of a digest, and what may be shown of each."""

from __future__ import annotations

from typing import Any

import msgspec
from django.db.models import Case, IntegerField, QuerySet, Value, When

from cgexplorer.oci.evidence import Form
from cgexplorer.store.models import Attestation, Evidence, Manifest
from cgexplorer.store.queries import payloads
from cgexplorer.verify.verdict import State

# The signature holds, and somebody is known to have made it. Whether he may is another question.
SIGNED = (State.VERIFIED, State.VERIFIED_STALE, State.NO_POLICY, State.SIGNER_NOT_ALLOWED)


class Header(msgspec.Struct, frozen=True):
    """What an in-toto statement says before its predicate."""

    statement_type: str = msgspec.field(name="_type", default="")
    predicate_type: str = msgspec.field(name="predicateType", default="")
    subject: list[Any] = []


def attestations(manifest: Manifest) -> QuerySet[Attestation]:
    """By predicate type; of one type the most trusted and newest first."""
    order = Case(
        *(When(state=state, then=Value(place)) for place, state in enumerate(SIGNED)),
        default=Value(len(SIGNED)),
        output_field=IntegerField(),
    )
    return (
        Attestation.objects.filter(manifest=manifest)
        .select_related("payload", "content", "verdict__policy", "sbom")
        .order_by("predicate_type", order, "-pk")
    )


def attestation(manifest: Manifest, types: tuple[str, ...]) -> Attestation | None:
    """The most trusted one of these predicate types."""
    found = attestations(manifest).filter(predicate_type__in=types)
    return min(found, key=lambda one: _place(one.state), default=None)


def _place(state: str) -> int:
    return SIGNED.index(State(state)) if state in SIGNED else len(SIGNED)


def may_be_read(evidence: Evidence) -> bool:
    """Contents are parsed only when the signature holds; a broken one is bytes by nobody."""
    return evidence.payload is not None and evidence.state in SIGNED


def header(evidence: Evidence) -> Header | None:
    if not may_be_read(evidence) or evidence.payload is None:
        return None
    try:
        return msgspec.json.decode(payloads.content(evidence.payload), type=Header)
    except msgspec.DecodeError:
        return None


class _Bundle(msgspec.Struct):
    envelope: msgspec.Raw = msgspec.field(name="dsseEnvelope", default=msgspec.Raw(b""))


def envelope(evidence: Evidence) -> bytes:
    """The DSSE envelope: the stored layer itself, or the slice of it in a bundle; b"" when there is none."""
    stored = payloads.content(evidence.content)
    if evidence.form == Form.LEGACY:
        return stored
    try:
        return bytes(msgspec.json.decode(stored, type=_Bundle).envelope)
    except msgspec.DecodeError:
        return b""


def bundle(evidence: Evidence) -> bytes:
    """The Sigstore bundle as stored; b"" for the legacy form, which keeps its proof in annotations."""
    return payloads.content(evidence.content) if evidence.form == Form.BUNDLE else b""
