"""An index's platforms by what is attested: where each attestation lies, in which state, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from cgexplorer import predicates
from cgexplorer.oci.evidence import Kind
from cgexplorer.oci.manifest import UNKNOWN_PLATFORM
from cgexplorer.store.models import Evidence, IndexEntry, Manifest, Sbom
from cgexplorer.store.queries.images import best, most_urgent
from cgexplorer.verify import required
from cgexplorer.verify.verdict import State

MISSING = "missing"  # looked for everywhere and not found
UNKNOWN = "unknown"  # not found, and not everything could be looked at
MAX_NAMED = 8  # platforms in a sentence


class Column(msgspec.Struct, frozen=True):
    """Attestations of one type; of any version when a policy asks for it so."""

    predicate_type: str
    label: str
    is_required: bool


class Cell(msgspec.Struct, frozen=True):
    """The best of a digest's own attestations of this type. Without any, who else carries one: its index, or all of its
    platforms."""

    state: str  # a verdict.State, `missing` or `unknown`
    elsewhere: str = ""  # "index" or "platforms"
    elsewhere_state: str = ""


class Row(msgspec.Struct, frozen=True):
    platform: str  # "" for the index itself
    manifest: Manifest
    cells: tuple[Cell, ...]  # one a column
    sbom: Sbom | None = None


class Matrix(msgspec.Struct, frozen=True):
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]  # the index first, then its platforms in its order
    gaps: tuple[str, ...]  # what is missing or unknown, in sentences
    warnings: tuple[str, ...]

    @property
    def platforms(self) -> tuple[Row, ...]:
        return self.rows[1:]


type States = dict[int, dict[str, list[str]]]  # manifest → predicate type → states


def of(index: Manifest, wanted: Sequence[str] = ()) -> Matrix:
    """`wanted` are the predicate types that the policy asks for: they have a column even when nothing is there."""
    entries = list(
        IndexEntry.objects.filter(index=index)
        .exclude(platform=UNKNOWN_PLATFORM)
        .select_related("manifest__run")
        .order_by("position")
    )
    keys = [index.pk, *(entry.manifest_id for entry in entries)]
    states: States = {}
    for key, predicate_type, state in (
        Evidence.objects.filter(manifest__in=keys, kind=Kind.ATTESTATION)
        .order_by("predicate_type", "pk")
        .values_list("manifest", "predicate_type", "state")
    ):
        states.setdefault(key, {}).setdefault(predicate_type, []).append(state)
    stored = Sbom.objects.filter(manifest__in=keys).order_by("indexed", "format", "pk")
    sboms = {one.manifest_id: one for one in stored}
    columns = _columns(wanted, [one for types in states.values() for one in types])
    every = [("", index), *((entry.platform, entry.manifest) for entry in entries)]
    own = [[_own(manifest, states.get(manifest.pk, {}), column) for column in columns] for _, manifest in every]
    rows = tuple(
        Row(
            platform, manifest, tuple(_cell(own, row, number) for number in range(len(columns))), sboms.get(manifest.pk)
        )
        for row, (platform, manifest) in enumerate(every)
    )
    return Matrix(columns, rows, tuple(_gaps(columns, rows)), tuple(_warnings(columns, rows)))


def _columns(wanted: Sequence[str], found: Iterable[str]) -> tuple[Column, ...]:
    others = sorted({one for one in found if not any(required.meets(one, each) for each in wanted)})
    label = {one: predicates.label(one) or "type not readable" for one in (*wanted, *others)}
    return tuple(Column(one, label[one], one in wanted) for one in dict.fromkeys([*wanted, *others]))


def _holds(column: Column, predicate_type: str) -> bool:
    if column.is_required:
        return required.meets(predicate_type, column.predicate_type)
    return predicate_type == column.predicate_type


def _own(manifest: Manifest, states: dict[str, list[str]], column: Column) -> str:
    found = [state for one, every in states.items() if _holds(column, one) for state in every]
    if found:
        return best(found)
    is_read = manifest.payload_id is not None and manifest.run is not None and not manifest.run.problems
    return MISSING if is_read else UNKNOWN


def _cell(own: list[list[str]], row: int, column: int) -> Cell:
    state = own[row][column]
    if _is_there(state):
        return Cell(state)
    if row:
        above = own[0][column]
        return Cell(state, "index", above) if _is_there(above) else Cell(state)
    below = [states[column] for states in own[1:]]
    everywhere = bool(below) and all(map(_is_there, below))
    return Cell(state, "platforms", most_urgent(below)) if everywhere else Cell(state)


def _is_there(state: str) -> bool:
    return state not in (MISSING, UNKNOWN)


def _gaps(columns: tuple[Column, ...], rows: tuple[Row, ...]) -> Iterator[str]:
    unsigned = [row.platform for row in rows[1:] if row.manifest.state == State.UNSIGNED]
    if unsigned:
        above = (
            " The index is signed, and it names the digest of each." if rows[0].manifest.state == State.VERIFIED else ""
        )
        yield f"{_named(unsigned)} {_is(unsigned)} not signed.{above}"
    for number, column in enumerate(columns):
        without = [row.platform for row in rows[1:] if row.cells[number] == Cell(MISSING)]
        if not without:
            continue
        asked = " The policy asks for it." if column.is_required else ""
        whose = "every platform" if len(without) == len(rows) - 1 else _named(without)
        above = "has none either" if rows[0].cells[number].state == MISSING else "could not be read"
        yield f"{column.label} is missing for {whose}; the index {above}.{asked}"
    unknown = [row.platform for row in rows[1:] if row.manifest.payload_id is None]
    if unknown:
        were = "it was" if len(unknown) == 1 else "they were"
        yield f"What is attested of {_named(unknown)} is not known here: {were} not fetched."


def _warnings(columns: tuple[Column, ...], rows: tuple[Row, ...]) -> Iterator[str]:
    if len(rows) < 3:
        return
    for number, column in enumerate(columns):
        if not predicates.is_sbom(column.predicate_type) or not _is_there(rows[0].cells[number].state):
            continue
        without = [row.platform for row in rows[1:] if row.cells[number].state == MISSING]
        if without:
            whose = (
                "no platform has one of its own"
                if len(without) == len(rows) - 1
                else f"{_named(without)} {_has(without)} none of {_its(without)} own"
            )
            yield (
                f"An {column.label} document is attached to the index itself, and {whose}."
                f" One document cannot list what each of {len(rows) - 1} platforms contains."
            )


def _named(platforms: list[str]) -> str:
    names = [platform or "a platform that is not stated" for platform in platforms]
    more = [f"{len(names) - MAX_NAMED} more"] if len(names) > MAX_NAMED else []
    *first, last = [*names[:MAX_NAMED], *more]
    return f"{', '.join(first)} and {last}" if first else last


def _is(platforms: list[str]) -> str:
    return "is" if len(platforms) == 1 else "are"


def _has(platforms: list[str]) -> str:
    return "has" if len(platforms) == 1 else "have"


def _its(platforms: list[str]) -> str:
    return "its" if len(platforms) == 1 else "their"
