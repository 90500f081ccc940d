"""Order keys: bytes that sort as an ecosystem sorts its versions, so that a range search is an index scan.

Each function answers None for a version that its ecosystem's own comparator would not understand: never a guess.
A number is written as its length in bytes and its bytes, so that 10 sorts after 9.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from packaging.version import InvalidVersion, Version


def _number(digits: str | int) -> bytes:
    value = int(digits)
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


# apk-tools, src/version.c: what follows the digits ranks pre-suffix < end < revision < suffix < letter < component.
_APK = re.compile(
    r"^(?P<numbers>\d+(?:\.\d+)*)(?P<letter>[a-z]?)"
    r"(?P<suffixes>(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*)(?:~[0-9a-f]+)?(?:-r(?P<revision>\d+))?$",
    re.ASCII,
)
_APK_SUFFIX = re.compile(r"_([a-z]+)(\d*)", re.ASCII)
_APK_RANK = {"alpha": 1, "beta": 2, "pre": 3, "rc": 4, "cvs": 6, "svn": 7, "git": 8, "hg": 9, "p": 10}
_FIRST_POST_SUFFIX = 5


def apk(version: str) -> bytes | None:
    """Alpine, Wolfi, Chainguard. `-r0` sorts after no revision at all."""
    match = _APK.fullmatch(version)
    if match is None:
        return None
    first, *others = match["numbers"].split(".")
    key = _number(first)
    for part in others:
        # After the first, a component with a leading zero is compared as text.
        key += b"\x05" + (b"\x00" + part.encode() + b"\x00" if part[0] == "0" else b"\x01" + _number(part))
    if match["letter"]:
        key += b"\x04" + match["letter"].encode()
    for suffix, digits in _APK_SUFFIX.findall(match["suffixes"]):
        rank = _APK_RANK[suffix]
        key += (b"\x01" if rank < _FIRST_POST_SUFFIX else b"\x03") + bytes([rank]) + _number(digits or 0)
    return key + b"\x02" + (_number(match["revision"]) if match["revision"] else b"")


# deb-version(7): ~ before the end, the end before letters, letters before everything else; digits as numbers.
_DEB = re.compile(r"^(?:(\d+):)?([A-Za-z0-9][A-Za-z0-9.+:~-]*)$", re.ASCII)
_DEB_RUN = re.compile(r"([^0-9]*)(\d*)", re.ASCII)


def deb(version: str) -> bytes | None:
    match = _DEB.fullmatch(version)
    if match is None:
        return None
    upstream, dash, revision = match[2].rpartition("-")
    if not dash:
        upstream, revision = match[2], "0"
    return _number(match[1] or 0) + _deb_part(upstream) + b"\x00" + _deb_part(revision or "0")


def _deb_part(text: str) -> bytes:
    key = bytearray()
    for other, digits in _DEB_RUN.findall(text):
        if not other and not digits:
            continue
        for character in other:
            if character == "~":
                key += b"\x01"
            elif character.isalpha():
                key.append(0x10 + ord(character))
            else:
                key += b"\xf0" + character.encode()
        key += b"\x02" + _number(digits or 0)
    return bytes(key) + b"\x02" + _number(0)


# rpm, rpmio/rpmvercmp.c: ~ before the end, the end before ^, ^ before letters, letters before numbers.
_RPM = re.compile(r"^(?:(\d+):)?([A-Za-z0-9._+~^]+)(?:-([A-Za-z0-9._+~^]+))?$", re.ASCII)
_RPM_TOKEN = re.compile(r"~|\^|\d+|[A-Za-z]+", re.ASCII)


def rpm(version: str) -> bytes | None:
    match = _RPM.fullmatch(version)
    if match is None:
        return None
    return _number(match[1] or 0) + _rpm_part(match[2]) + _rpm_part(match[3] or "")


def _rpm_part(text: str) -> bytes:
    key = b""
    for piece in _RPM_TOKEN.findall(text):
        if piece == "~":
            key += b"\x01"
        elif piece == "^":
            key += b"\x03"
        elif piece[0].isdigit():
            key += b"\x06" + _number(piece)
        else:
            key += b"\x05" + piece.encode() + b"\x00"
    return key + b"\x02"


# semver 2.0, clause 11; fewer numbers are accepted as zeros, a fourth as NuGet has it.
_SEMVER = re.compile(
    r"^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]*)?$",
    re.ASCII,
)


def semver(version: str) -> bytes | None:
    match = _SEMVER.fullmatch(version)
    if match is None:
        return None
    key = b"".join(_number(match[place] or 0) for place in (1, 2, 3, 4))
    if match[5] is None:
        return key + b"\xff"
    key += b"\x01"
    for identifier in match[5].split("."):
        key += b"\x02" + _number(identifier) if identifier.isdigit() else b"\x03" + identifier.encode() + b"\x00"
    return key + b"\x00"


def golang(version: str) -> bytes | None:
    """The toolchain's version may have `go` before it; `+incompatible` does not count."""
    return semver(version.removeprefix("go"))


