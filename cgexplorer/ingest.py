"""From a reference to rows: the whole way, in order. Read this file first.

    resolve → manifest → children → evidence → verdicts → documents → rows → tag

Network and CPU come first, outside any transaction; then one transaction a manifest; the tag moves last, when all that
it will point to is stored. Killed anywhere in between, the next run finds what is there and does the rest.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence

import msgspec
from django.db import transaction

from cgexplorer import predicates, stopping
from cgexplorer.oci import choice
from cgexplorer.oci.digest import of as digest_of
from cgexplorer.oci.errors import NotFound, NotInLayout, NotNow, OciError, TooLarge
from cgexplorer.oci.evidence import Discovery, Kind, Problem, discover
from cgexplorer.oci.evidence import Evidence as Found
from cgexplorer.oci.manifest import INDEX_TYPES, UNKNOWN_PLATFORM, Descriptor, Manifest
from cgexplorer.oci.reference import Reference
from cgexplorer.oci.source import Source
from cgexplorer.spdx import convert
from cgexplorer.spdx import parse as spdx
from cgexplorer.spdx.document import Document, NotIndexable
from cgexplorer.store import models
from cgexplorer.store.judges import Judges
from cgexplorer.store.queries import exports, payloads
from cgexplorer.store.record import images, tags, unit
from cgexplorer.store.record.sboms import ParsedSbom
from cgexplorer.store.record.unit import Judged, Occasion, Unit
from cgexplorer.verify import summary, tools
from cgexplorer.verify.verdict import State, Verdict

NOT_IN_LAYOUT = "not in this layout"
OF_BUILDKIT = "BuildKit put this attestation manifest into the index. Nobody signed it: nothing in it is believed."
MAX_CHILDREN = 100  # platforms of one index, those of indexes in it included
MAX_DEPTH = 3  # an index in an index in an index
TOO_DEEP = "Too many indexes in indexes: what this one names was not read."

type Progress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many


class ManifestReport(msgspec.Struct, frozen=True):
    digest: str
    platform: str  # "" for an index, and where an image states none
    state: State
    reason: str
    signatures: int
    attestations: tuple[tuple[str, State], ...]  # predicate type and state
    identity: str  # of the best signature
    problem: str = ""  # why its bytes are not here
    problems: tuple[Problem, ...] = ()  # what of its evidence could not be read
    is_index: bool = False


class IngestReport(msgspec.Struct, frozen=True):
    reference: str
    digest: str
    manifests: tuple[ManifestReport, ...]  # the one asked for first, then an index's children


def ingest(
    reference: Reference,
    source: Source,
    *,
    trigger: str,
    now: dt.datetime,
    progress: Progress | None = None,
    platforms: Sequence[str] = (),
) -> IngestReport:
    """Fetch, verify and store what the reference names. Raises OciError when that itself cannot be had, Interrupted
    between two manifests.

    Of an index only these `platforms`, without any all of them; the others are named in the store and not looked at.

    What is missing further down (a platform, a piece of evidence) is named in the report and stored as could not check.
    """

    def tell(step: str, done: int, total: int) -> None:
        stopping.check()
        if progress is not None:
            progress(step, done, total)

    tell(f"Resolving {reference}", 0, 0)
    digest = reference.digest or source.resolve(reference.repository, reference.tag)
    # From here on everything is asked by digest: a tag that moves meanwhile cannot mix two images.
    top = source.manifest(reference.repository, digest)
    if len(top.children) > MAX_CHILDREN:
        raise TooLarge(f"The index names {len(top.children)} manifests; at most {MAX_CHILDREN} are taken.")

    image = images.image(reference, now)
    judges = Judges(image.name, now)
    occasion = _occasion(trigger, source.kind, now, judges)
    reports: list[ManifestReport] = []
    indexes: dict[str, models.Manifest] = {}  # those inside the one asked for
    entries: dict[str, list[tuple[str, models.Manifest]]] = {digest: []}  # index → the images in it, however deep
    # A manifest and the indexes around it. None can be around itself: its digest would have to be known before it.
    work: list[tuple[Descriptor, tuple[str, ...]]] = [(child, (digest,)) for child in top.children]
    for child, around in work:
        platform = _platform(child)
        if child.media_type not in INDEX_TYPES and not choice.is_platform_meant(platform, platforms):
            for index in around:
                entries[index].append((platform, images.named(image, child, now)))
            continue
        tell(f"Fetching and verifying {platform or child.digest}", len(reports), 1 + len(work))
        one, inner = _child(reference, source, child, judges, now)
        if inner is not None and inner.is_index:
            if len(around) == MAX_DEPTH or len(work) + len(inner.children) > MAX_CHILDREN:
                one = msgspec.structs.replace(one, problem=TOO_DEEP)
                inner = msgspec.structs.replace(inner, children=())
            work += [(each, (*around, child.digest)) for each in inner.children]
            entries.setdefault(child.digest, [])
        row, _ = unit.save(image, one, occasion, now)
        if child.digest in entries:
            indexes[child.digest] = row
        else:
            for index in around:
                entries[index].append((platform, row))
        reports.append(_report(one))
    total = 1 + len(work)
    tell("Fetching and verifying the index" if top.is_index else "Fetching and verifying the image", total - 1, total)
    one = _unit(reference, source, top, "", judges, now)
    with transaction.atomic():  # no index without what it names
        manifest, _ = unit.save(image, one, occasion, now)
        for index, row in {**indexes, digest: manifest}.items():
            images.entries(row, entries[index])
        # A digest typed beside a tag says nothing of where the registry's tag points. A layout's importer names it.
        if reference.tag and (not reference.digest or source.kind == "layout"):
            tags.observe(image, {reference.tag: manifest}, now)
    tell("Stored", total, total)
    return IngestReport(str(reference), digest, (_report(one), *reports))


def reverify(
    manifest: models.Manifest, *, now: dt.datetime, trigger: str = "re-verify", live: Source | None = None
) -> models.VerificationRun:
    """Judge the stored evidence again, without any network, and append a run.

    With a `live` source it is asked for the bytes and the evidence that it has now, an index with its platforms.
    Raises OciError when it no longer answers for this digest: nothing is stored then, and the last verdict stays.
    """
    if live is not None:
        reference = Reference(manifest.image.registry.host, manifest.image.repository, digest=manifest.digest)
        try:
            ingest(reference, live, trigger=trigger, now=now)
        except NotFound:
            images.gone(manifest, now)
            raise
        return manifest.runs.latest("pk")
    judges = Judges(manifest.image.name, now)
    last = exports.last_look(manifest)
    evidence = tuple(map(exports.stored, exports.standing(manifest, last)))
    judged = _judged(evidence, manifest.digest, judges, now)
    # What the last look could not read may hold the good signature: its absence here proves nothing.
    problems = tuple(Problem(one["place"], one["reason"]) for one in last.problems) if last is not None else ()
    discovery = Discovery(manifest.digest, evidence, problems)
    state, reason = summary.combine([one.verdict for one in judged], discovery)
    if not judged:
        state, reason = _without_evidence(manifest, last)
    one = Unit(
        reference=f"{manifest.image.name}@{manifest.digest}",
        digest=manifest.digest,
        state=state,
        reason=reason,
        problem=manifest.problem,
        judged=judged,
        problems=problems,
    )
    run = unit.save(manifest.image, one, _occasion(trigger, "stored", now, judges), now)[1]
    assert run is not None, "only an import may find nothing new"  # noqa: S101
    return run


def import_sbom(raw: bytes, name: str, *, now: dt.datetime, reference: Reference | None = None) -> models.Sbom:
    """Keep an SBOM file that nobody signed: browsable, outside the default search.

    Its "image" is `local/<name>` unless a reference is given; its digest is that of the file.
    """
    target = reference or Reference("local", name, "latest")
    image = images.image(target, now)
    one = Unit(
        reference=str(target),
        digest=digest_of(raw),
        state=State.UNSIGNED,
        reason="An SBOM file that was imported: nobody signed it.",
        media_type=convert.media_type(raw),
        size=len(raw),
        file=_parsed(raw, convert.parse_any),
    )
    occasion = Occasion(
        trigger="ingest",
        source="file",
        started_at=now,
        trust_root_id=None,
        tools=tools.versions(),
    )
    manifest, _ = unit.save(image, one, occasion, now)
    name = target.tag or "latest"
    # A tag that points to fetched bytes stays: a file that nobody signed must not take the place of an image.
    if not models.Tag.objects.filter(image=image, name=name, manifest__payload__isnull=False).exists():
        tags.observe(image, {name: manifest}, now)
    return models.Sbom.objects.get(manifest=manifest)


def reindex(sbom: models.Sbom, *, now: dt.datetime) -> models.Sbom:
    """Make the rows of an SBOM again that were pruned, from its stored document. Raises payloads.Damaged.

    The row that comes back says whether it is indexed now, and if not, why.
    """
    parse = spdx.parse if sbom.carriers.exists() else convert.parse_any
    parsed = _parsed(payloads.content(sbom.document), parse)
    return unit.index(sbom, parsed, now)


def _child(
    reference: Reference, source: Source, child: Descriptor, judges: Judges, now: dt.datetime
) -> tuple[Unit, Manifest | None]:
    platform = _platform(child)
    try:
        manifest = source.manifest(reference.repository, child.digest)
    except NotNow:
        raise
    except OciError as error:
        problem = NOT_IN_LAYOUT if isinstance(error, NotInLayout) else str(error)
        return Unit(
            reference=str(reference), digest=child.digest, platform=platform, media_type=child.media_type,
            state=State.COULD_NOT_CHECK, reason=problem, problem=problem, problems=(Problem(child.digest, problem),),
        ), None  # fmt: skip
    one = _unit(reference, source, manifest, platform, judges, now)
    if platform == UNKNOWN_PLATFORM and one.state is State.UNSIGNED:
        one = msgspec.structs.replace(one, reason=OF_BUILDKIT)
    return one, manifest


def _platform(child: Descriptor) -> str:
    """BuildKit's mark is believed only where no container runtime would find an image to run."""
    platform = str(child.platform or "")
    return UNKNOWN_PLATFORM if child.is_attestation_manifest and not platform else platform


