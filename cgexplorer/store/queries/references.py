"""From what a person typed to a stored manifest."""

from __future__ import annotations

import re

from django.db.models import QuerySet

from cgexplorer.oci import reference as references
from cgexplorer.oci.digest import is_digest
from cgexplorer.oci.errors import ReferenceError
from cgexplorer.oci.reference import Reference
from cgexplorer.store.models import Image, Manifest, Tag, TagMove

FILES_HOST = "local"  # the "registry" of imported SBOM files
# No tag has a ~ in it.
_PAST = re.compile(r"(?P<reference>[^~]+)~(?P<moves>\d{1,4})?")
MAX_NAMED = 8  # alternatives that a sentence lists


class UnknownReference(Exception):
    """Nothing stored has that name. `str(error)` says what is there instead, in a sentence."""


def parse(text: str) -> Reference:
    """As `oci.reference.parse`, and `local/name` is an SBOM file that was imported. Raises ReferenceError."""
    if not text.startswith(f"{FILES_HOST}/"):
        return references.parse(text)
    inside = references.parse(f"{FILES_HOST}.invalid/{text.partition('/')[2]}")
    return Reference(FILES_HOST, inside.repository, inside.tag, inside.digest)


def manifest(text: str) -> Manifest:
    """The manifest behind `name:tag`, `name@digest` or a lone digest; `name:tag~2` is what the tag meant two moves ago.

    Raises UnknownReference.
    """
    text = text.strip()
    if past := _PAST.fullmatch(text):
        return _earlier(past["reference"], int(past["moves"] or 1))
    if is_digest(text):
        found = _manifests().filter(digest=text).order_by("image__name").first()
        if found is None:
            raise UnknownReference(f"No stored image has the digest {text}.")
        return found
    try:
        reference = parse(text)
    except ReferenceError as error:
        raise UnknownReference(str(error)) from error
    image = Image.objects.filter(name=reference.name).first()
    if image is None:
        raise UnknownReference(f"{reference.name} is not stored here. Add it with: manage.py add_image {reference}")
    if reference.digest:
        found = _manifests().filter(image=image, digest=reference.digest).first()
        if found is None:
            raise UnknownReference(f"{reference.name} has no stored digest {reference.digest}.")
        return found
    tag = Tag.objects.filter(image=image, name=reference.tag).first()
    if tag is None:
        raise UnknownReference(f"{reference.name} has no stored tag {reference.tag}; {_there_is(image)}.")
    return _manifests().get(pk=tag.manifest_id)


def _earlier(text: str, moves: int) -> Manifest:
    now = manifest(text)
    reference = parse(text)
    if reference.digest or is_digest(text):
        raise UnknownReference(f"{text}~{moves}: a digest has no past; write a tag, such as {now.image.name}:latest~1.")
    builds = builds_of(now.image, reference.tag or "latest", moves + 1)
    if moves >= len(builds):
        raise UnknownReference(f"{text} was seen at {_counted(len(builds), 'digest')}, so there is no {text}~{moves}.")
    return builds[moves]


def builds_of(image: Image, tag: str, limit: int) -> list[Manifest]:
    """What the tag pointed to, the newest first, each digest once."""
    moves = TagMove.objects.filter(image=image, name=tag, manifest__isnull=False).order_by("-pk")
    keys = list(dict.fromkeys(moves.values_list("manifest_id", flat=True)[: limit * 4]))[:limit]
    found = _manifests().in_bulk(keys)
    return [found[key] for key in keys]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def platforms(of: Manifest) -> dict[str, Manifest]:
    """Platform to manifest. An image without an index answers for its own platform."""
    if not of.is_index:
        return {of.platform: of}
    found = _manifests().filter(parents__index=of).exclude(platform="unknown/unknown").order_by("parents__position")
    return {child.platform: child for child in reversed(found)}


def _manifests() -> QuerySet[Manifest]:
    return Manifest.objects.select_related("image", "config", "payload")


def _there_is(image: Image) -> str:
    names = list(Tag.objects.filter(image=image).order_by("-moved_at", "name").values_list("name", flat=True))
    if not names:
        return "there are none"
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"there is {', '.join(names[:MAX_NAMED])}{more}"
