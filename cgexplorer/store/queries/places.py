"""Where a document names packages: for whoever wants to find them in its bytes."""

from __future__ import annotations

from collections.abc import Iterable

from cgexplorer.store.models import Package, Sbom
from cgexplorer.store.queries import contents
from cgexplorer.store.record.packages import identity
from cgexplorer.store.record.text import storable


def places(sbom: Sbom, package_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Stored package → ids (SPDXID, bom-ref) of the elements of this document that name it, in the document's order."""
    wanted = {row.identity.bytes: row for row in Package.objects.filter(pk__in=list(package_ids))}
    versions = {row.version for row in wanted.values()}
    found: dict[int, list[str]] = {}
    for element in contents.elements(sbom):
        # The identity of every element of a large document takes longer than reading it.
        if storable(element.version) in versions and (row := wanted.get(identity(element))):
            found.setdefault(row.pk, []).extend((element.spdx_id, *element.spdx_ids))
    return {pk: tuple(dict.fromkeys(ids)) for pk, ids in found.items()}
