"""Where the next page of a search begins, as an address or a command says it."""

from __future__ import annotations

from cgexplorer.store.queries.search import Position


def text(position: Position | None) -> str:
    return f"{position.package_id}~{position.image}~{position.manifest_id}" if position else ""


def parse(text: str) -> Position | None:
    """None for what nobody could have been given."""
    package, _, rest = text.partition("~")
    image, _, manifest = rest.rpartition("~")
    # isdecimal alone is true of digits that int64 cannot hold.
    if not (package.isascii() and package.isdecimal() and manifest.isascii() and manifest.isdecimal()):
        return None
    if len(package) > 9 or len(manifest) > 18 or not image.isprintable():
        return None
    return Position(int(package), image, int(manifest))
