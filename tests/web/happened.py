"""What happened to the sample images, so that every page has something to show."""

from __future__ import annotations

from django.utils import timezone

from cgexplorer.store.models import DriftEvent, Image, Tag
from cgexplorer.store.record import follows, saved_searches, syncs, tags
from tests.store import factories as make

NGINX = "samples.example/nginx"


def drifted() -> int:
    """A tag that went back; the event's id."""
    image = Image.objects.get(name=NGINX)
    newest, other = Tag.objects.get(image=image, name="latest"), Tag.objects.get(image=image, name="1.29.8")
    for manifest in (other.manifest, newest.manifest):
        tags.observe(image, {"latest": manifest}, timezone.now())
    return DriftEvent.objects.latest("pk").pk


def followed() -> int:
    """A followed repository with a round under way; its id."""
    wish = follows.read(NGINX, ["latest", "1.*"], 3, ["linux/amd64"], "1h")
    now = follows.follow(wish, make.NOW).added_at
    found, _ = syncs.queue(wish.name)
    syncs.add(found, "sha256:" + "0" * 64, ["latest"], now)
    return found.pk


def saved() -> int:
    """A search that was saved; its id."""
    wish = saved_searches.Wish("openssl<3.3.2", scope="all", include_unverified=True)
    return saved_searches.save("old openssl", wish, make.NOW).pk