def _unit(
    reference: Reference, source: Source, manifest: Manifest, platform: str, judges: Judges, now: dt.datetime
) -> Unit:
    config, problem = _config(reference, source, manifest)
    facts = _facts(config)
    discovery = discover(source, reference.repository, manifest.digest, name=reference.name)
    if source.kind == "layout":
        discovery = _beside_what_is_known(discovery, reference.name)
    judged = _judged(discovery.evidence, manifest.digest, judges, now)
    state, reason = summary.combine([one.verdict for one in judged], discovery)
    return Unit(
        reference=str(reference),
        digest=manifest.digest,
        state=state,
        reason=reason,
        media_type=manifest.media_type,
        is_index=manifest.is_index,
        platform=platform or facts.platform,
        size=sum(blob.size for blob in (manifest.config, *manifest.layers) if blob is not None),
        raw=manifest.raw,
        config=config,
        created_at=facts.created_at,
        problem=problem,
        judged=judged,
        problems=discovery.doubts,
        carriers=discovery.carriers,
    )


def _beside_what_is_known(discovery: Discovery, name: str) -> Discovery:
    """A layout may be older than what is stored, or a part of it: what it lacks was not taken away."""
    known = models.Manifest.objects.filter(image__name=name, digest=discovery.subject).first()
    standing = exports.standing(known, exports.last_look(known)) if known is not None else ()
    found = set(map(unit.fingerprint, discovery.evidence))
    lacking = sum(bytes(row.fingerprint) not in found for row in standing)
    if not lacking:
        return discovery
    reason = f"This layout lacks {lacking} of the signatures and attestations that are known of this image."
    problem = Problem("evidence", reason)
    return msgspec.structs.replace(discovery, problems=(*discovery.problems, problem))


