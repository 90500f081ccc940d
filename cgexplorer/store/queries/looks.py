"""What runs said, in the words of `drift`: the runs to hold against each other, and the parts of what a tag names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db.models import Q

from cgexplorer import compare as comparison
from cgexplorer.compare import Difference, Side
from cgexplorer.drift import INDEX, SIGNATURE, Look, Signed
from cgexplorer.oci.evidence import Kind
from cgexplorer.oci.manifest import UNKNOWN_PLATFORM
from cgexplorer.store.models import IndexEntry, Manifest, Sbom, Tag, VerdictRow, VerificationRun
from cgexplorer.store.queries import compare
from cgexplorer.verify.verdict import State

# Whose contents may be held against each other; of the others nobody knows that they are the image's.
_BELIEVED = (State.VERIFIED, State.VERIFIED_STALE, State.NO_POLICY)
COULD_CHECK = ~Q(state=State.COULD_NOT_CHECK)
COMPLETE = COULD_CHECK & Q(problems=[])  # only such a run proves that something is not there

type Parts = dict[str, int]  # platform, or INDEX → id of its manifest


def could_check(run: VerificationRun) -> bool:
    return run.state != State.COULD_NOT_CHECK


def is_complete(run: VerificationRun) -> bool:
    return could_check(run) and run.problems == []


def before(run: VerificationRun, what: Q) -> VerificationRun | None:
    """The newest earlier run of the same digest that is so."""
    return VerificationRun.objects.filter(what, manifest=run.manifest_id, pk__lt=run.pk).order_by("-pk").first()


def newest_complete(manifests: Iterable[int]) -> dict[int, VerificationRun]:
    """Manifest → its newest complete run."""
    if not (manifests := list(manifests)):
        return {}
    found = VerificationRun.objects.filter(COMPLETE, manifest__in=manifests)
    return {run.manifest_id: run for run in found.order_by("manifest", "-pk").distinct("manifest")}


def looks(runs: Iterable[VerificationRun]) -> dict[int, Look]:
    """Run → what it said."""
    if not (runs := list(runs)):
        return {}
    signed: dict[int, list[Signed]] = defaultdict(list)
    for row in VerdictRow.objects.filter(run__in=runs).select_related("policy", "evidence").order_by("pk"):
        signed[row.run_id].append(_signed(row))
    return {run.pk: Look(run.state, tuple(signed[run.pk])) for run in runs}


def _signed(row: VerdictRow) -> Signed:
    is_signature = row.evidence.kind == Kind.SIGNATURE
    return Signed(
        evidence_id=row.evidence_id,
        topic=SIGNATURE if is_signature else row.predicate_type or row.evidence.predicate_type,
        state=row.state,
        identity=row.identity,
        issuer=row.issuer,
        signed_at=row.signed_at,
        payload_sha256=row.payload_sha256,
        policy=str(row.policy or ""),
        root=row.trusted_root_sha256,
    )


def tags_at(manifest_id: int) -> tuple[str, ...]:
    """The tags that point to it now, or to an index that names it."""
    found = Tag.objects.filter(Q(manifest=manifest_id) | Q(manifest__entries__manifest=manifest_id))
    return tuple(found.order_by("name").values_list("name", flat=True).distinct())


def parts(manifests: Iterable[int]) -> dict[int, Parts]:
    """Manifest → itself and, of an index, its platforms in its order."""
    found: dict[int, Parts] = {}
    for manifest in Manifest.objects.filter(pk__in=set(manifests)):
        found[manifest.pk] = {INDEX if manifest.is_index else manifest.platform: manifest.pk}
    indexes = [key for key, its in found.items() if INDEX in its]
    if not indexes:
        return found
    entries = IndexEntry.objects.filter(index__in=indexes).exclude(platform=UNKNOWN_PLATFORM)
    for entry in entries.order_by("index", "position"):
        found[entry.index_id].setdefault(entry.platform, entry.manifest_id)
    return found


def believed_sboms(manifests: Iterable[int]) -> Mapping[int, Sbom]:
    """Manifest → the SBOM whose packages are compared; none where nobody may believe it."""
    if not (manifests := set(manifests)):
        return {}
    readable = Q(indexed=True) | Q(pruned_at__isnull=False)
    holds = Sbom.objects.filter(readable, manifest__in=manifests, evidence__state__in=_BELIEVED)
    found = compare.sboms_of(holds.values_list("manifest_id", flat=True).distinct())
    return {key: sbom for key, sbom in found.items() if sbom.evidence and sbom.evidence.state in _BELIEVED}


def compared(was: Sbom, now: Sbom) -> Difference:
    sides = [Side(reference="", digest="", packages=found) for found in compare.packages_of_each([was, now])]
    return comparison.compare(*sides)
