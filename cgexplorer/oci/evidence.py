"""Signed material of one digest, from both of cosign's storage places. Nothing here is believed yet.

Whatever could not be read is a `Problem` with place and reason and the rest goes on, because a signature that nobody
could look for is not an image without one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from cgexplorer.oci import digest as digests
from cgexplorer.oci import signed_forms, unread
from cgexplorer.oci.errors import NotFound, NotInLayout, NotNow, OciError, TooLarge
from cgexplorer.oci.manifest import Descriptor, Manifest
from cgexplorer.oci.source import Source

MAX_REFERRERS = 1000
MAX_ATTESTATION_BYTES = 32 << 20
MAX_TOTAL_BYTES = 128 << 20  # of one digest, as declared
PARALLEL = 3  # requests per host


class Form(StrEnum):
    LEGACY = "legacy"  # a layer of the tag sha256-<hex>.sig or .att, its proof in annotations
    BUNDLE = "bundle"  # a Sigstore bundle, attached as a referrer


class Kind(StrEnum):
    SIGNATURE = "signature"
    ATTESTATION = "attestation"


# Of one digest. Signatures are small and mostly over one payload: a thousand of them must not hide the good one.
MAX_OF_KIND: Mapping[Kind, int] = MappingProxyType({Kind.SIGNATURE: 1000, Kind.ATTESTATION: 100})
MAX_BUNDLES = 200  # whose kind only their content tells
MAX_CARRIER_BYTES = 64 << 10  # of a referrer that is kept as it is: usual ones have one or two KiB


class Evidence(msgspec.Struct, frozen=True):
    """One stored signature or attestation, exactly as the source holds it."""

    subject: str  # digest of the manifest that it is stored beside (a claim of the storage, not yet of the signer)
    form: Form
    kind: Kind  # as stored: .sig or .att; for bundles as the unverified predicate type says
    manifest: str  # digest of the manifest that carries it, "" for a lone file
    media_type: str  # of the layer
    content: bytes  # the layer: simple-signing payload, DSSE envelope, or bundle
    annotations: dict[str, str] = {}  # of the layer descriptor

    @property
    def layer(self) -> str:
        return digests.of(self.content)


class Problem(msgspec.Struct, frozen=True):
    """Something that could not be read, by name, so that `unsigned` is never said without proof."""

    place: str  # "referrers", "sha256-….sig", a digest
    reason: str


# Tried with crane 0.21, skopeo 1.9, oras 1.3, cosign 2.6 and 3.1 (decision 16).
_COPIED_ALONE = (
    "This layout does not say what its registry held beside the image: crane, skopeo and oras copy an image without "
    "the tags of its signatures, cosign save without attached bundles."
)


class Discovery(msgspec.Struct, frozen=True):
    """All that was found for one digest. With `problems`, or `unproven`, absence proves nothing."""

    subject: str
    evidence: tuple[Evidence, ...] = ()
    problems: tuple[Problem, ...] = ()
    carriers: tuple[bytes, ...] = ()  # the manifests that carry the evidence, for those who hand it on
    unproven: str = ""  # why what was not found may be elsewhere all the same

    @property
    def doubts(self) -> tuple[Problem, ...]:
        """The problems, and that a missing signature proves nothing."""
        is_signed = any(one.kind is Kind.SIGNATURE for one in self.evidence)
        return (
            self.problems if is_signed or not self.unproven else (*self.problems, Problem("signatures", self.unproven))
        )


class _Place(NamedTuple):
    """A layer to fetch, and what its place says of it."""

    name: str
    form: Form
    kind: Kind | None  # None: the content tells
    manifest: str
    layer: Descriptor


class _Found(NamedTuple):
    places: tuple[_Place, ...] = ()
    problems: tuple[Problem, ...] = ()
    carrier: bytes = b""
    was_read: bool = False  # an exported layout says that nothing was left unread at the source


def discover(source: Source, repository: str, digest: str, *, name: str = "", only: Kind | None = None) -> Discovery:
    """Everything signed that `source` stores beside `digest`, in a stable order. Raises no `OciError` but `NotNow`.

    At most 1,000 signatures and 100 attestations are taken; what is over is a problem, not silence. `name` is the
    image's as its signers know it, registry included: it saves a request. With `only`, the classic tag of the other
    kind is not asked for; bundles are, since only their content tells what they are.

    What a layout lacks is `unproven` unless it says that there was no more, or holds signatures by their tags.
    """
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="discover") as pool:
        listing = pool.submit(_listed, source, repository, digest)
        tags = [
            pool.submit(_legacy, source, repository, digest, kind)
            for kind in (Kind.SIGNATURE, Kind.ATTESTATION)
            if only in (None, kind)
        ]
        listed, excess = listing.result()
        attached = list(pool.map(lambda one: _referrer(source, repository, digest, one), listed))
        found = [*(tag.result() for tag in tags), *attached]
        places, late = _within_limits([place for one in found for place in one.places])
        # A layout is read whole, so that damage in it shows; a registry is not asked for bytes that are known.
        known = _usual_payload(name, digest) if source.kind == "registry" else b""
        contents = _contents(pool, source, repository, places, known)
        if source.has_signature_tags and not (places or excess or any(one.problems for one in found)):
            late += _silence(source, repository, digest)
    read = [_evidence(digest, place, contents[_blob(place)]) for place in places]
    problems = [*(p for one in found for p in one.problems), *excess, *late]
    problems += [one for one in read if isinstance(one, Problem)]
    evidence, over = _count_again([one for one in read if isinstance(one, Evidence)])
    proves_absence = source.has_signature_tags or any(one.was_read for one in found)
    carriers = tuple(dict.fromkeys(one.carrier for one in found if one.places and one.carrier))
    every = tuple(dict.fromkeys([*problems, *over]))
    return Discovery(digest, evidence, every, carriers, "" if proves_absence else _COPIED_ALONE)


def _silence(source: Source, repository: str, digest: str) -> list[Problem]:
    """Nothing was there: was the registry? A proxy before one that starts again answers 404 for everything (Traefik),
    and so would the image be, which was there a moment ago."""
    try:
        source.manifest(repository, digest)
    except NotNow:
        raise
    except OciError as error:
        return [Problem(digest, f"Asked once more after nothing was found beside it: {error}")]
    return []


def _legacy(source: Source, repository: str, digest: str, kind: Kind) -> _Found:
    """Layers of the tag `sha256-<hex>.sig` or `.att` (cosign's SIGNATURE_SPEC)."""
    tag = digest.replace(":", "-") + (".sig" if kind is Kind.SIGNATURE else ".att")
    try:
        manifest = source.manifest_of_tag(repository, tag)
    except NotNow:
        raise
    except OciError as error:
        if isinstance(error, NotFound) and not isinstance(error, NotInLayout):
            return _Found()
        return _Found(problems=(Problem(tag, str(error)),))
    if manifest.digest == digest:
        return _Found()  # some registries answer a tag that they do not have with the image itself
    if manifest.is_index:
        return _Found(problems=(Problem(tag, "This tag leads to an index, not to a manifest with layers."),))
    places = tuple(_Place(tag, Form.LEGACY, kind, manifest.digest, layer) for layer in manifest.layers)
    return _Found(places, carrier=manifest.raw)


def _listed(source: Source, repository: str, digest: str) -> tuple[tuple[Descriptor, ...], tuple[Problem, ...]]:
    try:
        listed = source.referrers(repository, digest)
    except NotNow:
        raise
    except OciError as error:
        return (), (Problem("referrers", str(error)),)
    once = tuple({d.digest: d for d in listed if d.digest != digest}.values())
    if len(once) <= MAX_REFERRERS:
        return once, ()
    excess = Problem("referrers", f"{len(once)} manifests are attached; only the first {MAX_REFERRERS} were read.")
    return once[:MAX_REFERRERS], (excess,)


def _referrer(source: Source, repository: str, digest: str, listed: Descriptor) -> _Found:
    """A referrer is what its manifest says: neither the listing's artifactType nor its place is believed."""
    try:
        manifest = source.manifest(repository, listed.digest)
    except NotNow:
        raise
    except OciError as error:
        return _Found(problems=(Problem(listed.digest, str(error)),))
    if manifest.subject is None or manifest.subject.digest != digest:
        names = manifest.subject.digest if manifest.subject else "nothing"
        if not _signed_layers(manifest):
            return _Found()  # a registry that answers an unknown fallback tag with some image
        reason = f"It is listed as attached to {digest}, but its subject names {names}: not used."
        return _Found(problems=(Problem(listed.digest, reason),))
    if source.kind == "layout" and manifest.artifact_type == unread.ARTIFACT_TYPE:
        told = tuple(Problem(place, reason) for place, reason in unread.read(manifest))
        return _Found(problems=told, was_read=not told)
    carrier = manifest.raw if len(manifest.raw) <= MAX_CARRIER_BYTES else b""
    return _Found(tuple(_place_of(manifest, layer) for layer in _signed_layers(manifest)), carrier=carrier)


def _signed_layers(manifest: Manifest) -> list[Descriptor]:
    return [layer for layer in manifest.layers if signed_forms.is_signed(layer.media_type)]


def _place_of(manifest: Manifest, layer: Descriptor) -> _Place:
    """cosign with `COSIGN_EXPERIMENTAL=1` attaches legacy layers as referrers: their form is legacy all the same."""
    if layer.media_type == signed_forms.SIMPLE_SIGNING:
        return _Place(manifest.digest, Form.LEGACY, Kind.SIGNATURE, manifest.digest, layer)
    if layer.media_type == signed_forms.DSSE_ENVELOPE:
        return _Place(manifest.digest, Form.LEGACY, Kind.ATTESTATION, manifest.digest, layer)
    return _Place(manifest.digest, Form.BUNDLE, None, manifest.digest, layer)


def _usual_payload(name: str, digest: str) -> bytes:
    """What cosign signs when nobody adds annotations, byte by byte. Its hash tells whether a layer is just this."""
    hub = "docker.io/"  # which cosign's library calls by its older name
    critical = {
        "identity": {"docker-reference": f"index.{name}" if name.startswith(hub) else name},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return msgspec.json.encode({"critical": critical, "optional": None})


def _blob(place: _Place) -> tuple[str, int]:
    return place.layer.digest, place.layer.size


def _contents(
    pool: ThreadPoolExecutor, source: Source, repository: str, places: list[_Place], known: bytes
) -> dict[tuple[str, int], bytes | OciError]:
    """Each blob once, however many layers name it: signers of one image mostly sign the same payload."""

    def fetch(blob: tuple[str, int]) -> bytes | OciError:
        digest, size = blob
        if size > MAX_ATTESTATION_BYTES:
            return TooLarge(f"The layer has {size} bytes; at most {MAX_ATTESTATION_BYTES} are read.")
        if blob == (digests.of(known), len(known)):
            return known
        try:
            return source.blob(repository, digest, size)
        except NotNow:
            raise
        except OciError as error:
            return error

    blobs = list(dict.fromkeys(map(_blob, places)))
    return dict(zip(blobs, pool.map(fetch, blobs), strict=True))


def _evidence(digest: str, place: _Place, content: bytes | OciError) -> Evidence | Problem:
    layer, kind = place.layer, place.kind
    if isinstance(content, OciError):
        return Problem(layer.digest, f"Named by {place.name}: {content}")
    if kind is None:
        kind = Kind.SIGNATURE if signed_forms.claims_to_sign_an_image(content) else Kind.ATTESTATION
    return Evidence(digest, place.form, kind, place.manifest, layer.media_type, content, layer.annotations)


def _within_limits(places: list[_Place]) -> tuple[list[_Place], list[Problem]]:
    """The first layers of each kind; those whose kind only their content tells may be either."""
    unique = list({(p.form, p.kind, p.manifest, p.layer.digest, _key(p.layer)): p for p in places}.values())
    taken: list[_Place] = []
    seen: Counter[Kind | None] = Counter()
    total_bytes = 0
    for place in unique:
        seen[place.kind] += 1
        if seen[place.kind] > (MAX_BUNDLES if place.kind is None else MAX_OF_KIND[place.kind]):
            continue
        if total_bytes + place.layer.size <= MAX_TOTAL_BYTES or place.layer.size > MAX_ATTESTATION_BYTES:
            taken.append(place)  # a giant is taken here to be refused by name when it is fetched
            total_bytes += min(place.layer.size, MAX_ATTESTATION_BYTES) * (place.layer.size <= MAX_ATTESTATION_BYTES)
    if len(taken) == len(unique):
        return taken, []
    reason = f"{len(unique)} signed layers are stored; only {len(taken)} were read, the first of each kind."
    return taken, [Problem("signed layers", reason)]


def _key(layer: Descriptor) -> tuple[tuple[str, str], ...]:
    """The same payload signed twice is one blob under two sets of annotations: two pieces of evidence."""
    return tuple(sorted(layer.annotations.items()))


def _count_again(evidence: list[Evidence]) -> tuple[tuple[Evidence, ...], list[Problem]]:
    taken: list[Evidence] = []
    seen: Counter[Kind] = Counter()
    for one in evidence:
        seen[one.kind] += 1
        if seen[one.kind] <= MAX_OF_KIND[one.kind]:
            taken.append(one)
    excess = [
        Problem(f"{kind}s", f"There are {number} {kind}s; only the first {MAX_OF_KIND[kind]} were taken.")
        for kind, number in sorted(seen.items())
        if number > MAX_OF_KIND[kind]
    ]
    return tuple(taken), excess