def _judged(evidence: tuple[Found, ...], digest: str, judges: Judges, now: dt.datetime) -> tuple[Judged, ...]:
    judgements = judges.judge(evidence, digest, now)
    return tuple(
        Judged(found, one.verdict, one.policy_id, _sbom(one.verdict), one.tried)
        for found, one in zip(evidence, judgements, strict=True)
    )


def _sbom(verdict: Verdict) -> ParsedSbom | None:
    """The document of an SPDX or CycloneDX attestation whose signature holds, whoever signed it."""
    if verdict.statement is None or not predicates.is_sbom(verdict.predicate_type):
        return None
    return _parsed(verdict.statement.predicate)


def _parsed(content: bytes, parse: Callable[[bytes], Document] = spdx.parse) -> ParsedSbom:
    try:
        return ParsedSbom(content, parse(content))
    except NotIndexable as error:
        return ParsedSbom(content, None, str(error))


class _Facts(msgspec.Struct, frozen=True):
    platform: str = ""
    created_at: dt.datetime | None = None


def _config(reference: Reference, source: Source, manifest: Manifest) -> tuple[bytes | None, str]:
    """The image configuration, or why it could not be had. Nobody signs it, but the manifest names its digest."""
    if manifest.is_index or manifest.config is None:
        return None, ""
    try:
        return source.blob(reference.repository, manifest.config.digest, manifest.config.size), ""
    except NotNow:
        raise
    except OciError as error:
        return None, f"image configuration: {NOT_IN_LAYOUT if isinstance(error, NotInLayout) else error}"


