"""Fills the two sides of a comparison from what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from django.db.models import Case, IntegerField, Q, Value, When

from cgexplorer import compare as comparison
from cgexplorer.compare import ComparedPackage, Difference, Side
from cgexplorer.oci.evidence import Kind
from cgexplorer.predicates import APKO, PROVENANCE_TYPES, PredicateError, apko, slsa
from cgexplorer.store.models import Evidence, Manifest, Sbom
from cgexplorer.store.queries import image_configuration, payloads, pruned, references
from cgexplorer.store.queries.references import UnknownReference
from cgexplorer.store.queries.rows import rows
from cgexplorer.store.record import packages, sboms

# Names of the certificate's extensions that say which source was built.
_SOURCE_EXTENSIONS = ("Source Repository URI", "Source Repository Digest", "Source Repository Ref")
# States whose contents were signed by somebody; others have no authenticated bytes to show.
_READABLE = ("verified", "verified-stale", "no-policy", "signer-not-allowed")


class Compared(msgspec.Struct, frozen=True):
    """One side as it was chosen: the manifest, its SBOM, and the platforms that could be chosen instead."""

    reference: str
    root: Manifest
    manifest: Manifest
    platforms: tuple[str, ...]
    sbom: Sbom | None
    signature: Evidence | None

    @property
    def sbom_state(self) -> str:
        if self.sbom is None:
            return ""
        return self.sbom.evidence.state if self.sbom.evidence else "unsigned"

    @property
    def sbom_state_words(self) -> str:
        return self.sbom_state.replace("-", " ")


class _Attached(msgspec.Struct, frozen=True):
    """What is read of a manifest's evidence beside its SBOM."""

    signature: Evidence | None
    provenance: Evidence | None
    configuration: Evidence | None


class Comparison(msgspec.Struct, frozen=True):
    before: Compared
    after: Compared
    difference: Difference
    platform: str
    sources: tuple[tuple[str, str], tuple[str, str]]  # repository and commit of each side, by its certificate


def compare(before: str, after: str, platform: str = "", to_platform: str = "") -> Comparison:
    """Compare two references as typed. Without a platform: one that both have, linux/amd64 before others.

    With `to_platform` the second side is of another platform than the first. Raises UnknownReference.
    """
    return _of((before, after), (references.manifest(before), references.manifest(after)), platform, to_platform)


def builds(before: Manifest, after: Manifest) -> Comparison:
    """As `compare` of their digests, without asking for what is known of them. Raises UnknownReference."""
    names = [f"{one.image.name}@{one.digest}" for one in (before, after)]
    return _of((names[0], names[1]), (before, after), "", "")


def _of(texts: tuple[str, str], roots: tuple[Manifest, Manifest], platform: str, to_platform: str) -> Comparison:
    choices = [references.platforms(root) for root in roots]
    chosen = _platform(*texts, choices, platform, to_platform)
    manifests = [choice[name] for choice, name in zip(choices, chosen, strict=True)]
    documents, attached = sboms_of(manifest.pk for manifest in manifests), _attached(manifests)
    sides = [
        _compared(text, root, choice, name, documents, attached)
        for text, root, choice, name in zip(texts, roots, choices, chosen, strict=True)
    ]
    listed = packages_of_each([side.sbom for side in sides])
    filled = [_side(side, found, attached[side.manifest.pk]) for side, found in zip(sides, listed, strict=True)]
    difference = comparison.compare(*filled)
    warnings = (*difference.warnings, *(warning for side in sides for warning in _warnings(side)))
    difference = msgspec.structs.replace(difference, warnings=warnings)
    same = chosen[0] if chosen[0] == chosen[1] else ""
    return Comparison(sides[0], sides[1], difference, platform or same, (_source(filled[0]), _source(filled[1])))


def _source(side: Side) -> tuple[str, str]:
    uri, commit, _ = ((side.provenance or {}).get(f"certificate.{name}", "") for name in _SOURCE_EXTENSIONS)
    return uri, commit


