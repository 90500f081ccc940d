"""Licence expressions: one spelling, and which family each licence of them belongs to.

Source: SPDX 2.3 annex "SPDX license expressions"; the parser is spdx-tools' own (license-expression).
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache, lru_cache
from typing import Any

from license_expression import ExpressionError, get_license_index
from spdx_tools.common.spdx_licensing import spdx_licensing

UNSTATED = frozenset({"", "NOASSERTION", "NONE"})
# The longest real one has 1,900 characters and a few parentheses; parser and printer recurse into them.
_MAX_EXPRESSION_CHARACTERS = 20_000
_MAX_PARENTHESES = 100


class Family(StrEnum):
    """From the fewest duties to the most."""

    PERMISSIVE = "permissive"
    WEAK_COPYLEFT = "weak copyleft"
    STRONG_COPYLEFT = "strong copyleft"
    NETWORK_COPYLEFT = "network copyleft"
    OTHER = "proprietary or other"
    UNKNOWN = "unknown"


# ScanCode's categories, which license-expression ships for every SPDX identifier. Network copyleft is not one
# of them: those licences that treat use over a network as distribution are named.
_FAMILY_OF_CATEGORY = {
    "Permissive": Family.PERMISSIVE,
    "Public Domain": Family.PERMISSIVE,
    "Copyleft Limited": Family.WEAK_COPYLEFT,
    "Copyleft": Family.STRONG_COPYLEFT,
    "Unstated License": Family.UNKNOWN,
}
_NETWORK = ("AGPL-", "SSPL-", "OSL-", "CPAL-", "RPL-", "NPOSL-", "EUPL-", "APSL-", "Watcom-")


def is_stated(expression: str | None) -> bool:
    return expression is not None and expression.strip().upper() not in UNSTATED


@lru_cache(maxsize=65_536)
def normalise(expression: str) -> str | None:
    """`(gpl-2.0+ or MIT)` becomes `GPL-2.0-or-later OR MIT`.

    "" when nothing is stated, None when it is not an expression.
    """
    if not is_stated(expression):
        return ""
    parsed = _parse(expression)
    return None if parsed is None else str(parsed)


@lru_cache(maxsize=65_536)
def canonical(expression: str) -> str:
    """For comparison: `B AND (A AND B)` and `A AND B` are the same licence. Text that is no expression stays."""
    parsed = _parse(expression) if is_stated(expression) else None
    return expression.strip() if parsed is None else _sorted(parsed)


@lru_cache(maxsize=65_536)
def identifiers(expression: str) -> tuple[str, ...]:
    """The licences of an expression, LicenseRefs among them; an exception stays with its licence."""
    parsed = _parse(expression) if is_stated(expression) else None
    if parsed is None:
        return (expression.strip(),) if is_stated(expression) else ()
    return tuple(dict.fromkeys(str(symbol) for symbol in spdx_licensing.license_symbols(parsed, decompose=False)))


@lru_cache(maxsize=65_536)
def is_listed(expression: str) -> bool:
    """Whether it is an expression of licences that the SPDX licence list has, and of nothing else."""
    found = identifiers(expression)
    return bool(found) and all(one.partition(" WITH ")[0].removesuffix("+") in _categories() for one in found)


@lru_cache(maxsize=65_536)
def families(expression: str) -> tuple[Family, ...]:
    """The families of all licences of an expression, fewest duties first; (UNKNOWN,) when nothing is stated."""
    found = {_family(identifier) for identifier in identifiers(expression)} or {Family.UNKNOWN}
    return tuple(family for family in Family if family in found)


def _family(identifier: str) -> Family:
    licence = identifier.partition(" WITH ")[0]
    if licence.startswith(_NETWORK):
        return Family.NETWORK_COPYLEFT
    category = _categories().get(licence)
    if category is None:
        return Family.UNKNOWN
    family = _FAMILY_OF_CATEGORY.get(category, Family.OTHER)
    # An exception gives back part of what a strong licence asks: GPL WITH Classpath-exception may be linked.
    if family is Family.STRONG_COPYLEFT and " WITH " in identifier:
        return Family.WEAK_COPYLEFT
    return family


@cache
def _categories() -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in get_license_index():
        for key in (entry.get("spdx_license_key"), *entry.get("other_spdx_license_keys", ())):
            if key:
                found.setdefault(key, entry["category"])
    return found


@lru_cache(maxsize=65_536)
def _parse(expression: str) -> Any:
    if len(expression) > _MAX_EXPRESSION_CHARACTERS or expression.count("(") > _MAX_PARENTHESES:
        return None
    try:
        return spdx_licensing.parse(expression)
    # The library asserts on `( AND MIT` and reaches into an empty list on `( )`.
    except (ExpressionError, AssertionError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _sorted(parsed: Any) -> str:
    operator = getattr(parsed, "operator", "").strip()
    if not operator:
        return str(parsed)
    flat: set[str] = set()
    waiting = list(parsed.args)
    while waiting:
        part = waiting.pop()
        if getattr(part, "operator", "").strip() == operator:
            waiting += part.args
        else:
            flat.add(_sorted(part))
    if len(flat) == 1:
        return flat.pop()
    return "(" + f" {operator} ".join(sorted(flat)) + ")"
