"""One manifest with all that was found and judged, in one transaction."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from itertools import islice

import msgspec
from django.db import transaction

from cgexplorer.oci.evidence import Evidence as Found
from cgexplorer.oci.evidence import Problem
from cgexplorer.store.judges import Tried
from cgexplorer.store.models import Evidence, Image, Manifest, Sbom, VerificationRun
from cgexplorer.store.record import drift, images, packages, payloads, runs, saved_searches, sboms
from cgexplorer.store.record.sboms import ParsedSbom
from cgexplorer.store.record.text import storable
from cgexplorer.verify.verdict import State, Verdict

MAX_SIZE_BYTES = (1 << 63) - 1  # of a bigint; layers may claim any size, and together they may claim more


class Judged(msgspec.Struct, frozen=True):
    """Found evidence and what was said of it."""

    evidence: Found
    verdict: Verdict
    policy_id: int | None = None  # of the policy that decided
    sbom: ParsedSbom | None = None
    tried: tuple[Tried, ...] = ()  # what the other policies said


class Unit(msgspec.Struct, frozen=True):
    """Everything about one manifest. `raw` is None when its bytes could not be had; `problem` says why."""

    reference: str  # as asked
    digest: str
    state: State
    reason: str
    media_type: str = ""
    is_index: bool = False
    platform: str = ""
    size: int = 0  # bytes
    raw: bytes | None = None
    config: bytes | None = None
    created_at: dt.datetime | None = None
    problem: str = ""
    judged: tuple[Judged, ...] = ()
    problems: tuple[Problem, ...] = ()
    carriers: tuple[bytes, ...] = ()  # manifests that carry the evidence: found again by Evidence.carrier
    file: ParsedSbom | None = None  # an imported document that nobody signed


class Occasion(msgspec.Struct, frozen=True):
    """Why and when it was looked at."""

    trigger: str  # ingest, re-verify, command, schedule
    source: str  # registry, layout, stored, file
    started_at: dt.datetime
    trust_root_id: int | None
    tools: dict[str, str]


@transaction.atomic(savepoint=False)
def save(image: Image, unit: Unit, occasion: Occasion, now: dt.datetime) -> tuple[Manifest, VerificationRun | None]:
    """Store it. Answers the manifest, and the run unless the same was known already.

    Looking at the same bytes again changes nothing but `observed_at`.
    """
    images.lock(image)
    known = Manifest.objects.filter(image=image, digest=unit.digest).first()
    with saved_searches.watching(image, [known.pk] if known is not None else [], now) as cause:
        manifest, run = _saved(image, known, unit, occasion, now)
        cause.manifests, cause.run = [manifest.pk], run
        if known is not None:  # of a new one there is no earlier look, and no tag leads to it yet
            drift.of_run(run)
    return manifest, run


def _saved(
    image: Image, known: Manifest | None, unit: Unit, occasion: Occasion, now: dt.datetime
) -> tuple[Manifest, VerificationRun | None]:
    if occasion.source == "stored":  # nobody looked at the source: nothing about the manifest is news
        manifest, seen_at = known or Manifest.objects.get(image=image, digest=unit.digest), None
        package_ids = _intern(unit := _without_pruned(manifest, unit))
    else:
        package_ids = _intern(unit)
        manifest, seen_at = _manifest(image, known, unit, now), now
    if unit.file is not None:
        sboms.save(manifest, unit.file, package_ids.get(unit.file.content, []), now)
    rows = _evidence(manifest, unit.judged, now, seen_at, is_new=known is None)
    for row, judged in rows:
        if judged.sbom is not None:
            row.sbom = sboms.save(manifest, judged.sbom, package_ids.get(judged.sbom.content, []), now)
    run = runs.append(manifest, unit, rows, occasion, now, is_first=known is None)
    if known is not None or any(judged.sbom is not None for judged in unit.judged):
        sboms.choose_evidence(manifest)
    if known is not None:  # no tag leads to a new one yet
        images.refresh_searchable(image, [manifest.pk])
    return manifest, run


@transaction.atomic
def index(sbom: Sbom, parsed: ParsedSbom, now: dt.datetime) -> Sbom:
    """Make the rows of a stored SBOM that has none."""
    images.lock(sbom.image)
    listed = sboms.contents(parsed.document) if parsed.document is not None else []
    with saved_searches.watching(sbom.image, [sbom.manifest_id], now):
        row = sboms.save(sbom.manifest, parsed, packages.intern(listed), now)
        images.refresh_searchable(sbom.image, [sbom.manifest_id])
    return row


def _without_pruned(manifest: Manifest, unit: Unit) -> Unit:
    """Judged again, its rows are not made again. What is fetched anew is another matter: somebody wants to see it."""
    stay = sboms.stay_pruned(manifest, [judged.sbom for judged in unit.judged if judged.sbom is not None])
    judged = [
        msgspec.structs.replace(one, sbom=ParsedSbom(one.sbom.content, None))
        if one.sbom is not None and one.sbom.content in stay
        else one
        for one in unit.judged
    ]
    return msgspec.structs.replace(unit, judged=tuple(judged))


def _intern(unit: Unit) -> dict[bytes, list[int]]:
    """All that is shared between images, in one order everywhere: payloads, then packages. Two writers that met with
    some of each in hand would wait for each other for ever. Answers the packages of each document, by its bytes."""
    parsed = [one for one in (unit.file, *(judged.sbom for judged in unit.judged)) if one is not None]
    statements = [judged.verdict.statement for judged in unit.judged]
    contents = [
        unit.raw,
        unit.config,
        *unit.carriers,
        *(one.content for one in parsed),
        *(one.evidence.content for one in unit.judged),
    ]
    contents += [statement.payload for statement in statements if statement is not None]
    payloads.put([content for content in contents if content is not None])
    listed = {one.content: sboms.contents(one.document) for one in parsed if one.document is not None}
    ids = iter(packages.intern([package for some in listed.values() for package in some]))
    return {content: list(islice(ids, len(some))) for content, some in listed.items()}


def fingerprint(found: Found) -> bytes:
    """Identity of stored evidence: its layer and its annotations."""
    return hashlib.sha256(payloads.key(found.content) + _annotations(found).encode()).digest()


def _annotations(found: Found) -> str:
    return json.dumps(found.annotations, sort_keys=True)


def _manifest(image: Image, manifest: Manifest | None, unit: Unit, now: dt.datetime) -> Manifest:
    known = {
        "media_type": storable(unit.media_type, 127),
        "is_index": unit.is_index,
        "platform": storable(unit.platform, 64),
        "size": min(unit.size, MAX_SIZE_BYTES),
        "payload_id": payloads.key(unit.raw) if unit.raw is not None else None,
        "config_id": payloads.key(unit.config) if unit.config is not None else None,
        "created_at": unit.created_at,
        "problem": storable(unit.problem, 500),
        "gone_at": None,
    }
    if manifest is None:  # and nobody else makes it: the image is locked
        return Manifest.objects.create(image=image, digest=unit.digest, first_seen_at=now, observed_at=now, **known)
    if unit.raw is None and manifest.payload_id is not None:
        known = {}  # what could not be had now was had before, and bytes behind a digest do not change
    elif unit.config is None and manifest.config_id is not None:
        for name in ("config_id", "created_at", "problem", "platform"):
            del known[name]
    manifest.observed_at = max(manifest.observed_at, now)
    for name, value in known.items():
        setattr(manifest, name, value)
    manifest.save(update_fields=["observed_at", *known])
    return manifest


def _evidence(
    manifest: Manifest, judged: Sequence[Judged], now: dt.datetime, seen_at: dt.datetime | None, *, is_new: bool
) -> list[tuple[Evidence, Judged]]:
    """A row for each, those that are not stored yet still to be saved. The same layer at two places is one row."""
    prints = [fingerprint(one.evidence) for one in judged]
    stored = () if is_new else Evidence.objects.filter(manifest=manifest, fingerprint__in=prints)
    rows = {bytes(row.fingerprint): row for row in stored}
    for row in rows.values():
        row.observed_at = max(row.observed_at, seen_at or row.observed_at)
    for name, one in zip(prints, judged, strict=True):
        found = one.evidence
        rows.setdefault(
            name,
            Evidence(
                image_id=manifest.image_id,
                manifest=manifest,
                form=found.form,
                kind=one.verdict.kind,
                carrier=storable(found.manifest, 71),
                media_type=storable(found.media_type, 127),
                annotations_json=_annotations(found),
                content_id=payloads.key(found.content),
                fingerprint=name,
                first_seen_at=now,
                observed_at=now,
                state="",
            ),
        )
    return [(rows[name], one) for name, one in zip(prints, judged, strict=True)]
