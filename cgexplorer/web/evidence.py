"""…@<digest>/-/evidence.zip: everything needed to check this digest again, elsewhere and without a network."""

from __future__ import annotations

import tempfile

from django.http import FileResponse, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from cgexplorer import export
from cgexplorer.store.queries import manifests

MEMORY_BYTES = 8 << 20  # larger bundles wait on the disk for their reader


@require_safe
def evidence_zip(request: HttpRequest, name: str, digest: str) -> FileResponse | HttpResponse:
    manifest = manifests.manifest(name, digest)
    if request.method == "HEAD":
        return HttpResponse(content_type="application/zip")  # nobody would read what it takes a second to write
    file = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115  (the response closes it)
    try:
        export.write(manifest, file)
    except export.TooLarge as error:
        file.close()
        return HttpResponse(str(error), status=413, content_type="text/plain; charset=utf-8")
    file.seek(0)
    return FileResponse(
        file, as_attachment=True, filename=f"evidence-{digest[7:19]}.zip", content_type="application/zip"
    )
