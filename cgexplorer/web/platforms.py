"""…@<digest> of an index: its platforms by what is attested, as a table and as exports."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from cgexplorer.store.models import Manifest
from cgexplorer.store.queries import completeness, manifests, matrix, verification
from cgexplorer.store.queries.completeness import Completeness
from cgexplorer.store.queries.matrix import Matrix, Row
from cgexplorer.web.images import csv_response

MAX_COLUMNS = 12  # that a table can show; the exports have them all
_FIELDS = ("platform", "digest", "predicate_type", "required", "state", "elsewhere", "elsewhere_state")


def shown(index: Manifest, complete: Completeness | None) -> dict[str, object]:
    """What the page of an index says of its platforms."""
    found = _matrix(index, complete)
    return {
        "matrix": found,
        "columns": found.columns[:MAX_COLUMNS],
        "rows": [(row, list(zip(found.columns, row.cells, strict=True))[:MAX_COLUMNS]) for row in found.rows],
        "more": len(found.columns[MAX_COLUMNS:]),
        "beside": manifests.attestation_manifests(index),
    }


@require_safe
def platforms_csv(request: HttpRequest, name: str, digest: str) -> StreamingHttpResponse:
    """A line for each digest and predicate type; `signature` stands for the verdict on the digest itself."""
    found = _asked(manifests.manifest(name, digest))
    return csv_response(
        f"{name}-{digest[7:19]}-platforms", _FIELDS, (line for row in found.rows for line in _lines(found, row))
    )


@require_safe
def platforms_json(request: HttpRequest, name: str, digest: str) -> JsonResponse:
    index = manifests.manifest(name, digest)
    found = _asked(index)
    beside = [{"digest": one.digest, "state": one.state} for one in manifests.attestation_manifests(index)]
    return JsonResponse(
        {
            "schema": "cgexplorer.platforms/1",
            "image": name,
            "digest": digest,
            "platforms": [_row(found, row) for row in found.rows],
            "missing": found.gaps,
            "warnings": found.warnings,
            "attestation_manifests": beside,
        }
    )


def _asked(index: Manifest) -> Matrix:
    if not index.is_index:
        raise Http404("This digest is no index: it names no platforms.")
    report = verification.report(index)
    return _matrix(index, completeness.of(report) if report else None)


def _matrix(index: Manifest, complete: Completeness | None) -> Matrix:
    return matrix.of(index, complete.policy.required_types if complete else ())


def _lines(found: Matrix, row: Row) -> list[tuple[object, ...]]:
    own = (row.platform or "index", row.manifest.digest)
    cells = zip(found.columns, row.cells, strict=True)
    return [
        (*own, "signature", "", row.manifest.state, "", ""),
        *((*own, c.predicate_type, c.is_required, one.state, one.elsewhere, one.elsewhere_state) for c, one in cells),
    ]


def _row(found: Matrix, row: Row) -> dict[str, Any]:
    return {
        "platform": row.platform,
        "is_index": row is found.rows[0],
        "digest": row.manifest.digest,
        "state": row.manifest.state,
        "problem": row.manifest.problem,
        "attestations": [
            {
                "predicate_type": column.predicate_type,
                "required": column.is_required,
                "state": cell.state,
                "elsewhere": cell.elsewhere,
                "elsewhere_state": cell.elsewhere_state,
            }
            for column, cell in zip(found.columns, row.cells, strict=True)
        ],
    }
