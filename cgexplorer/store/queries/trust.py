"""Which policies and roots judge an image."""

from __future__ import annotations

from fnmatch import fnmatchcase

from cgexplorer.store.models import PolicyRow

_WILDCARDS = "*?["


def policies_for(name: str) -> list[PolicyRow]:
    """The current policies for the image of this name: those whose pattern is most specific, all of them.

    The longer the text before a pattern's first wildcard, the more specific it is: `cgr.dev/chainguard/*` decides
    over `cgr.dev/*`. Without any the verdict is `no policy`.
    """
    matching = [row for row in _current() if fnmatchcase(name, row.pattern)]
    most = max((_specificity(row.pattern) for row in matching), default=0)
    return [row for row in matching if _specificity(row.pattern) == most]


def _current() -> list[PolicyRow]:
    return list(PolicyRow.objects.filter(current=True).select_related("trust_root__payload").order_by("name"))


def _specificity(pattern: str) -> int:
    return next((position for position, character in enumerate(pattern) if character in _WILDCARDS), len(pattern) + 1)
