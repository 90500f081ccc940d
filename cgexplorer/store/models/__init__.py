"""The schema. One module per stage of the data's journey; `record` writes it, `queries` reads it."""

from cgexplorer.store.models.activity import Activity
from cgexplorer.store.models.credential import RegistryCredential
from cgexplorer.store.models.drift import Acknowledgement, DriftEvent
from cgexplorer.store.models.evidence import (
    Attestation,
    ClockAcceptance,
    Evidence,
    Payload,
    Signature,
    VerdictRow,
    VerificationRun,
)
from cgexplorer.store.models.follow import Follow, Sync, SyncItem
from cgexplorer.store.models.image import Image, IndexEntry, Manifest, Registry, Tag, TagMove
from cgexplorer.store.models.package import Component, ComponentCpe, License, Package, PackageImage
from cgexplorer.store.models.policy import PolicyRow, TrustRoot, TrustUpdate
from cgexplorer.store.models.saved_search import SavedAnswer, SavedSearch
from cgexplorer.store.models.sbom import Sbom, SbomDetail, SbomGraph, SbomPackages
from cgexplorer.store.models.universe import UniverseChange, UniverseDigest, UniverseImage
from cgexplorer.store.models.webhook import Webhook, WebhookDelivery

__all__ = [
    "Acknowledgement",
    "Activity",
    "Attestation",
    "ClockAcceptance",
    "Component",
    "ComponentCpe",
    "DriftEvent",
    "Evidence",
    "Follow",
    "Image",
    "IndexEntry",
    "License",
    "Manifest",
    "Package",
    "PackageImage",
    "Payload",
    "PolicyRow",
    "Registry",
    "RegistryCredential",
    "SavedAnswer",
    "SavedSearch",
    "Sbom",
    "SbomDetail",
    "SbomGraph",
    "SbomPackages",
    "Signature",
    "Sync",
    "SyncItem",
    "Tag",
    "TagMove",
    "TrustRoot",
    "TrustUpdate",
    "UniverseChange",
    "UniverseDigest",
    "UniverseImage",
    "VerdictRow",
    "VerificationRun",
    "Webhook",
    "WebhookDelivery",
]
