"""The answer to a search with all that is needed to check it elsewhere: the proofs of every digest that it names.

Ask and write inside `one_snapshot`, so that the answer and its proofs speak of the same moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Any

import msgspec
from django.template.loader import render_to_string

from cgexplorer.export.archive import Folder
from cgexplorer.export.collection import Collection
from cgexplorer.export.script import Step, note, skipped
from cgexplorer.store.models import Manifest, Sbom
from cgexplorer.store.queries import payloads
from cgexplorer.store.queries.places import places
from cgexplorer.store.queries.search import GOOD, Answer, Hit
from cgexplorer.store.queries.universe import Looked, looked
from cgexplorer.web import csv_cells, search_report

MAX_DIGESTS = 1_000
MAX_DIGESTS_OF_A_PAGE = 100  # a digest takes a tenth of a second, and a page is asked for with a click
MAX_DIGESTS_OF_A_NO = 50  # searched digests whose evidence comes along when nothing was found in them
MAX_ROWS_ON_PAPER = 2_000
UNIVERSE_COLUMNS = ("image", "tags", "digest", "platform", "searched", "state", "reason", "sbom_sha256", "folder")


_BEHIND = ("", *",:]} \t\r")


class TooMany(Exception):
    """More than one file can prove. `str(error)` is a sentence."""


class Place(msgspec.Struct, frozen=True):
    """Where a hit is claimed: a document of this file, and the ids of the elements that name the package."""

    folder: str
    document: str  # "" when its bytes are not in this file
    document_sha256: str
    ids: tuple[str, ...]


type Places = dict[tuple[int, int], Place]  # by SBOM and package


def write(answer: Answer, file: IO[bytes], max_digests: int) -> None:
    """Raises TooMany, export.TooLarge, payloads.Damaged."""
    hits = (*answer.hits, *answer.unordered)
    digests = {hit.manifest_id: hit for hit in hits}
    if answer.after is not None or len(digests) > max_digests:
        elsewhere = "" if max_digests == MAX_DIGESTS else f" (manage.py search --evidence: {MAX_DIGESTS:,})"
        raise TooMany(
            f"{max(answer.digests, len(digests)):,} digests hold it, and one file proves at most {max_digests:,}"
            f"{elsewhere}. Narrow the search, or export the evidence of single digests."
        )
    with Collection(file) as collection:
        folders = _Folders(collection)
        claimed = {hit.manifest_id for hit in hits if hit.state in GOOD}
        for key, hit in digests.items():
            folders.add(key, claimed=key in claimed, index_too=hit.image_state in GOOD)
        found = dict(_places(hits, folders))
        if not hits and answer.universe.searched_digests <= MAX_DIGESTS_OF_A_NO:
            for one in looked(answer.scope, include_unverified=answer.include_unverified):
                if one.searched:
                    folders.add(one.manifest_id, claimed=one.state in GOOD, index_too=True)
        collection.steps += _sentences(answer, folders)
        top = collection.top
        universe = looked(answer.scope, include_unverified=answer.include_unverified)
        top.write("universe.csv", _encoded(csv_cells.lines(UNIVERSE_COLUMNS, _universe_rows(universe, folders))))
        top.write("answer.json", _as_json(answer, found))
        top.write("hits.csv", _encoded(csv_cells.lines(_HIT_COLUMNS, _hit_rows(answer, found))))
        context = _context(answer, found, proven=len(folders.paths))
        top.add("answer.html", render_to_string("evidence/answer.html", context).encode())
        top.add("README.txt", render_to_string("evidence/answer.txt", context).encode())


class _Folders:
    """Digests of a collection, each once. `paths` are by manifest."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.paths: dict[int, str] = {}
        self._names: dict[int, dict[str, str]] = {}

    def add(self, key: int, *, claimed: bool, index_too: bool) -> None:
        if key in self.paths:
            return
        manifest = Manifest.objects.select_related("image", "payload").get(pk=key)
        folder = self.collection.add_digest(manifest, claimed=claimed)
        self.paths[key] = folder.path.rstrip("/")
        self._names[key] = _by_sha256(folder)
        if manifest.state == "unsigned" and index_too:
            # Many sign only the index: then that is the signature of its platforms.
            for index in Manifest.objects.filter(entries__manifest=key, state__in=GOOD).order_by("-pk")[:1]:
                self.add(index.pk, claimed=True, index_too=False)

    def document(self, sbom: Sbom) -> str:
        """Path of the bytes of this SBOM; those that no evidence carries are added."""
        sha256 = bytes(sbom.document_id).hex()
        if name := self._names[sbom.manifest_id].get(sha256):
            return f"{self.paths[sbom.manifest_id]}/{name}"
        self.collection.top.add(f"unsigned/{sha256}", payloads.content(sbom.document))
        return f"unsigned/{sha256}"


