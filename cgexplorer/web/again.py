"""Work that failed, asked for once more."""

from __future__ import annotations

from cgexplorer import jobs, sync_jobs
from cgexplorer.oci import reference as references
from cgexplorer.store.models import Activity, Image, Manifest, Sync
from cgexplorer.store.queries import reverified
from cgexplorer.store.record import syncs


class NothingToWatch(Exception):
    """What it was about is no longer stored, or is done without an activity. `str(error)` says which."""


def defer(failed: Activity) -> Activity:
    """Queue the same again; what is under way already is answered instead. Raises NothingToWatch."""
    if failed.kind == "fetch":
        return jobs.defer_fetch(references.parse(failed.subject))
    if failed.kind == syncs.KIND:
        name, tag = Sync.objects.values_list("name", "tag").get(activity=failed)
        return sync_jobs.defer_sync(name, tag).activity
    if failed.kind == reverified.TRIGGER:
        image = Image.objects.filter(name=failed.subject).first()
        if image is not None or failed.subject == jobs.EVERY_IMAGE:
            return jobs.defer_reverify_all(image)
    name, _, digest = failed.subject.rpartition("@")
    manifest = Manifest.objects.filter(image__name=name, digest=digest).select_related("image").first()
    if manifest is None:
        raise NothingToWatch(f"{failed.subject} is no longer stored: add the image again.")
    if failed.kind == jobs.CONFORMANCE:
        jobs.defer_conformance(name)
        raise NothingToWatch(f"spdx-tools is asked again; what it says is then on the pages of {name}.")
    return jobs.defer_reverify(manifest, live=failed.kind == "ask again", trigger=failed.kind)