def nuget(version: str) -> bytes | None:
    """Labels of pre-releases are compared without regard to case."""
    return semver(version.lower())


# RubyGems, Gem::Version#<=>: segments; a text is a pre-release and sorts before the end; numbers after it.
_GEM = re.compile(r"^\d+(?:\.[0-9A-Za-z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$", re.ASCII)
_GEM_SEGMENT = re.compile(r"\d+|[A-Za-z]+", re.ASCII)


def gem(version: str) -> bytes | None:
    if not _GEM.fullmatch(version):
        return None
    key = b""
    zeros = b""
    for segment in _GEM_SEGMENT.findall(version.replace("-", ".pre.")):
        if segment.isdigit():
            if int(segment) == 0:
                zeros += b"\x06" + _number(0)  # zeros before a text or the end do not count
                continue
            key += zeros + b"\x06" + _number(segment)
        else:
            key += b"\x02" + segment.encode() + b"\x00"
        zeros = b""
    return key + b"\x04"


_PEP440_PHASE = {"a": b"a", "b": b"b", "rc": b"r"}


def pypi(version: str) -> bytes | None:
    """PEP 440, the order of packaging.version: dev < pre < release < post; a local part sorts after none."""
    try:
        parsed = Version(version)
    except InvalidVersion:
        return None
    release = list(parsed.release)
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    key = _number(parsed.epoch) + b"".join(b"\x05" + _number(part) for part in release)
    if parsed.pre is not None:
        key += b"\x02" + _PEP440_PHASE[parsed.pre[0]] + _number(parsed.pre[1])
    else:
        key += b"\x01" if parsed.post is None and parsed.dev is not None else b"\x03"
    key += b"\x00" if parsed.post is None else b"\x01" + _number(parsed.post)
    key += b"\x01" if parsed.dev is None else b"\x00" + _number(parsed.dev)
    for part in (parsed.local or "").split("."):
        if part:
            key += b"\x03" + _number(part) if part.isdigit() else b"\x02" + part.encode() + b"\x00"
    return key + b"\x00"


# Maven's ComparableVersion, for the versions that people write: numbers, then one known qualifier with or without
# a number, or one other word. Its nested lists have no bytes that sort alike, so what is left is not understood.
# A qualifier after a dot is an item of the list of numbers and sorts before one after a dash, which is a list of its
# own; zeros before a dot count, zeros before a dash or the end do not.
_MAVEN = re.compile(r"^(\d+(?:\.\d+)*)(?:([.-]?)([a-z]+)(?:-?(\d+))?)?$", re.ASCII)
_MAVEN_RANK = {"alpha": 1, "a": 1, "beta": 2, "b": 2, "milestone": 3, "m": 3, "rc": 4, "cr": 4, "snapshot": 5}
_MAVEN_RELEASE = frozenset({"final", "ga", "release"})
_MAVEN_ONLY_BEFORE_DIGIT = frozenset({"a", "b", "m"})


def maven(version: str) -> bytes | None:
    match = _MAVEN.fullmatch(version.lower())
    if match is None:
        return None
    numbers = [int(part) for part in match[1].split(".")]
    zeros = 0
    while numbers and numbers[-1] == 0:
        numbers.pop()
        zeros += 1
    key = b"".join(b"\x09" + _number(part) for part in numbers)
    dotted, word, digits = match[2] == ".", match[3], match[4]
    if word is None or (word in _MAVEN_RELEASE and digits is None):
        return key + b"\x06"
    if word in _MAVEN_RANK:
        if word in _MAVEN_ONLY_BEFORE_DIGIT and digits is None:
            return None
        place = (b"\x02" + bytes([zeros]) if zeros else b"\x00") if dotted else b"\x01"
        return key + place + bytes([_MAVEN_RANK[word]]) + _number(digits or 0)
    if dotted or word in _MAVEN_RELEASE:
        return None
    if word == "sp":
        return key + b"\x07" + _number(digits or 0)
    return key + b"\x08" + word.encode() + b"\x00" if digits is None else None


COMPARATORS: dict[str, Callable[[str], bytes | None]] = {
    "apk": apk,
    "deb": deb,
    "rpm": rpm,
    "npm": semver,
    "cargo": semver,
    "hex": semver,
    "swift": semver,
    "pub": semver,
    "golang": golang,
    "nuget": nuget,
    "gem": gem,
    "pypi": pypi,
    "maven": maven,
}