def _by_sha256(folder: Folder) -> dict[str, str]:
    return {sha256: name for name, sha256 in folder.sha256s.items()}


def _places(hits: Iterable[Hit], folders: _Folders) -> Iterator[tuple[tuple[int, int], Place]]:
    """Of each hit; and for verify.sh the ids that are in the bytes as they are written."""
    by_sbom: dict[int, list[int]] = {}
    for hit in hits:
        by_sbom.setdefault(hit.sbom_id, []).append(hit.package_id)
    for number, (key, packages) in enumerate(by_sbom.items(), 1):
        sbom = Sbom.objects.select_related("document").get(pk=key)
        document, content = folders.document(sbom), payloads.content(sbom.document)
        named = places(sbom, packages)
        for package in packages:
            sha256 = bytes(sbom.document_id).hex()
            yield (key, package), Place(folders.paths[sbom.manifest_id], document, sha256, named.get(package, ()))
        # What begins as JSON goes on behind a string could be found from its end to the next one, and hide that.
        quoted = {f'"{one}"' for ids in named.values() for one in ids if "\n" not in one and one[:1] not in _BEHIND}
        if lines := sorted(one.encode() for one in quoted if one.encode() in content):
            folders.collection.top.add(f"ids/{number:03}.txt", b"\n".join(lines) + b"\n")
            folders.collection.steps.append(Step("ids", (f"ids/{number:03}.txt", document)))


def _sentences(answer: Answer, folders: _Folders) -> Iterator[Step]:
    """What the script has to say beside its checks."""
    universe = answer.universe
    if answer.include_unverified:
        yield note(
            "As was asked for, SBOMs that are not verified were searched too: each row says the state of its own."
        )
    if universe.blind_digests:
        yield note(
            f"For {universe.blind_digests:,} of {universe.digests:,} digests the answer is unknown, not no: "
            "universe.csv says which, and why."
        )
    if universe.partly_digests:
        yield note(
            f"Of {universe.partly_digests:,} digests not every package was searched: universe.csv says which, and why."
        )
    if not answer.hits and not folders.paths:
        yield skipped(
            f"that {universe.searched_digests:,} SBOMs do not name it: their evidence is not in this file. "
            "universe.csv has the sha256 of each, to compare with the evidence of its digest."
        )


def _universe_rows(universe: Iterable[Looked], folders: _Folders) -> Iterator[tuple[object, ...]]:
    for one in universe:
        yield (
            one.image, one.tags, one.digest, one.platform, "yes" if one.searched else "no", one.state, one.reason,
            one.sboms, folders.paths.get(one.manifest_id, ""),
        )  # fmt: skip


_HIT_COLUMNS = (*search_report.CSV_COLUMNS, *Place.__struct_fields__)


def _hit_rows(answer: Answer, found: Places) -> Iterator[tuple[object, ...]]:
    for cells, hit in zip(search_report.cells(answer), chain(answer.hits, answer.unordered), strict=True):
        yield (*cells, *msgspec.structs.astuple(found[hit.sbom_id, hit.package_id]))


def _as_json(answer: Answer, found: Places) -> Iterator[bytes]:
    """`cgexplorer.search/1`, each row with `evidence`; piece by piece."""
    head = search_report.as_builtins(msgspec.structs.replace(answer, hits=(), unordered=()))
    rows = {"results": answer.hits, "unordered": answer.unordered}
    yield msgspec.json.encode({name: value for name, value in head.items() if name not in rows})[:-1]
    for name, hits in rows.items():
        yield b',"%s":[' % name.encode()
        for number, hit in enumerate(hits):
            row: dict[str, Any] = search_report.row(hit)
            row["evidence"] = found[hit.sbom_id, hit.package_id]
            yield b"," * bool(number) + msgspec.json.encode(row)
        yield b"]"
    yield b"}\n"


def _encoded(lines: Iterable[str]) -> Iterator[bytes]:
    return (line.encode() for line in lines)


def _context(answer: Answer, found: Places, *, proven: int) -> dict[str, object]:
    def placed(hits: tuple[Hit, ...]) -> list[tuple[Hit, Place]]:
        return [(hit, found[hit.sbom_id, hit.package_id]) for hit in hits[:MAX_ROWS_ON_PAPER]]

    return {
        "answer": answer,
        "headline": search_report.headline(answer),
        "rows": placed(answer.hits),
        "unordered": placed(answer.unordered),
        "left_out": max(0, len(answer.hits) - MAX_ROWS_ON_PAPER),
        "proven": proven,
        "schema": search_report.SCHEMA,
    }