def _facts(config: bytes | None) -> _Facts:
    """Platform and date of an image configuration; anything odd in it counts as absent."""
    try:
        found = json.loads(config or b"{}")
        parts = (found.get("os"), found.get("architecture"), found.get("variant"))
        created = found.get("created")
    except (ValueError, AttributeError, RecursionError):
        return _Facts()
    return _Facts("/".join(part for part in parts if isinstance(part, str) and part), _moment(created))


def _moment(text: object) -> dt.datetime | None:
    """In UTC, because `0001-01-01T00:00+14:00` is a date before the first that Python can read back."""
    try:
        moment = dt.datetime.fromisoformat(text) if isinstance(text, str) else None
        return moment.astimezone(dt.UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _without_evidence(manifest: models.Manifest, last: models.VerificationRun | None) -> tuple[State, str]:
    """Stored emptiness proves nothing new: the answer of the last look at the source is repeated with its date."""
    if last is None or last.state != State.UNSIGNED:
        return State.COULD_NOT_CHECK, manifest.problem or "No evidence is stored for it."
    return State.UNSIGNED, f"{last.reason} (looked at on {last.finished_at:%Y-%m-%d %H:%M} UTC)"


def _occasion(trigger: str, source: str, now: dt.datetime, judges: Judges) -> Occasion:
    return Occasion(
        trigger=trigger,
        source=source,
        started_at=now,
        trust_root_id=judges.root_id,
        tools=tools.versions(),
    )


def _report(one: Unit) -> ManifestReport:
    verdicts = [judged.verdict for judged in one.judged]
    signatures = [verdict for verdict in verdicts if verdict.kind is Kind.SIGNATURE]
    return ManifestReport(
        digest=one.digest,
        platform=one.platform,
        state=one.state,
        reason=one.reason,
        signatures=len(signatures),
        attestations=tuple(
            (verdict.predicate_type, verdict.state) for verdict in verdicts if verdict.kind is Kind.ATTESTATION
        ),
        identity=summary.best(signatures).identity if signatures else "",
        problem=one.problem,
        problems=() if one.problem and one.raw is None else one.problems,
        is_index=one.is_index,
    )