def _platform(
    before: str, after: str, choices: list[dict[str, Manifest]], wanted: str, wanted_after: str
) -> tuple[str, str]:
    of_each = (wanted, wanted_after or wanted)
    for text, choice, name in zip((before, after), choices, of_each, strict=True):
        if not choice:
            raise UnknownReference(f"{text} is an index, and none of its platforms is stored here.")
        if name and name not in choice:
            raise UnknownReference(f"{text} has no {name}; it has {', '.join(choice)}.")
    if all(of_each):
        return of_each
    if wanted_after:
        raise UnknownReference("Choose a platform for both sides, or for none.")
    common = [name for name in choices[0] if name in choices[1]]
    if common:
        # A platform whose bytes are here answers more than one that is only named.
        best = min(common, key=lambda name: (_is_missing(choices, name), name != "linux/amd64", common.index(name)))
        return best, best
    return next(iter(choices[0])), next(iter(choices[1]))


def _is_missing(choices: list[dict[str, Manifest]], platform: str) -> bool:
    return any(choice[platform].problem for choice in choices)


def _compared(
    text: str,
    root: Manifest,
    choice: dict[str, Manifest],
    platform: str,
    documents: Mapping[int, Sbom],
    attached: Mapping[int, _Attached],
) -> Compared:
    manifest = choice[platform]
    sbom = documents.get(manifest.pk)
    if sbom is None and Sbom.objects.filter(manifest=manifest, pruned_at__isnull=False).exists():
        raise UnknownReference(
            f"The packages of {text} were pruned, and its SBOM is too large to be read for a page. "
            f"Make them again with: manage.py reindex {manifest.digest}"
        )
    return Compared(
        reference=text if "/" in text else f"{root.image.name}@{root.digest}",
        root=root,
        manifest=manifest,
        platforms=tuple(choice),
        sbom=sbom,
        signature=attached[manifest.pk].signature,
    )


def sboms_of(manifests: Iterable[int]) -> dict[int, Sbom]:
    """By manifest (both ids) the SBOM whose packages are compared: the most trusted one that could be read."""
    has_rows = Q(indexed=True, packages__isnull=False)
    may_be_read = Q(pruned_at__isnull=False, document__size__lte=pruned.MAX_READ_BYTES)
    found = (
        Sbom.objects.filter(has_rows | may_be_read, manifest__in=list(manifests))
        .select_related("evidence", "packages")
        .order_by("manifest", _verified_first("evidence__state"), "-format", "-pk")
        .distinct("manifest")
    )
    return {sbom.manifest_id: sbom for sbom in found}


def _verified_first(field: str) -> Case:
    return Case(
        *(When(**{field: state}, then=Value(place)) for place, state in enumerate(_READABLE)),
        default=Value(len(_READABLE)),
        output_field=IntegerField(),
    )


def _attached(manifests: list[Manifest]) -> dict[int, _Attached]:
    """By manifest (id): of each kind the most trusted evidence that can be read. Payloads only of those chosen."""
    found = (
        Evidence.objects.filter(manifest__in=manifests, state__in=_READABLE)
        .order_by(_verified_first("state"), "-pk")
        .values_list("manifest_id", "pk", "kind", "predicate_type")
    )
    first: dict[tuple[int, str], int] = {}
    for manifest, key, kind, predicate_type in found:
        if kind == Kind.SIGNATURE:
            first.setdefault((manifest, "signature"), key)
        if predicate_type in PROVENANCE_TYPES:
            first.setdefault((manifest, "provenance"), key)
        if predicate_type == APKO:
            first.setdefault((manifest, "configuration"), key)
    chosen = Evidence.objects.select_related("payload", "verdict").in_bulk(first.values()) if first else {}
    return {
        manifest.pk: _Attached(
            **{name: chosen.get(first.get((manifest.pk, name), 0)) for name in _Attached.__struct_fields__}
        )
        for manifest in manifests
    }


