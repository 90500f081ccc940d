"""What a person types to find a package: one parser for the page, the command and the jump box."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from cgexplorer.spdx import purl as purls
from cgexplorer.spdx.query_filters import FilterError, Filters, take
from cgexplorer.spdx.versions import ConstraintError, VersionRange, parse_constraint

MAX_CHARACTERS = 200  # of the whole query
MIN_PART_CHARACTERS = 3  # a shorter text cannot use the trigram index, so it is matched as a whole name only

# In a purl's qualifiers `=` is part of it, before them it begins a version.
_PURL = re.compile(r"(?P<name>pkg:[^\s<>!=?#]*(?:[?#][^\s<>!]*)?)(?P<versions>.*)", re.DOTALL | re.IGNORECASE)
_OPERATOR = re.compile(r"\s*(?:[<>]=?|[!=]=|=|\bvers:)", re.IGNORECASE)
_ECOSYSTEM = re.compile(r"[a-z][a-z0-9.+-]{0,31}")
_BARE_VERSION = re.compile(r"v?\d\S*")

type Scope = Literal["current", "all"]


class QueryError(ValueError):
    """What was typed asks for nothing. `str(error)` is a sentence for the person who typed it."""


class Query(msgspec.Struct, frozen=True):
    """Which packages, and of which versions.

    `name` is a whole name or a part of one, "" when only filters say what is wanted. `namespace` is None when nobody
    said one; `alternatives` are the readings of `golang.org/x/net` and `org.apache:log4j` as (namespace, name).
    """

    name: str
    ecosystem: str = ""
    namespace: str | None = None
    arch: str = ""
    versions: VersionRange | None = None
    alternatives: tuple[tuple[str, str], ...] = ()
    filters: Filters = Filters()

    @property
    def is_purl(self) -> bool:
        """A purl names one component or source exactly: no part of a name."""
        return self.namespace is not None

    @property
    def can_match_part(self) -> bool:
        return not self.is_purl and len(self.name) >= MIN_PART_CHARACTERS

    def __str__(self) -> str:
        whole = f"{self.namespace}/{self.name}" if self.namespace else self.name
        said = f"{whole} {self.versions}".replace("<", "< ").replace("< =", "<= ") if self.versions else whole
        return " ".join(filter(None, (said, str(self.filters))))


def parse(text: str, versions: str = "", ecosystem: str = "") -> Query:
    """Read a search as typed, with the version and type boxes beside it.

        openssl                     every version
        openssl<3.3.2               also `openssl < 3.3.2`, `openssl >=1.0,<2`, `openssl@3.3.1-r0`, `openssl 3.3.1-r0`
        openssl vers:apk/<3.3.2-r0  the range says its ecosystem
        pkg:apk/wolfi/openssl       a purl names one component or source; `@version` and qualifier arch narrow it
        license:GPL-* role:module   beside a name or without one; `query_filters` lists them

    Raises QueryError. Sources: purl-spec, VERS specification.
    """
    text, versions, ecosystem = text.strip(), versions.strip(), ecosystem.strip().lower()
    _check_characters(text, versions)
    if ecosystem and not _ECOSYSTEM.fullmatch(ecosystem):
        raise QueryError(f"{ecosystem!r} is no package type; write one such as apk, deb, golang or npm.")
    text, filters, said = _filters(text)
    ecosystem = _one_of(purls.INSTALLED_AS.get(ecosystem, ecosystem), purls.INSTALLED_AS.get(said, said))
    if text[:4].lower() == "pkg:":
        return msgspec.structs.replace(_of_purl(text, versions, ecosystem), filters=filters)
    name, typed = _split(text)
    if typed and versions:
        raise QueryError(f"The version is given twice: {typed} and {versions}. Remove one of them.")
    if not name and not filters:
        raise QueryError("Type the name of a package, such as openssl, before the version.")
    wanted = _range(typed or versions)
    ecosystem = _one_ecosystem(ecosystem, wanted)
    return Query(name, ecosystem=ecosystem, versions=wanted, alternatives=_alternatives(name), filters=filters)


def _filters(text: str) -> tuple[str, Filters, str]:
    try:
        return take(text)
    except FilterError as error:
        raise QueryError(str(error)) from error


def _one_of(ecosystem: str, said: str) -> str:
    if said and not _ECOSYSTEM.fullmatch(said):
        raise QueryError(f"{said!r} is no package type; write one such as apk, deb, golang or npm.")
    if ecosystem and said and ecosystem != said:
        raise QueryError(f"The type is given twice: {ecosystem} and {said}. Remove one of them.")
    return ecosystem or said


def _check_characters(text: str, versions: str) -> None:
    if not text:
        raise QueryError("Type the name of a package or a purl.")
    if len(text) + len(versions) > MAX_CHARACTERS:
        raise QueryError(f"A search has at most {MAX_CHARACTERS} characters; this one has {len(text) + len(versions)}.")
    if not (text + versions).isprintable():
        raise QueryError("The search contains a control character or one that cannot be shown; type it again.")


def _of_purl(text: str, versions: str, ecosystem: str) -> Query:
    match = _PURL.fullmatch(text)
    found = purls.parse(match["name"]) if match else None
    if match is None or found is None:
        raise QueryError("This is no package URL; one looks like pkg:apk/wolfi/openssl@3.3.2-r0.")
    said = [part for part in (found.version, match["versions"].strip(), versions) if part]
    if len(said) > 1:
        raise QueryError(f"The version is given twice: {said[0]} and {said[1]}. Remove one of them.")
    if ecosystem and ecosystem != found.type:
        raise QueryError(f"The purl is of type {found.type}, but the type asked for is {ecosystem}.")
    wanted = _range(f"={found.version}" if found.version else "".join(said))
    _one_ecosystem(found.type, wanted)
    # Whoever installs packages has a name, and this purl does not say it: then it is any of them.
    namespace = None if found.type in purls.INSTALLED_TYPES and not found.namespace else found.namespace
    return Query(found.name, ecosystem=found.type, namespace=namespace, arch=found.arch, versions=wanted)


def _split(text: str) -> tuple[str, str]:
    """Name and versions. An `@` in front belongs to an npm scope, one after the name begins a version."""
    if match := _OPERATOR.search(text):
        return text[: match.start()].strip(), text[match.start() :].strip()
    name, at, version = text.rpartition("@")
    if at and name.strip() and version.strip() and "/" not in version:
        return name.strip(), f"={version.strip()}"
    name, _, version = text.rpartition(" ")
    if name.strip() and _BARE_VERSION.fullmatch(version):
        return name.strip(), f"={version}"
    return text, ""


def _range(text: str) -> VersionRange | None:
    if not text:
        return None
    try:
        wanted = parse_constraint(text)
    except ConstraintError as error:
        raise QueryError(str(error)) from error
    return wanted if wanted.constraints or wanted.ecosystem else None


def _one_ecosystem(ecosystem: str, wanted: VersionRange | None) -> str:
    said = wanted.ecosystem if wanted else ""
    if said and ecosystem and said != ecosystem:
        raise QueryError(f"The range is one of {said} versions, but the type asked for is {ecosystem}.")
    return ecosystem or said


def _alternatives(name: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (namespace, last)
        for namespace, separator, last in (name.rpartition("/"), name.rpartition(":"))
        if separator and namespace and last
    )
