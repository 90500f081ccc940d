"""Drift events, written in the transaction of the look that shows them: neither is ever there without the other.

Decision 11 says why, and why nothing is lost or told twice.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from cgexplorer import drift
from cgexplorer.drift import INDEX, Finding, Kind
from cgexplorer.store.models import Acknowledgement, DriftEvent, Manifest, SavedAnswer, TagMove, VerificationRun
from cgexplorer.store.queries import history, looks
from cgexplorer.store.queries.history import TagChange
from cgexplorer.store.queries.saved_searches import said
from cgexplorer.store.record import webhooks
from cgexplorer.store.record.text import as_json, storable

MAX_VALUE = 4000  # characters
MAX_REASON, MAX_WHO = 1000, 100  # characters
_KINDS = {
    "moved": Kind.TAG_MOVED,
    "rolled back": Kind.TAG_ROLLED_BACK,
    "gone": Kind.TAG_GONE,
    "back": Kind.TAG_BACK,
}


class _Step(msgspec.Struct, frozen=True):
    """From what to what, and which rows show it. Several tags may take the same step at once."""

    image: int
    at: dt.datetime
    tags: tuple[str, ...] = ()
    manifests: tuple[int | None, int | None] = (None, None)
    runs: tuple[int | None, int | None] = (None, None)
    move: int | None = None
    search: str = ""
    answer: tuple[int, ...] = ()  # of that search: which change of it


type _Row = tuple[_Step, Finding]


def of_run(run: VerificationRun | None) -> list[DriftEvent]:
    """What this run shows beside the earlier ones of its digest. Inside the transaction that appended it."""
    if run is None or not looks.could_check(run):
        return []
    checked = looks.before(run, looks.COULD_CHECK)
    is_complete = looks.is_complete(run)
    complete = looks.before(run, looks.COMPLETE) if is_complete and checked is not None else None
    made = []
    if checked is not None:
        said = looks.looks(one for one in (checked, complete, run) if one is not None)
        made += _of_runs(checked, run, drift.verdicts(said[checked.pk], said[run.pk]))
        if complete is not None:
            made += _of_runs(complete, run, drift.evidence(said[complete.pk], said[run.pk]))
    if is_complete and complete is None:
        # Until now nobody could say what it carries: what its tags came from waits to be compared with it.
        changes = history.at(run.manifest_id)
        made += _record(_of_builds([change for change in changes if change.kind != "first"], only=run))
    return made


def of_moves(moves: Sequence[TagMove]) -> list[DriftEvent]:
    """What these moves of one image's tags show: themselves, and what the tags now lead to. In their transaction."""
    changes = history.of_moves([move.pk for move in moves if move.previous_id is not None])
    by_step: dict[tuple[str, str, str], list[TagChange]] = defaultdict(list)
    for change in changes:
        by_step[change.kind, change.previous_digest, change.digest].append(change)
    themselves = [
        (
            _moved(some, some[0].previous_manifest_id),
            Finding(_KINDS[kind], before or drift.NONE, after or drift.NONE, note=_why(some[0])),
        )
        for (kind, before, after), some in by_step.items()
    ]
    return _record([*themselves, *_of_builds(changes)])


def of_search(
    answer: SavedAnswer, finding: Finding, run: VerificationRun | None, moves: Sequence[TagMove], now: dt.datetime
) -> list[DriftEvent]:
    """What a saved search finds in an image is not what it found before, shown by this run or by these moves."""
    places = {(move.previous.manifest_id if move.previous else None, move.manifest_id) for move in moves}
    step = _Step(
        answer.image_id,
        now,
        tuple(move.name for move in moves) or (looks.tags_at(run.manifest_id) if run else ()),
        places.pop() if len(places) == 1 else (None, run.manifest_id if run else None),
        (None, run.pk if run else None),
        moves[0].pk if moves else None,
        answer.search.name,
        (answer.search_id, answer.image_id, answer.changes),
    )
    return _record([(step, msgspec.structs.replace(finding, note=f"Search: {said(answer.search)}"))])


def acknowledge(event: DriftEvent, reason: str, who: str = "") -> Acknowledgement:
    """Somebody knows of it. `ValueError` without a reason."""
    reason = storable(reason.strip(), MAX_REASON)
    if not reason:
        raise ValueError("Say why it is as it should be: those who come after you will want to know.")
    return Acknowledgement.objects.create(event=event, reason=reason, who=storable(who.strip(), MAX_WHO))


