"""…@<digest>/-/evidence.zip: everything needed to check this digest again, elsewhere and without a network."""

from __future__ import annotations

import re
import tempfile

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from cgexplorer import export
from cgexplorer.store.models import Manifest, VerificationRun
from cgexplorer.store.queries import manifests, verification

MEMORY_BYTES = 8 << 20  # larger bundles wait on the disk for their reader


@require_safe
def evidence_zip(request: HttpRequest, name: str, digest: str) -> FileResponse | HttpResponse:
    """Of the newest run; with `?run=`, of that one."""
    manifest = manifests.manifest(name, digest)
    run = _run(manifest, request.GET["run"]) if "run" in request.GET else None
    if request.method == "HEAD":
        return HttpResponse(content_type="application/zip")  # nobody would read what it takes a second to write
    file = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115  (the response closes it)
    try:
        export.write(manifest, file, run)
    except export.TooLarge as error:
        file.close()
        return HttpResponse(str(error), status=413, content_type="text/plain; charset=utf-8")
    file.seek(0)
    filename = f"evidence-{digest[7:19]}{f'-run-{run.pk}' if run else ''}.zip"
    return FileResponse(file, as_attachment=True, filename=filename, content_type="application/zip")


def _run(manifest: Manifest, asked: str) -> VerificationRun:
    if re.fullmatch("[0-9]{1,18}", asked):
        found = verification.runs(manifest).filter(pk=int(asked)).first()
        if found is not None:
            return found
    raise Http404("No such run verified this digest.")
