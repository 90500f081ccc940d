"""Signed material of one digest, from both of cosign's storage places. Nothing here is believed yet."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from cgexplorer.oci import digest as digests


class Form(StrEnum):
    LEGACY = "legacy"  # a layer of the tag sha256-<hex>.sig or .att, its proof in annotations
    BUNDLE = "bundle"  # a Sigstore bundle, attached as a referrer


class Kind(StrEnum):
    SIGNATURE = "signature"
    ATTESTATION = "attestation"


class Evidence(msgspec.Struct, frozen=True):
    """One stored signature or attestation, exactly as the source holds it."""

    subject: str  # digest of the manifest that it is stored beside (a claim of the storage, not yet of the signer)
    form: Form
    kind: Kind  # as stored: .sig or .att; for bundles as the unverified predicate type says
    manifest: str  # digest of the manifest that carries it, "" for a lone file
    media_type: str  # of the layer
    content: bytes  # the layer: simple-signing payload, DSSE envelope, or bundle
    annotations: dict[str, str] = {}  # of the layer descriptor

    @property
    def layer(self) -> str:
        return digests.of(self.content)


class Problem(msgspec.Struct, frozen=True):
    """Something that could not be read, by name, so that `unsigned` is never said without proof."""

    place: str  # "referrers", "sha256-….sig", a digest
    reason: str


class Discovery(msgspec.Struct, frozen=True):
    """All that was found for one digest. With `problems`, absence proves nothing."""

    subject: str
    evidence: tuple[Evidence, ...] = ()
    problems: tuple[Problem, ...] = ()