def _of_runs(before: VerificationRun, run: VerificationRun, found: list[Finding]) -> list[DriftEvent]:
    if not found:
        return []
    manifest = Manifest.objects.get(pk=run.manifest_id)
    platform = (INDEX if manifest.is_index else manifest.platform,)
    step = _Step(run.image_id, run.finished_at, looks.tags_at(run.manifest_id), (manifest.pk,) * 2, (before.pk, run.pk))
    return _record((step, msgspec.structs.replace(finding, platforms=platform)) for finding in found)


def _of_builds(changes: Iterable[TagChange], *, only: VerificationRun | None = None) -> list[_Row]:
    """What one build carries and the next does not, part by part; `only` the part of this run, checked late."""
    steps: dict[tuple[int, int], list[TagChange]] = defaultdict(list)
    for change in changes:
        before = change.previous_manifest_id or history.last_place_before(change.id)
        if before is not None and change.manifest_id is not None and before != change.manifest_id:
            steps[before, change.manifest_id].append(change)
    if not steps:
        return []
    parts = looks.parts(key for pair in steps for key in pair)
    pairs = {
        (before, after): {
            name: (parts[before][name], now)
            for name, now in parts[after].items()
            if name in parts[before] and parts[before][name] != now and (only is None or now == only.manifest_id)
        }
        for before, after in steps
    }
    keys = {key for pair in pairs.values() for both in pair.values() for key in both}
    runs = looks.newest_complete(keys)
    said = looks.looks(runs.values())
    sboms = looks.believed_sboms(runs)
    rows: list[_Row] = []
    for (before, after), some in steps.items():
        step = _moved(some, before)
        if only is None:
            names = [sorted(filter(None, {*parts[one]} - {INDEX})) for one in (before, after)]
            rows += [(step, finding) for finding in (drift.platforms(*names) if all(names) else [])]
        found: dict[str, list[Finding]] = {}
        for name, (was, now) in pairs[before, after].items():
            found[name] = []
            if was in runs and now in runs:
                found[name] += drift.builds(said[runs[was].pk], said[runs[now].pk])
            if was in sboms and now in sboms:
                different = looks.compared(sboms[was], sboms[now])
                found[name] += drift.packages(different.packages, different.licenses)
        for finding in drift.of_platforms(found):
            both = pairs[before, after][finding.platforms[0]]
            ran = tuple(runs[key].pk if key in runs else None for key in both)
            rows.append((msgspec.structs.replace(step, runs=ran), finding))
    return rows


def _moved(some: Sequence[TagChange], before: int | None) -> _Step:
    first = some[0]
    tags = tuple(change.tag for change in some)
    return _Step(first.image_id, first.first_seen_at, tags, (before, first.manifest_id), move=first.id)


def _why(change: TagChange) -> str:
    if change.kind != "rolled back":
        return ""
    if not change.is_signed_earlier:
        return "The tag had this digest before."
    now, before = (f"{at:%Y-%m-%d %H:%M}" for at in (change.signed_at, change.previous_signed_at))
    return f"Signed {now} UTC, the one before {before} UTC."


def _record(rows: Iterable[_Row]) -> list[DriftEvent]:
    """Append what is not recorded yet. The image is locked, so nobody else records it meanwhile."""
    events = {event.key: event for event in (_event(*row) for row in rows)}
    known = set(DriftEvent.objects.filter(key__in=list(events)).values_list("key", flat=True)) if events else set()
    made = DriftEvent.objects.bulk_create([event for key, event in events.items() if key not in known])
    webhooks.queue(made)
    return made


def _event(step: _Step, finding: Finding) -> DriftEvent:
    return DriftEvent(
        key=_key(step, finding),
        kind=finding.kind,
        image_id=step.image,
        tags=list(step.tags),
        platforms=[storable(platform, 64) for platform in finding.platforms],
        topics=[storable(topic, 255) for topic in finding.topics],
        before=storable(finding.before, MAX_VALUE),
        after=storable(finding.after, MAX_VALUE),
        note=storable(finding.note, MAX_VALUE),
        search=step.search,
        changes=as_json(finding.changes),
        manifest_before_id=step.manifests[0],
        manifest_id=step.manifests[1],
        run_before_id=step.runs[0],
        run_id=step.runs[1],
        move_id=step.move,
        at=step.at,
    )


def _key(step: _Step, finding: Finding) -> uuid.UUID:
    """The same look shows the same thing once, however often it is recorded."""
    if step.search:
        shown_by: tuple[object, ...] = ("search", *step.answer)
    else:
        shown_by = ("move", step.move) if step.move is not None else ("run", step.runs[1])
    named = (*shown_by, finding.kind, finding.topics, finding.platforms, finding.before, finding.after)
    return uuid.UUID(bytes=hashlib.sha256(msgspec.json.encode(named)).digest()[:16])