def _side(side: Compared, found: tuple[ComparedPackage, ...], attached: _Attached) -> Side:
    signer = (
        attached.signature
        or attached.provenance
        or attached.configuration
        or (side.sbom.evidence if side.sbom else None)
    )
    return Side(
        reference=side.reference,
        digest=side.manifest.digest,
        platform=side.manifest.platform or None,
        packages=found,
        config=_configuration(side.manifest, attached.configuration),
        provenance=_provenance(attached.provenance, found),
        signer=(signer.identity or None) if signer else None,
        has_sbom=side.sbom is not None,
        generator=side.sbom.generator if side.sbom else "",
        platforms=side.platforms if side.root.is_index else (),
    )


def packages_of_each(documents: Sequence[Sbom | None]) -> list[tuple[ComparedPackage, ...]]:
    """By their rows, asked once for what they share; by the document where rows were pruned."""
    ids = {key for sbom in documents if sbom is not None and sbom.indexed for key in sbom.packages.package_ids}
    found = rows(
        """SELECT p.id, c.ecosystem, c.namespace, c.name, p.version, p.arch, coalesce(l.expression, '')
        FROM store_package p JOIN store_component c ON c.id = p.component_id
        LEFT JOIN store_license l ON l.id = p.license_id WHERE p.id = ANY(%s::int[])""",
        [sorted(ids)],
    )
    known = {key: ComparedPackage(*row) for key, *row in found}
    return [_packages_of(sbom, known) if sbom is not None else () for sbom in documents]


def _packages_of(sbom: Sbom, known: dict[int, ComparedPackage]) -> tuple[ComparedPackage, ...]:
    if not sbom.indexed:
        return _packages_read(sbom)
    found = tuple(known[key] for key in sbom.packages.package_ids if key in known)
    if len(found) < len(sbom.packages.package_ids):  # pruned since the ids were read
        return _packages_read(Sbom.objects.get(pk=sbom.pk))
    return found


def _packages_read(sbom: Sbom) -> tuple[ComparedPackage, ...]:
    document = pruned.document(sbom)
    found = packages.distinct(sboms.contents(document)) if document is not None else ()
    return tuple(
        ComparedPackage(one.ecosystem, one.namespace, one.name, one.version, one.arch, one.license) for one in found
    )


def _configuration(manifest: Manifest, attested: Evidence | None) -> dict[str, str] | None:
    image = image_configuration.of(manifest)
    if image is None and attested is None:
        return None
    values = {f"image.{path}": value for path, value in image.flat().items()} if image else {}
    return values | _apko_configuration(attested)


def _apko_configuration(evidence: Evidence | None) -> dict[str, str]:
    if evidence is None:
        return {}
    try:
        found = apko.parse(payloads.predicate(evidence)).flat()
    except PredicateError:
        return {}
    # The packages are compared as packages.
    return {f"apko.{path}": value for path, value in found.items() if not path.startswith("contents.packages.")}


def _provenance(evidence: Evidence | None, listed_in: tuple[ComparedPackage, ...]) -> Mapping[str, str] | None:
    if evidence is None:
        return None
    try:
        found = slsa.parse(payloads.predicate(evidence)).flat()
    except PredicateError:
        found = {}
    # apko states its packages as build parameters; those that the SBOM holds are compared there.
    listed = {(f"internalParameters.{package.name}", package.version) for package in listed_in}
    found = {path: value for path, value in found.items() if (path, value) not in listed}
    certificate = (evidence.verdict.certificate if evidence.verdict else None) or {}
    for extension in certificate.get("extensions", ()):
        if extension["name"] in _SOURCE_EXTENSIONS:
            found[f"certificate.{extension['name']}"] = extension["value"]
    return found


def _warnings(side: Compared) -> list[str]:
    found = []
    if side.manifest.problem:
        found.append(f"{side.reference} {side.manifest.platform}: {side.manifest.problem}.")
    if side.sbom is not None and side.sbom_state != "verified":
        found.append(
            f"The SBOM of {side.reference} is not verified ({side.sbom_state_words}): "
            "its packages are what somebody says, not what the allowed signer signed."
        )
    return found
