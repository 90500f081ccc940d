"""Links that narrow a search by what its answer divides into, and links that take a filter away again."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cgexplorer.spdx.purl import full_name
from cgexplorer.spdx.query_filters import NOT_STATED, Filters, take
from cgexplorer.store.queries.facets import Facet, Key

TITLES = {"type": "Type", "name": "Package", "role": "Role", "license": "Licence"}


class Choice(msgspec.Struct, frozen=True):
    """`link` is "" where no search can ask for just this."""

    text: str
    link: str
    images: int
    digests: int


class Group(msgspec.Struct, frozen=True):
    title: str
    choices: tuple[Choice, ...]
    more: int


class Removable(msgspec.Struct, frozen=True):
    text: str
    link: str


type Link = Callable[..., str]  # the page's query string with some parameters changed


def groups(facets: tuple[Facet, ...], typed: str, link: Link) -> tuple[Group, ...]:
    """`typed` is the search as it was typed: the filters in it are replaced, the rest stays."""
    rest, filters, _ = take(typed)
    narrow = {
        "type": lambda key: link(type=key[0], q=_text(rest, filters)) if key[0] else "",
        "name": lambda key: _by_name(key, rest, filters, link),
        "role": lambda key: link(q=_text(rest, msgspec.structs.replace(filters, role=key[0]))),
        "license": lambda key: _by_license(key[0], rest, filters, link),
    }
    return tuple(
        Group(
            TITLES[facet.name],
            tuple(
                Choice(_label(facet.name, value.key), narrow[facet.name](value.key), value.images, value.digests)
                for value in facet.values
            ),
            facet.more,
        )
        for facet in facets
    )


def removable(typed: str, link: Link) -> tuple[Removable, ...]:
    """Every filter of the search as typed, with the search without it."""
    rest, filters, ecosystem = take(typed)
    of_type = f" type:{ecosystem}" if ecosystem else ""
    found = []
    for name in Filters.__struct_fields__:
        without = msgspec.structs.replace(filters, **{name: None if name == "cpe" else ""})
        if without != filters:
            only = Filters(**{name: getattr(filters, name)})
            found.append(Removable(str(only), link(q=_text(rest + of_type, without))))
    return tuple(found)


def _text(rest: str, filters: Filters) -> str:
    return " ".join(filter(None, (rest, str(filters))))


def _label(facet: str, key: Key) -> str:
    if facet == "name":
        return full_name(*key)
    return "not stated" if key[0] in ("", NOT_STATED) else key[0]


def _by_name(key: Key, rest: str, filters: Filters, link: Link) -> str:
    ecosystem, namespace, name = key
    whole = "/".join(filter(None, (namespace, name)))
    if not ecosystem or not _can_be_written(whole):
        return ""
    return link(type=ecosystem, q=_text(rest, msgspec.structs.replace(filters, name=whole)))


def _can_be_written(value: str) -> bool:
    """Whether it can stand behind the key of a filter."""
    return '"' not in value and value.isprintable()


def _by_license(licence: str, rest: str, filters: Filters, link: Link) -> str:
    if not _can_be_written(licence):
        return ""
    return link(q=_text(rest, msgspec.structs.replace(filters, license=licence)))


def like_it(names: tuple[str, ...], link: Link) -> list[tuple[str, str]]:
    return [(name, link(q=name)) for name in names]
