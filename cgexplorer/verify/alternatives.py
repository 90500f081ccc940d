"""Which alternative of a pattern a value is: `https://issuer.enforce.dev/(ID1|ID2)` allows two signers, one signed.

Chainguard's private images are signed by an image syncer or by a custom image builder; their names end in an id each.
"""

from __future__ import annotations

import re

import re2

# One group of alternatives, with nothing else in brackets around or inside.
_ONE_GROUP = re.compile(r"[^()\[\]]*\(([^()\[\]?][^()\[\]]*)\)[^()\[\]]*")


def matched(pattern: str, value: str) -> str:
    """`ID2, alternative 2 of 2`, or with the group's name when it has one; "" for a pattern without alternatives."""
    if not pattern or not value:
        return ""
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error:
        return ""
    found = compiled.fullmatch(value) or compiled.search(value)
    if found is None:
        return ""
    named = next(((name, text) for name, text in found.groupdict().items() if text), None)
    if named is not None:
        return f"{named[1]}, {named[0].replace('_', ' ')}"
    group = _ONE_GROUP.fullmatch(pattern)
    if group is None or compiled.groups != 1 or "|" not in group[1] or not found[1]:
        return ""
    written = group[1].split("|")
    place = next((number for number, one in enumerate(written, 1) if re2.fullmatch(one, found[1])), 0)
    return f"{found[1]}, alternative {place} of {len(written)}" if place else ""
