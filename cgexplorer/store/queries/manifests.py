"""One digest: what it is part of, what is known of it, and what came before it."""

from __future__ import annotations

import msgspec
from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.http import Http404

from cgexplorer import predicates
from cgexplorer.oci.evidence import Kind
from cgexplorer.oci.manifest import UNKNOWN_PLATFORM
from cgexplorer.store.models import Evidence, IndexEntry, Manifest, Sbom, Tag, VerificationRun
from cgexplorer.verify.verdict import State


class Sibling(msgspec.Struct, frozen=True):
    """Another manifest of the same index, for the platform switch."""

    platform: str
    digest: str
    is_here: bool


class Subject(msgspec.Struct, frozen=True):
    """What stands above every page of one digest."""

    manifest: Manifest
    index_digest: str  # "" when it belongs to none, or is one
    siblings: tuple[Sibling, ...]
    tags: tuple[str, ...]  # pointing here, or to its index


def manifest(name: str, digest: str) -> Manifest:
    """Raises Http404 with a sentence."""
    stored = Manifest.objects.select_related("image", "run__trust_root", "payload", "config")
    found = stored.filter(image__name=name, digest=digest).first()
    if found is None:
        raise Http404(f"No digest {digest} of {name} is stored.")
    return found


def tagged(image_id: int | None = None) -> QuerySet[Manifest]:
    """What a tag (of this image) points to now and its platforms, as far as there is evidence to be judged anew."""
    tags = Tag.objects.all() if image_id is None else Tag.objects.filter(image=image_id)
    pointed = tags.values("manifest")
    children = IndexEntry.objects.filter(index__in=pointed).values("manifest")
    found = Manifest.objects.filter(Q(pk__in=pointed) | Q(pk__in=children))
    return found.filter(Exists(Evidence.objects.filter(manifest=OuterRef("pk")))).select_related("image").order_by("pk")


def subject(manifest: Manifest) -> Subject:
    parent = IndexEntry.objects.filter(manifest=manifest).select_related("index").order_by("-index_id").first()
    index = manifest if manifest.is_index else parent.index if parent else None
    siblings = () if index is None else _siblings(index, manifest)
    pointed = [manifest.pk, *([index.pk] if index else [])]
    tags = Tag.objects.filter(manifest__in=pointed).order_by("-moved_at", "name").values_list("name", flat=True)
    return Subject(manifest, index.digest if index and index.pk != manifest.pk else "", siblings, tuple(tags))


def _siblings(index: Manifest, here: Manifest) -> tuple[Sibling, ...]:
    entries = IndexEntry.objects.filter(index=index).exclude(platform=UNKNOWN_PLATFORM).select_related("manifest")
    return tuple(
        Sibling(entry.platform, entry.manifest.digest, entry.manifest_id == here.pk)
        for entry in entries.order_by("position")
    )


def sbom(manifest: Manifest, form: str = "") -> Sbom | None:
    """The SBOM that pages show: of those stored, a verified one first, then an indexed one, SPDX, the newest.

    With `form` only a document that is CycloneDX ("cyclonedx"), or that is not ("spdx").
    """
    verified = Case(When(evidence__state="verified", then=Value(0)), default=Value(1), output_field=IntegerField())
    return (
        _of_form(Sbom.objects.filter(manifest=manifest), form)
        .select_related("evidence")  # never the document itself: it may have 70 MB
        .order_by(verified, "-indexed", "-format", "-pk")
        .first()
    )


def _of_form(sboms: QuerySet[Sbom], form: str) -> QuerySet[Sbom]:
    if form == "cyclonedx":
        return sboms.filter(format=form)
    return sboms.exclude(format="cyclonedx") if form else sboms


def evidence(manifest: Manifest) -> QuerySet[Evidence]:
    """Signatures first, then attestations by type."""
    return (
        Evidence.objects.filter(manifest=manifest)
        .select_related("verdict__policy")
        .order_by("-kind", "predicate_type", "pk")
    )


def newest_run(manifest: Manifest) -> VerificationRun | None:
    return manifest.runs.select_related("trust_root").order_by("-pk").first()


def attestation_manifests(index: Manifest) -> list[Manifest]:
    """What BuildKit put into the index beside the images."""
    entries = IndexEntry.objects.filter(index=index, platform=UNKNOWN_PLATFORM).select_related("manifest__run")
    return [entry.manifest for entry in entries.order_by("position")]


def before(manifest: Manifest) -> Manifest | None:
    """The build of the same platform of this image that was made last before this one, its SBOM verified."""
    if manifest.created_at is None:
        return None
    return (
        Manifest.objects.filter(
            image=manifest.image_id, platform=manifest.platform, is_index=False, created_at__lt=manifest.created_at
        )
        .filter(sboms__evidence__state=State.VERIFIED)
        .select_related("image", "config")
        .order_by("-created_at", "-pk")
        .first()
    )


def tag_of(manifest: Manifest) -> str:
    """A tag that points here or to an index of it; the shortest digest when none does."""
    tags = subject(manifest).tags
    return tags[0] if tags else manifest.digest[7:19]


def attested_states(found: list[Evidence]) -> dict[str, str]:
    """Label of each predicate type to its best state, for the cards."""
    states: dict[str, str] = {}
    for one in found:
        if one.kind == Kind.ATTESTATION:
            label = predicates.label(one.predicate_type)
            if states.get(label) != "verified":
                states[label] = one.state
    return states
