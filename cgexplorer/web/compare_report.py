"""A comparison in words, as Markdown and as CSV. Its JSON is `Difference.as_json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from cgexplorer.compare import Difference, sentence
from cgexplorer.web import csv_cells

_KINDS = {"packages": "package", "licenses": "licence", "config": "configuration", "provenance": "provenance"}
CSV_COLUMNS = ("kind", "change", "ecosystem", "name", "from", "to")


class Row(msgspec.Struct, frozen=True):
    """One difference. `kind` is package, licence, configuration, provenance or signer."""

    kind: str
    change: str  # added, removed, upgraded, downgraded, versions changed, licence changed, changed, unknown
    ecosystem: str
    name: str
    before: str
    after: str


def rows(difference: Difference) -> Iterator[Row]:
    packages, licenses, signer = difference.packages, difference.licenses, difference.signer
    for change, versions in (
        ("upgraded", packages.upgraded),
        ("downgraded", packages.downgraded),
        ("versions changed", packages.changed),
    ):
        for one in versions:
            yield Row("package", change, one.ecosystem, one.name, ", ".join(one.before), ", ".join(one.after))
    for new in packages.added:
        yield Row("package", "added", new.ecosystem, new.name, "", new.version)
    for old in packages.removed:
        yield Row("package", "removed", old.ecosystem, old.name, old.version, "")
    for other in packages.license_changed:
        yield Row(
            "package", "licence changed", other.ecosystem, f"{other.name} {other.version}", other.before, other.after
        )
    for name in licenses.added:
        yield Row("licence", "added", "", name, "", name)
    for name in licenses.removed:
        yield Row("licence", "removed", "", name, name, "")
    for kind, values in (("configuration", difference.config), ("provenance", difference.provenance)):
        for value in values:
            yield Row(kind, _change(value.before, value.after), "", value.path, value.before or "", value.after or "")
    for name in difference.platforms.added:
        yield Row("platform", "added", "", name, "", name)
    for name in difference.platforms.removed:
        yield Row("platform", "removed", "", name, name, "")
    for part in difference.unknown:
        yield Row(_KINDS[part], "unknown", "", "", "", "")
    if signer.before != signer.after:
        yield Row("signer", _change(signer.before, signer.after), "", "", signer.before or "", signer.after or "")


def _change(before: str | None, after: str | None) -> str:
    return "added" if before is None else "removed" if after is None else "changed"


def headline(difference: Difference) -> str:
    """`postgres 18.3 → 18.4: 29 packages upgraded, 8 added, 8 removed; same signer`"""
    signer = difference.signer
    if signer.before is None and signer.after is None:
        who = "no known signer"
    elif signer.before is None or signer.after is None:
        who = f"the {'first' if signer.before is None else 'second'} has no known signer"
    else:
        who = "same signer" if signer.before == signer.after else "another signer"
    said = sentence(difference).rstrip(".")
    return f"{names(difference)}: {said[0].lower()}{said[1:]}; {who}"


def names(difference: Difference) -> str:
    """`postgres 18.3 → 18.4` for two tags of one image, else both references."""
    (image, before), (other, after) = (_parts(end.reference) for end in (difference.before, difference.after))
    if image == other:
        return f"{image.rpartition('/')[2]} {before} → {after}"
    return f"{image.rpartition('/')[2]} {before} → {other.rpartition('/')[2]} {after}"


def _parts(reference: str) -> tuple[str, str]:
    name, at, digest = reference.partition("@")
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        return head, tag
    return name, f"{digest[:15]}…" if at else "latest"


def as_text(difference: Difference) -> str:
    lines = [headline(difference), *(f"Note: {warning}" for warning in difference.warnings)]
    for heading, some in _sections(difference):
        lines += ["", heading, *(f"  {_line(row)}" for row in some)]
    return "\n".join(map(_printable, lines))


def as_markdown(difference: Difference) -> str:
    """GitHub's Markdown. What an SBOM says is code, in which nothing is a link or a tag."""
    before, after = difference.before, difference.after
    lines = [
        f"## {_escaped(headline(difference))}",
        "",
        f"- from {_code(before.reference)} {_code(before.digest)} {before.platform or ''}".rstrip(),
        f"- to {_code(after.reference)} {_code(after.digest)} {after.platform or ''}".rstrip(),
        *(f"- **Note:** {_escaped(warning)}" for warning in difference.warnings),
    ]
    for heading, some in _sections(difference):
        lines += ["", f"### {heading}", "", "| | what | from | to |", "|---|---|---|---|"]
        for row in some:
            what = _code(f"{row.ecosystem} {row.name}".strip())
            lines.append(f"| {row.change} | {what} | {_code(row.before)} | {_code(row.after)} |")
    return "\n".join(lines) + "\n"


def as_csv(difference: Difference) -> Iterable[str]:
    table = ((row.kind, row.change, row.ecosystem, row.name, row.before, row.after) for row in rows(difference))
    return csv_cells.lines(CSV_COLUMNS, table)


def _sections(difference: Difference) -> Iterator[tuple[str, list[Row]]]:
    found = list(rows(difference))
    for kind, heading in (
        ("package", "Packages"),
        ("licence", "Licences"),
        ("configuration", "Configuration"),
        ("provenance", "Provenance"),
        ("platform", "Platforms"),
        ("signer", "Signer"),
    ):
        if some := [row for row in found if row.kind == kind]:
            yield heading, some


def _line(row: Row) -> str:
    name = f"{row.ecosystem} {row.name}".strip()
    versions = " → ".join(filter(None, (row.before, row.after)))
    return " ".join(filter(None, (row.change, name, versions if name != versions else "")))


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def _code(text: str) -> str:
    if not text:
        return ""
    text = _printable(text)
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def _escaped(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#&!" else sign for sign in _printable(text))
