"""What is not as it was, and who said that it is known."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class DriftEvent(models.Model):
    """Something that two consecutive looks show: both values, and both looks. Append-only, enforced by a trigger.

    Between two runs of a digest (`run_before`, `run`), or between two places of a tag (`move`, its `previous`).
    """

    key = models.UUIDField(unique=True)  # of what shows it: a look that is recorded again says nothing new
    kind = models.CharField(max_length=32)  # drift.Kind
    image = models.ForeignKey("store.Image", models.CASCADE, related_name="drift")
    tags = ArrayField(models.CharField(max_length=128), default=list)
    platforms = ArrayField(models.CharField(max_length=64), default=list)
    topics = ArrayField(models.CharField(max_length=255), default=list)  # "signature", predicate types
    before = models.TextField()
    after = models.TextField()
    note = models.TextField(blank=True)
    search = models.CharField(max_length=100, blank=True)  # name of the saved search whose answer changed
    changes = models.JSONField(default=list)  # [{"name", "from", "to"}]
    manifest_before = models.ForeignKey("store.Manifest", models.CASCADE, null=True, related_name="+")
    manifest = models.ForeignKey("store.Manifest", models.CASCADE, null=True, related_name="+")
    run_before = models.ForeignKey("store.VerificationRun", models.CASCADE, null=True, related_name="+")
    run = models.ForeignKey("store.VerificationRun", models.CASCADE, null=True, related_name="+")
    move = models.ForeignKey("store.TagMove", models.CASCADE, null=True, related_name="+")
    at = models.DateTimeField()  # of the look that shows it
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["image", "-id"], name="drift_of_image"),
            models.Index(fields=["kind", "-id"], name="drift_of_kind"),
            models.Index(fields=["recorded_at"], name="drift_since"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.image_id}: {self.before} → {self.after}"


class Acknowledgement(models.Model):
    """Somebody knows of it, and why it is so. Append-only; the newest counts, none is lost."""

    event = models.ForeignKey(DriftEvent, models.CASCADE, related_name="acknowledgements")
    reason = models.CharField(max_length=1000)
    who = models.CharField(max_length=100, blank=True)  # as they said
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.event_id}: {self.reason}"
