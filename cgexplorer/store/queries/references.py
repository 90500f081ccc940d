"""From what a person typed to a stored manifest."""

from __future__ import annotations

from django.db.models import QuerySet

from cgexplorer.oci import reference as references
from cgexplorer.oci.digest import is_digest
from cgexplorer.oci.errors import ReferenceError
from cgexplorer.oci.reference import Reference
from cgexplorer.store.models import Image, Manifest, Tag

FILES_HOST = "local"  # the "registry" of imported SBOM files
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
    """The manifest behind `name:tag`, `name@digest` or a lone digest. Raises UnknownReference."""
    text = text.strip()
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
