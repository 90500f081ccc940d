"""Suppliers, originators and creators, by spdx-tools' own rule."""

from __future__ import annotations

from functools import lru_cache

from spdx_tools.spdx.parser.actor_parser import ActorParser
from spdx_tools.spdx.parser.error import SPDXParsingError


@lru_cache(maxsize=16_384)
def normalise(text: str) -> str | None:
    """`Organization: Wolfi ()` becomes `Organization: Wolfi`; NOASSERTION stays; None when it is no actor."""
    if text == "NOASSERTION":
        return text
    try:
        return str(ActorParser.parse_actor(text))
    except SPDXParsingError:
        return None


def is_actor(text: str) -> bool:
    return normalise(text) is not None


def generator(creators: tuple[str, ...]) -> str:
    """`Tool: apko (v1.2.14)` and `Tool: syft-1.57.0` become `apko 1.2.14` and `syft 1.57.0`."""
    for creator in creators:
        if not creator.startswith("Tool:"):
            continue
        name = creator[len("Tool:") :].strip()
        head, opening, version = name.rpartition(" (")
        if not opening:
            head, opening, version = name.rpartition("-")
        version = version.rstrip(")").strip()
        if not opening or not head:
            return name
        if version == "[not provided]":  # syft built without a version
            return head.strip()
        version = version.removeprefix("v") if version[1:2].isdigit() else version
        return f"{head.strip()} {version}".strip()
    return ""
