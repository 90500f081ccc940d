"""Searches that somebody wants to keep, and what each finds in every image."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class SavedSearch(models.Model):
    """The whole state of /packages/, as typed: `spdx.query.parse` reads it."""

    name = models.CharField(max_length=100, unique=True)
    q = models.CharField(max_length=200, blank=True)
    v = models.CharField(max_length=200, blank=True)
    type = models.CharField(max_length=32, blank=True)
    scope = models.CharField(max_length=8)  # current, all
    include_unverified = models.BooleanField()
    by_part = models.BooleanField()
    # Whole names, of a package or of its source, that it can mean; parts of one `by_part`. Empty = any.
    names = ArrayField(models.TextField(), default=list)
    saved_at = models.DateTimeField()
    problem = models.CharField(max_length=500, blank=True)  # why its answer could not be found as a whole

    def __str__(self) -> str:
        return self.name


class SavedAnswer(models.Model):
    """What a saved search finds in one image. Written only under the image's lock, with what changes it."""

    search = models.ForeignKey(SavedSearch, models.CASCADE, related_name="answers")
    image = models.ForeignKey("store.Image", models.CASCADE, related_name="+")
    held = models.BinaryField()  # list[drift.Held], msgpack, zstd
    digests = models.IntegerField(default=0)  # that hold a package which matches for sure
    changes = models.IntegerField(default=0)  # since it was saved: makes the key of each event
    changed_at = models.DateTimeField(null=True)  # null = as it was when saved
    problem = models.CharField(max_length=500, blank=True)  # why it could not be found when something changed

    class Meta:
        constraints = [models.UniqueConstraint(fields=["search", "image"], name="saved_answer_once")]

    def __str__(self) -> str:
        return f"answer of {self.search_id} in {self.image_id}"
