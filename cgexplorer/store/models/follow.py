"""Repositories that are followed, and each round of asking their registries."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Follow(models.Model):
    """What an operator wants to be kept current: which tags and platforms of a repository, and how often to ask."""

    name = models.CharField(max_length=511, unique=True)  # "cgr.dev/chainguard/go", as Image.name; it may not be stored
    tags = ArrayField(models.CharField(max_length=128), default=list)  # names and globs; empty = all
    newest = models.IntegerField(null=True)  # of what the globs find, this many highest versions
    platforms = ArrayField(models.CharField(max_length=64), default=list)  # "linux/amd64"; empty = all
    every_s = models.IntegerField()
    added_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(db_index=True)  # next time that the schedule asks

    def __str__(self) -> str:
        return self.name


class Sync(models.Model):
    """One round: every tag asked where it points, every changed digest fetched. State and reason: its activity."""

    activity = models.OneToOneField("store.Activity", models.CASCADE, related_name="sync")
    name = models.CharField(max_length=511)  # as Follow.name
    tag = models.CharField(max_length=128, blank=True)  # only this one; "" = those that the follow names
    started_at = models.DateTimeField()
    looked_at = models.DateTimeField(null=True)  # when all tags were asked
    finished_at = models.DateTimeField(null=True)
    found = models.IntegerField(default=0)  # tags to ask
    unchanged = models.IntegerField(default=0)
    gone = models.IntegerField(default=0)  # known tags that the registry no longer has
    requests = models.IntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["name", "-id"], name="sync_newest")]

    def __str__(self) -> str:
        return f"sync {self.pk} of {self.name}"


class SyncItem(models.Model):
    """One changed digest and the tags that were seen to point there; or, without a digest, a tag that failed."""

    sync = models.ForeignKey(Sync, models.CASCADE, related_name="items")
    digest = models.CharField(max_length=71, blank=True)
    tags = ArrayField(models.CharField(max_length=128))
    seen_at = models.DateTimeField()
    state = models.CharField(max_length=8, default="todo")  # todo, done, failed
    verdict = models.CharField(max_length=24, blank=True)  # verdict.State of what was fetched
    manifests = models.IntegerField(default=0)  # an index and its platforms
    reason = models.CharField(max_length=500, blank=True)  # why it failed
    attempts = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sync", "digest"], condition=~models.Q(digest=""), name="sync_item_once")
        ]

    def __str__(self) -> str:
        return f"{self.digest or self.tags} in sync {self.sync_id}: {self.state}"
