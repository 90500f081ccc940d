"""The answer to a search, as `cgexplorer.search/1`, as CSV and in words: for page, downloads and command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from cgexplorer.spdx.purl import full_name
from cgexplorer.spdx.query import Query
from cgexplorer.spdx.query_filters import Cpe
from cgexplorer.store.queries.search import Answer, Hit
from cgexplorer.web import csv_cells, positions

SCHEMA = "cgexplorer.search/1"
SHA1_DIGITS = 40
CSV_COLUMNS = (
    "ecosystem", "name", "version", "purl", "image", "tags", "digest", "platform", "state", "matched_by", "built_from",
    "order", "image_state",
)  # fmt: skip


def as_json(answer: Answer) -> bytes:
    return msgspec.json.encode(as_builtins(answer))


def as_builtins(answer: Answer) -> dict[str, Any]:
    query, universe = answer.query, answer.universe
    return {
        "schema": SCHEMA,
        "query": {
            "name": query.name,
            "namespace": query.namespace,
            "versions": str(query.versions) if query.versions else "",
            "ecosystem": query.ecosystem,
            "filters": {name: str(value) for name in query.filters.__struct_fields__ if (value := said(query, name))},
            "scope": answer.scope,
            "include_unverified": answer.include_unverified,
        },
        "universe": {
            "images": universe.images,
            "digests": universe.digests,
            "searched_images": universe.searched_images,
            "searched_digests": universe.searched_digests,
            "pruned_digests": universe.pruned_digests,
            "partly_searched_digests": universe.partly_digests,
            "without_verified_sbom": list(universe.blind_images),
            "not_searched": [msgspec.to_builtins(blind) for blind in universe.blind],
            "partly_searched": [msgspec.to_builtins(blind) for blind in universe.partly],
        },
        "total": {"images": answer.images, "digests": answer.digests},
        "names_cut_off": answer.names.cut_off_names,
        "more": answer.after is not None,
        "next": positions.text(answer.after),
        "hint": hint(answer),
        "names_like_it": list(answer.names.like_it),
        "results": [row(hit) for hit in answer.hits],
        "unordered": [row(hit) for hit in answer.unordered],
        "unordered_cut_off": answer.unordered_cut_off,
    }


def row(hit: Hit) -> dict[str, Any]:
    return {
        "purl": hit.purl,
        "name": full_name(hit.ecosystem, hit.namespace, hit.name),
        "version": hit.version,
        "ecosystem": hit.ecosystem,
        "image": hit.image,
        "tags": list(hit.tags),
        "digest": hit.digest,
        "platform": hit.platform,
        "state": hit.state,
        "image_state": hit.image_state,
        "matched_by": hit.matched_by,
        "built_from": hit.built_from,
    }


def said(query: Query, name: str) -> str:
    """A filter as it was asked; "" when it was not."""
    value = getattr(query.filters, name)
    return value.text if isinstance(value, Cpe) else value or ""


def hint(answer: Answer) -> str:
    """What a person may not expect of the search, such as what an ecosystem's order makes of a range; "" mostly."""
    return " ".join(filter(None, (ask(answer) for ask in _HINTS)))


def _hint_of_checksums(answer: Answer) -> str:
    if len(answer.query.filters.checksum) != SHA1_DIGITS:
        return ""
    return "A package whose SBOM states its SHA-256 too is found by that alone, not by its SHA-1: search both."


# How their versions end, where a project's own version does not.
_BUILDS = {"apk": ("-r", "build number"), "deb": ("-", "revision"), "rpm": ("-", "release")}


