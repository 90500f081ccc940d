"""Which policies and roots judge an image."""

from __future__ import annotations

from fnmatch import fnmatchcase

from cgexplorer.store.models import Image, PolicyRow, TrustRoot, TrustUpdate
from cgexplorer.verify.trust_refresh import Versions
from cgexplorer.verify.trust_root import PUBLIC_GOOD

_WILDCARDS = "*?["


def policies_for(name: str) -> list[PolicyRow]:
    """The current policies for the image of this name: those whose pattern is most specific, all of them.

    The longer the text before a pattern's first wildcard, the more specific it is: `cgr.dev/chainguard/*` decides
    over `cgr.dev/*`. Without any the verdict is `no policy`.
    """
    matching = [row for row in _current() if fnmatchcase(name, row.pattern)]
    most = max((_specificity(row.pattern) for row in matching), default=0)
    return [row for row in matching if _specificity(row.pattern) == most]


def images_decided_by(name: str, pattern: str) -> tuple[str, ...]:
    """Stored images that a policy of this name and pattern would decide for: no other one names them more closely."""
    others = [row.pattern for row in _current() if row.name != name]
    found = Image.objects.order_by("name").values_list("name", flat=True)
    return tuple(
        image
        for image in found
        if fnmatchcase(image, pattern)
        and all(_specificity(pattern) >= _specificity(other) for other in others if fnmatchcase(image, other))
    )


def newest(name: str) -> TrustUpdate | None:
    """The step that says which root is trusted under this name now."""
    steps = TrustUpdate.objects.filter(name=name, trust_root__isnull=False)
    return steps.select_related("trust_root__payload").order_by("-pk").first()


def current(name: str) -> TrustRoot | None:
    """The root that is trusted under this name now."""
    step = newest(name)
    return step.trust_root if step is not None else None


def private_names() -> list[str]:
    """Names that a policy can give: of the roots that somebody imported."""
    steps = TrustUpdate.objects.filter(trust_root__isnull=False, trust_root__is_sample=False).exclude(name=PUBLIC_GOOD)
    return list(steps.order_by("name").values_list("name", flat=True).distinct())


def seen_versions() -> Versions | None:
    """Of the newest TUF metadata that was believed; None when there was none yet."""
    roles = Versions.__struct_fields__
    steps = TrustUpdate.objects.filter(name=PUBLIC_GOOD, trust_root__isnull=False, expires_at__isnull=False)
    found = steps.order_by("-pk").values_list(*(f"{role}_version" for role in roles)).first()
    return Versions(*found) if found else None


def _current() -> list[PolicyRow]:
    return list(PolicyRow.objects.filter(current=True).select_related("trust_root__payload").order_by("name"))


def _specificity(pattern: str) -> int:
    return next((position for position, character in enumerate(pattern) if character in _WILDCARDS), len(pattern) + 1)
