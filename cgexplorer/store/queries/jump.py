"""What did a person paste? A digest, a reference, or a package."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from cgexplorer.oci import reference as references
from cgexplorer.oci.digest import is_digest
from cgexplorer.oci.errors import ReferenceError
from cgexplorer.oci.reference import Reference
from cgexplorer.spdx import query as queries
from cgexplorer.store.models import Component, Image, Manifest, Tag
from cgexplorer.store.queries import references as stored_names

# What no reference holds: a version constraint, a purl.
_PACKAGE = re.compile(r"[<>=!,\s]|^pkg:|^vers:")


class Target(msgspec.Struct, frozen=True):
    kind: Literal["digest", "image", "packages", "unknown"]
    name: str = ""  # of the image
    digest: str = ""
    reference: Reference | None = None  # of an unknown one: it may be fetched
    problem: str = ""  # why it is nothing that can be looked up


def target(text: str) -> Target:
    """Where the text leads. What is stored wins: `openssl` is a package when no image is called so."""
    text = text.strip()
    if is_digest(text):
        return _digest(text)
    if _PACKAGE.search(text):
        return Target("packages")
    try:
        reference = stored_names.parse(text)
    except ReferenceError as error:
        return Target("packages") if _is_package(text) else Target("unknown", problem=str(error))
    stored = _stored(reference) or _by_short_name(text)
    if stored is not None:
        return stored
    if "/" not in text and ":" not in text:
        return Target("packages")  # a bare word is a package to look for; a reference names its registry
    if reference.registry == stored_names.FILES_HOST:
        return Target("unknown", problem=f"No imported SBOM file is called {reference.name}.")
    return Target("unknown", reference=reference)


def _digest(text: str) -> Target:
    found = Manifest.objects.filter(digest=text).select_related("image").order_by("image__name").first()
    if found is None:
        return Target("unknown", problem=f"No stored image has the digest {text}.")
    return Target("digest", found.image.name, text)


def _stored(reference: Reference) -> Target | None:
    image = Image.objects.filter(name=reference.name).first()
    if image is None:
        return None
    if reference.digest:
        known = Manifest.objects.filter(image=image, digest=reference.digest).exists()
        return Target("digest", image.name, reference.digest) if known else Target("unknown", reference=reference)
    tag = Tag.objects.filter(image=image, name=reference.tag).select_related("manifest").first()
    if tag is not None:
        return Target("digest", image.name, tag.manifest.digest)
    # `latest` was perhaps only assumed: the image's own page lists what there is.
    return Target("image", image.name) if reference.tag == references.DEFAULT_TAG else None


def _by_short_name(text: str) -> Target | None:
    """`postgres:18.4` and `chainguard/postgres`, when only one stored image ends so."""
    path, _, tag = text.partition("@")[0].partition(":")
    found = list(Image.objects.filter(name__endswith=f"/{path}").order_by("name")[:2])
    if len(found) != 1:
        return None
    stored = _stored(Reference(found[0].registry.host, found[0].repository, tag or references.DEFAULT_TAG))
    return stored or Target("image", found[0].name)


def _is_package(text: str) -> bool:
    try:
        return Component.objects.filter(name__iexact=queries.parse(text).name).exists()
    except queries.QueryError:
        return False