def _hint_of_builds(answer: Answer) -> str:
    query = answer.query
    ranges = query.versions.constraints if query.versions else ()
    for ecosystem in filter(_BUILDS.__contains__, answer.names.named_in):
        before, what = _BUILDS[ecosystem]
        ends = re.compile(rf"{before}\d+$" if ecosystem == "apk" else before)
        for one in ranges:
            if one.operator not in ("<=", "=") or ends.search(one.version):
                continue
            is_held = any(package.ecosystem == ecosystem for package in answer.names.found)
            if one.operator == "=" and is_held and ecosystem != "apk":  # native Debian packages have no revision
                continue
            version, first, last = one.version, f"{one.version}{before}1", f"{one.version}{before}999"
            if one.operator == "=":
                return f"{ecosystem} versions end in a {what}: {first}. Write >={version},<={last} for all builds."
            return (
                f"In {ecosystem}'s order every build of {version} ({first} …) is above {version} itself, "
                f"so {one} leaves them out. Write <={last} to have them."
            )
    return ""


def _hint_of_epochs(answer: Answer) -> str:
    ecosystem, version = answer.names.hidden_by_epoch
    if not version:
        return ""
    return (
        f"In {ecosystem}'s order a version with an epoch is above every one without, so {answer.query.versions} "
        f"leaves out {version}. Write the epoch too: {version.partition(':')[0]}:…"
    )


def _hint_of_licenses(answer: Answer) -> str:
    if not answer.query.filters.license or answer.images:
        return ""
    return "license: is about the licence that a package declares; the concluded one counts where it declares none."


_HINTS = (_hint_of_builds, _hint_of_epochs, _hint_of_checksums, _hint_of_licenses)


def as_csv(answer: Answer) -> Iterable[str]:
    return csv_cells.lines(CSV_COLUMNS, cells(answer))


def cells(answer: Answer) -> Iterator[list[Any]]:
    """Of CSV_COLUMNS: each hit, then those without a known order."""
    for hits, order in ((answer.hits, "known"), (answer.unordered, "unknown")):
        for hit in hits:
            found = row(hit) | {"order": order}
            yield [found[column] for column in CSV_COLUMNS]


def subject(answer: Answer) -> str:
    """`openssl < 3.3.2 (apk order)`, `license:GPL-* (apk)`"""
    query = answer.query
    if query.versions and answer.names.ecosystems:
        return f"{query} ({' and '.join(answer.names.ecosystems)} order)"
    return f"{query} ({query.ecosystem})" if query.ecosystem else str(query)


def headline(answer: Answer) -> str:
    """`openssl < 3.3.2 (apk order): 7 of 61 images; 3 images have no verified SBOM`"""
    return f"{subject(answer)}: {found(answer)}; {blind(answer)}"


def found(answer: Answer) -> str:
    number = f"{answer.images:,}" if answer.images else "none"
    at_least = "at least " if answer.names.cut_off_names else ""
    return f"{at_least}{number} of {_counted(answer.universe.images, 'image')}"


def blind(answer: Answer) -> str:
    """What was not searched. An image is counted once: as a whole, or for a platform of it."""
    if not answer.universe.images:
        return "no image is stored, so there was nothing to search"
    kind = "SBOM" if answer.include_unverified else "verified SBOM"
    whole = answer.universe.wholly_blind_images
    partly = len(answer.universe.blind_images) - whole
    said = f"{_counted(whole, 'image')} {_have(whole)} no {kind}" if whole or not partly else ""
    if partly:
        more = f"{partly:,} more {_have(partly)}" if said else f"{_counted(partly, 'image')} {_have(partly)}"
        said = f"{said}, {more}" if said else more
        said += " none for some platform" if whole else f" no {kind} for some platform"
    said = said if whole or partly else f"every image has a {kind}"
    said = f"{said}; {pruned(answer)}" if answer.universe.pruned_digests else said
    partly_searched = answer.universe.partly_digests
    return (
        f"{said}; {_counted(partly_searched, 'digest')} {_were(partly_searched)} searched in part"
        if partly_searched
        else said
    )


def pruned(answer: Answer) -> str:
    """Of digests that were not searched: why, when it was the operator's rule."""
    number = answer.universe.pruned_digests
    return f"the SBOM{'' if number == 1 else 's'} of {_counted(number, 'digest')} {_were(number)} pruned"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"
