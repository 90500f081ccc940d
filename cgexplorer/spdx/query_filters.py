"""What a search can ask beside a name: `license:GPL-*`, `supplier:Wolfi`, `checksum:…`, `role:module`, a CPE.

Written into the same box as the name, in any order. A value with spaces stands in quotes: supplier:"The Go Authors".
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from urllib.parse import unquote

import msgspec

from cgexplorer.spdx.document import CONTENTS
from cgexplorer.spdx.licenses import canonical, identifiers, normalise

NOT_STATED = "NOASSERTION"  # as a licence: of packages that state none
ROLES = tuple(str(role) for role in CONTENTS)

_TOKEN = re.compile(
    r"""(?<!\S)(?:
        (?P<cpe>cpe:(?:2\.3:|/)\S+)
      | (?P<sum>sha(?:256|1):[0-9A-Fa-f]+)
      | (?P<key>licen[sc]e|supplier|checksum|role|type|name):(?P<value>"[^"]*"|\S*)
    )(?!\S)""",
    re.VERBOSE | re.IGNORECASE,
)
_WILDCARD = re.compile(r"[*?\[]")
_HEX = re.compile(r"(?:sha(?:256|1):)?(?P<digits>[0-9a-f]{64}|[0-9a-f]{40})")
# A colon inside a CPE is written \: and stands for itself, as * and ? do behind a backslash.
_CPE_FIELD = re.compile(r"(?:\A|:)((?:[^:\\]|\\.)*)")
_CPE_WILDCARD = re.compile(r"(?<!\\)(?:\\\\)*[*?]")


class FilterError(ValueError):
    """`str(error)` is a sentence for the person who typed it."""


class Cpe(msgspec.Struct, frozen=True):
    """Vendor and product in lower case, without the escapes; `version` is "" when any will do."""

    vendor: str
    product: str
    version: str = ""
    text: str = ""


class Filters(msgspec.Struct, frozen=True):
    """Empty fields ask for nothing."""

    license: str = ""  # a licence, or a pattern of ones: GPL-*
    supplier: str = ""  # part of it
    checksum: str = ""  # hex of SHA-256 or SHA-1
    role: str = ""  # "installed" or "module"
    name: str = ""  # its own, with the namespace or without: not that of its source, and no part of one
    cpe: Cpe | None = None

    def __bool__(self) -> bool:
        return bool(self.license or self.supplier or self.checksum or self.role or self.name or self.cpe)

    def __str__(self) -> str:
        said = [f"{key}:{_quoted(value)}" for key, value in self._stated()]
        return " ".join(said + ([self.cpe.text] if self.cpe else []))

    def _stated(self) -> list[tuple[str, str]]:
        fields = ("license", "supplier", "checksum", "role", "name")
        return [(name, value) for name in fields if (value := getattr(self, name))]


def take(text: str) -> tuple[str, Filters, str]:
    """The rest of the text, the filters in it, and the package type if `type:` names one. Raises FilterError."""
    found: dict[str, str] = {}
    for token in _TOKEN.finditer(text):
        key, value = _key_and_value(token)
        if not value:
            raise FilterError(f"Write what is wanted behind {key}:, such as {_EXAMPLES[key]}.")
        if key in found:
            raise FilterError(f"{key}: is given twice; remove one of them.")
        found[key] = value
    rest = " ".join(_TOKEN.sub(" ", text).split()) if found else text
    return rest, _filters(found), found.get("type", "").lower()


_EXAMPLES = {
    "license": "license:GPL-*",
    "supplier": "supplier:Wolfi",
    "checksum": "checksum:9f86d081…",
    "role": "role:module",
    "type": "type:apk",
    "name": "name:libssl3",
    "cpe": "cpe:2.3:a:openssl:openssl:*",
}


def _key_and_value(token: re.Match[str]) -> tuple[str, str]:
    if token["cpe"]:
        return "cpe", token["cpe"]
    if token["sum"]:
        return "checksum", token["sum"]
    key = token["key"].lower()
    return "license" if key.startswith("licen") else key, token["value"].strip('"').strip()


def _filters(found: dict[str, str]) -> Filters:
    role = found.get("role", "").lower()
    if role and role not in ROLES:
        raise FilterError(f"Search knows the roles {' and '.join(ROLES)}; {role!r} is none of them.")
    cpe = found.get("cpe")
    if found.get("license", "").upper() == "NONE":
        raise FilterError(f"Packages that say NONE are found among those that state no licence: license:{NOT_STATED}.")
    return Filters(
        license=found.get("license", ""),
        supplier=found.get("supplier", ""),
        checksum=_checksum(found.get("checksum", "")),
        role=role,
        name=found.get("name", ""),
        cpe=parse_cpe(cpe) if cpe else None,
    )


def _checksum(text: str) -> str:
    match = _HEX.fullmatch(text.lower())
    if text and match is None:
        raise FilterError("Packages are found by their SHA-256 or SHA-1: 64 or 40 hexadecimal digits.")
    return match["digits"] if match else ""


def parse_cpe(text: str) -> Cpe:
    """CPE 2.3 formatted string or 2.2 URI. Raises FilterError. Source: NIST IR 7695."""
    uri = text.lower().startswith("cpe:/")
    written = _CPE_FIELD.findall(text[len("cpe:/") if uri else len("cpe:2.3:") :])
    if len(written) < 3 or not all(written[1:3]) or any(map(_CPE_WILDCARD.search, written[1:3])):
        raise FilterError("A CPE names a vendor and a product, both in full: cpe:2.3:a:openssl:openssl:*.")
    fields = [unquote(field) if uri else _unescaped(field) for field in written]
    version = fields[3] if len(fields) > 3 and fields[3] not in ("*", "-") else ""
    return Cpe(fields[1].lower(), fields[2].lower(), version, text)


def cpe_allows(cpe: Cpe, ecosystem: str, version: str) -> bool:
    """A CPE says the version of the project: 3.3.1, where a distribution says 3.3.1-r0 or 1:3.3.1-2ubuntu1."""
    said = {version, version.removeprefix("v")}
    if ecosystem == "apk":
        said.add(re.sub(r"-r\d+$", "", version))
    elif ecosystem in ("deb", "rpm"):
        plain = re.sub(r"^\d+:", "", version)
        said |= {plain, plain.rpartition("-")[0] or plain}
    return not cpe.version or cpe.version.removeprefix("v") in said


def _unescaped(field: str) -> str:
    return re.sub(r"\\(.)", r"\1", field)


def license_matches(expression: str, pattern: str) -> bool:
    """Whether a licence of the expression, or the whole expression, is what the pattern says.

    Case does not matter, nor which of its names a licence is called by (GPL-2.0, GPL-2.0-only), nor the order of parts.
    """
    if not _WILDCARD.search(pattern):
        pattern = normalise(pattern) or pattern
        if canonical(expression) == canonical(pattern):
            return True
    wanted = pattern.casefold()
    return any(_is_like(said.casefold(), wanted) for said in (*licenses_of(expression), expression))


def part_of_license(pattern: str) -> str:
    """A text that every expression has in which `license_matches` finds the pattern."""
    if _WILDCARD.search(pattern):
        return max(re.split(r"[*?]+", pattern.partition("[")[0]), key=len)
    found = identifiers(pattern)
    return found[0] if found else pattern


def licenses_of(expression: str) -> tuple[str, ...]:
    """What `license:` finds the expression by: its licences, one with an exception also without it."""
    found = [said for one in identifiers(expression) for said in (one, one.partition(" WITH ")[0])]
    return tuple(dict.fromkeys(found)) or (NOT_STATED,)


def _is_like(text: str, wanted: str) -> bool:
    return text == wanted or fnmatchcase(text, wanted)


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value
