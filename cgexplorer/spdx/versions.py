"""Versions of an ecosystem: ordered, and tested against what a person asks for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

import msgspec

from cgexplorer.spdx.order_keys import COMPARATORS
from cgexplorer.spdx.purl import INSTALLED_AS

type Operator = Literal["<", "<=", "=", "!=", ">=", ">"]

_MAX_VERSION_CHARACTERS = 256
_MAX_CONSTRAINTS = 20
_TERM = re.compile(r"^\s*(<=|>=|!=|==|<|>|=)?\s*(\S+)\s*$")
_OPERATORS: dict[str, Operator] = {"<": "<", "<=": "<=", "=": "=", "==": "=", "!=": "!=", ">=": ">=", ">": ">"}


class ConstraintError(ValueError):
    """What was typed is no version constraint. `str(error)` says why, in a sentence."""


class Constraint(msgspec.Struct, frozen=True):
    operator: Operator
    version: str

    def __str__(self) -> str:
        return f"{self.operator}{self.version}"


class VersionRange(msgspec.Struct, frozen=True):
    """All constraints hold together. `ecosystem` only when the text named one (`vers:apk/…`)."""

    constraints: tuple[Constraint, ...]
    ecosystem: str = ""

    def __str__(self) -> str:
        return ", ".join(map(str, self.constraints))


class KeyRange(msgspec.Struct, frozen=True):
    """A range of order keys; None is open on that side. `excluded` are single keys out of it."""

    low: bytes | None = None
    low_included: bool = True
    high: bytes | None = None
    high_included: bool = True
    excluded: tuple[bytes, ...] = ()


@lru_cache(maxsize=131_072)
def version_key(ecosystem: str, version: str) -> bytes | None:
    """Bytes that sort as `ecosystem` sorts its versions; None when its comparator does not understand `version`."""
    comparator = COMPARATORS.get(ecosystem)
    if comparator is None or not version or len(version) > _MAX_VERSION_CHARACTERS:
        return None
    return comparator(version)


def parse_constraint(text: str) -> VersionRange:
    """Read `<3.3.2`, `>=1.0, <2`, `3.3.1-r0` or `vers:apk/>=1.0|<3.3.2-r0`.

    A bare version means exactly that one. Raises ConstraintError.
    Source of the vers: form: the VERS specification. There several intervals (`vers:apk/>=1|<2|>=3|<4`) are
    alternatives; all of ours hold together, so they are refused: read so, they would find nothing.
    """
    ecosystem = ""
    terms = text.split(",")
    if text.strip()[:5].lower() == "vers:":
        ecosystem, slash, rest = text.strip()[len("vers:") :].partition("/")
        if not slash or not ecosystem.isalnum():
            raise ConstraintError("A vers: range looks like vers:apk/>=1.0|<3.3.2-r0.")
        ecosystem = INSTALLED_AS.get(ecosystem.lower(), ecosystem.lower())
        if ecosystem not in COMPARATORS:
            known = ", ".join(sorted(COMPARATORS))
            raise ConstraintError(f"The order of {ecosystem} versions is not known here; those of {known} are.")
        terms = [unquote(term) for term in rest.split("|")]
    if len(terms) > _MAX_CONSTRAINTS:
        raise ConstraintError(f"At most {_MAX_CONSTRAINTS} constraints can be combined.")
    constraints = tuple(_constraint(term) for term in terms if term.strip() not in ("", "*"))
    if not constraints and not any(term.strip() == "*" for term in terms):
        raise ConstraintError("A version or a range such as <3.3.2 is needed.")
    if sum(constraint.operator == "=" for constraint in constraints) > 1:
        raise ConstraintError("No version can equal two different ones; ask for one of them at a time.")
    if ecosystem and not _is_one_interval(ecosystem, constraints):
        raise ConstraintError("This vers: range has several intervals; ask for one of them at a time.")
    return VersionRange(constraints, ecosystem)


def _is_one_interval(ecosystem: str, constraints: tuple[Constraint, ...]) -> bool:
    low, high, same = (
        [one.version for one in constraints if one.operator in operators]
        for operators in ((">", ">="), ("<", "<="), "=")
    )
    if len(low) > 1 or len(high) > 1 or (same and (low or high)):
        return False
    ends = [key for version in (*low, *high) if (key := version_key(ecosystem, version)) is not None]
    return ends == sorted(ends)


def _constraint(term: str) -> Constraint:
    match = _TERM.match(term)
    if match is None or match[2][0] in "<>=!":
        raise ConstraintError(f"{term.strip()!r} is no version constraint; write one such as <3.3.2 or >=1.0, <2.")
    if len(match[2]) > _MAX_VERSION_CHARACTERS:
        raise ConstraintError(f"A version has at most {_MAX_VERSION_CHARACTERS} characters.")
    return Constraint(_OPERATORS[match[1] or "="], match[2])


def matches(ecosystem: str, version: str, wanted: VersionRange) -> bool | None:
    """Whether `version` lies in the range; None when that cannot be known in this ecosystem."""
    unknown = False
    for constraint in wanted.constraints:
        holds = _holds(ecosystem, version, constraint)
        if holds is False:
            return False
        unknown = unknown or holds is None
    return None if unknown else True


def _holds(ecosystem: str, version: str, constraint: Constraint) -> bool | None:
    mine, other = version_key(ecosystem, version), version_key(ecosystem, constraint.version)
    if mine is None or other is None:
        if version == constraint.version:
            return constraint.operator in ("=", "<=", ">=")
        if constraint.operator in ("=", "!="):
            return constraint.operator == "!="
        return None
    return {
        "<": mine < other,
        "<=": mine <= other,
        "=": mine == other,
        "!=": mine != other,
        ">=": mine >= other,
        ">": mine > other,
    }[constraint.operator]


def key_range(ecosystem: str, wanted: VersionRange) -> KeyRange | None:
    """The range as order keys, for an index; None when this ecosystem does not understand one of its versions."""
    low: tuple[bytes, bool] | None = None
    high: tuple[bytes, bool] | None = None
    excluded = []
    for constraint in wanted.constraints:
        key = version_key(ecosystem, constraint.version)
        if key is None:
            return None
        included = "=" in constraint.operator
        if constraint.operator == "!=":
            excluded.append(key)
            continue
        if constraint.operator in (">", ">=", "="):
            # At the same key, > is narrower than >=.
            low = (key, included) if low is None or (key, not included) > (low[0], not low[1]) else low
        if constraint.operator in ("<", "<=", "="):
            high = (key, included) if high is None or (key, included) < high else high
    return KeyRange(
        low=low[0] if low else None,
        low_included=low[1] if low else True,
        high=high[0] if high else None,
        high_included=high[1] if high else True,
        excluded=tuple(excluded),
    )


def direction(ecosystem: str, before: str, after: str) -> Literal["up", "down", "unknown"]:
    """Whether `after` is newer than `before`; unknown, too, for different texts of equal order."""
    mine, other = version_key(ecosystem, before), version_key(ecosystem, after)
    if mine is None or other is None or mine == other:
        return "unknown"
    return "up" if mine < other else "down"
