"""What answers look like that are not structs themselves: for the documentation. A test holds them to the answers."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from cgexplorer.store.queries.components import VersionUse
from cgexplorer.store.queries.universe import Blind


class SearchQuery(msgspec.Struct):
    """The question, as it was understood."""

    name: str
    namespace: str | None
    versions: str
    ecosystem: str
    filters: Annotated[
        dict[str, str], Meta(description="license, supplier, checksum, role, name, cpe, as far as asked")
    ]
    scope: Annotated[str, Meta(pattern="^(current|all)$")]
    include_unverified: bool


class SearchUniverse(msgspec.Struct):
    """What was searched, and what could not be: a "no" is worth as much as this."""

    images: int
    digests: int
    searched_images: int
    searched_digests: int
    pruned_digests: Annotated[int, Meta(description="of those that were not searched: their rows were dropped")]
    partly_searched_digests: Annotated[int, Meta(description="whose SBOM is larger than what is indexed, or unread")]
    without_verified_sbom: tuple[str, ...]
    not_searched: Annotated[tuple[Blind, ...], Meta(description="the first 50 digests, with the reason")]
    partly_searched: Annotated[tuple[Blind, ...], Meta(description="the first 50 digests, with the reason")]


class SearchTotal(msgspec.Struct):
    """That hold it, of the whole answer."""

    images: int
    digests: int


class SearchRow(msgspec.Struct):
    """One package in one digest."""

    purl: str
    name: str
    version: str
    ecosystem: str
    image: str
    tags: tuple[str, ...]
    digest: str
    platform: str
    state: Annotated[str, Meta(description="of the SBOM that says so")]
    image_state: Annotated[str, Meta(description="of the image itself")]
    matched_by: Annotated[str, Meta(description="name, built from, part of the name, or filter")]
    built_from: str


class Search(msgspec.Struct):
    schema: Annotated[str, Meta(pattern="^cgexplorer\\.search/1$")]
    query: SearchQuery
    universe: SearchUniverse
    total: SearchTotal
    names_cut_off: Annotated[bool, Meta(description="the text is part of too many names: not all were searched")]
    more: bool
    next: Annotated[str, Meta(description='asks for the rows behind these, as after; "" when there are none')]
    hint: Annotated[str, Meta(description="what a person may not expect of this search, such as a version order")]
    names_like_it: Annotated[tuple[str, ...], Meta(description="did you mean")]
    results: Annotated[tuple[SearchRow, ...], Meta(description="highest version first")]
    unordered: Annotated[tuple[SearchRow, ...], Meta(description="versions that nobody can order: judge yourself")]
    unordered_cut_off: Annotated[bool, Meta(description="there are more of them than rows were asked for")]


class Versions(msgspec.Struct):
    schema: Annotated[str, Meta(pattern="^cgexplorer\\.versions/1$")]
    ecosystem: str
    namespace: str
    name: str
    versions: Annotated[tuple[VersionUse, ...], Meta(description="highest first; those without an order last")]


class ImageRow(msgspec.Struct):
    image: str
    state: Annotated[str, Meta(description="of what its tags point to: the one that most needs somebody")]
    tags: int
    digests: int
    moved_at: dt.datetime | None


class Images(msgspec.Struct):
    schema: Annotated[str, Meta(pattern="^cgexplorer\\.images/1$")]
    images: tuple[ImageRow, ...]


class TagRow(msgspec.Struct):
    tag: str
    digest: str
    state: str
    identity: Annotated[str, Meta(description='who signed it; "" when nobody did')]
    platforms: tuple[str, ...]
    packages: int | None
    bytes: Annotated[int, Meta(description="of the largest platform")]
    moved_at: dt.datetime


class Tags(msgspec.Struct):
    schema: Annotated[str, Meta(pattern="^cgexplorer\\.tags/1$")]
    image: str
    tags: tuple[TagRow, ...]


class TimelineRow(msgspec.Struct):
    """The tag was seen at another digest than before; digest "" when it was gone."""

    tag: str
    kind: Annotated[str, Meta(description="first, moved, rolled back, gone or back")]
    digest: str
    state: str
    first_seen_at: dt.datetime
    last_seen_at: dt.datetime
    previous_digest: str
    signed_at: dt.datetime | None
    moved_at: dt.datetime


class Timeline(msgspec.Struct):
    schema: Annotated[str, Meta(pattern="^cgexplorer\\.timeline/1$")]
    image: str
    tag: str
    digests: tuple[TimelineRow, ...]


class PackageRow(msgspec.Struct):
    name: str
    version: str
    type: str
    role: str
    license: str
    built_from: str
    supplier: str
    purl: str
    spdx_id: Annotated[str, Meta(description="under which the signed document names it")]


class Packages(msgspec.Struct):
    schema: Annotated[str, Meta(pattern="^cgexplorer\\.packages/1$")]
    image: str
    digest: str
    packages: tuple[PackageRow, ...]


class Acknowledgement(msgspec.Struct):
    reason: str
    who: str
    at: dt.datetime


class DriftRow(msgspec.Struct):
    """One thing that is not as it was, with both values and both looks."""

    id: int
    key: Annotated[str, Meta(description="the same wherever the event is told")]
    image: str
    kind: str
    tags: tuple[str, ...]
    platforms: tuple[str, ...]
    topics: tuple[str, ...]
    before: str
    after: str
    note: str
    search: str
    at: dt.datetime
    recorded_at: dt.datetime
    changes: Any
    digest_before: str | None
    digest: str | None
    run_before: int | None
    run: int | None
    move: int | None
    acknowledgements: tuple[Acknowledgement, ...]


class Drift(msgspec.Struct):
    schema: Annotated[str, Meta(pattern="^cgexplorer\\.drift/1$")]
    events: tuple[DriftRow, ...]
    next: Annotated[
        int | None, Meta(description="asks for the events behind these, as before; null when there are none")
    ]
