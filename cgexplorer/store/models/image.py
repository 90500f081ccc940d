"""Registries, images (repositories), tags and manifests."""

from typing import Any

from django.db import models

# That of the row it belongs to, so that rows can be spread over machines by their image; nobody asks by it alone.
OF_ITS_OWNER: dict[str, Any] = {
    "on_delete": models.DO_NOTHING, "db_constraint": False, "db_index": False, "related_name": "+",
}  # fmt: skip


class Registry(models.Model):
    host = models.CharField(max_length=255, unique=True)  # "cgr.dev", "localhost:5000"
    added_at = models.DateTimeField(auto_now_add=True)
    access = models.CharField(max_length=8, default="public")  # public, private, insecure: see queries.registries
    token_service = models.CharField(max_length=255, blank=True)  # host that may see its credentials beside itself
    ask_again_at = models.DateTimeField(null=True)  # it wants no question before (Retry-After)

    def __str__(self) -> str:
        return self.host


class Image(models.Model):
    """A repository: everything below hangs on it, because a verdict depends on the policy for its name."""

    registry = models.ForeignKey(Registry, models.CASCADE)
    repository = models.CharField(max_length=255)
    name = models.CharField(max_length=511, unique=True)  # "cgr.dev/chainguard/go": what people type and URLs hold
    added_at = models.DateTimeField(auto_now_add=True)
    observed_at = models.DateTimeField()  # last time that a source answered for it

    class Meta:
        constraints = [models.UniqueConstraint(fields=["registry", "repository"], name="image_once")]

    def __str__(self) -> str:
        return self.name


class Manifest(models.Model):
    """One digest of an image: an index or a platform's image. `problem` says why its bytes are not here."""

    image = models.ForeignKey(Image, models.CASCADE, related_name="manifests")
    digest = models.CharField(max_length=71)
    media_type = models.CharField(max_length=127, blank=True)
    is_index = models.BooleanField(default=False)
    platform = models.CharField(max_length=64, blank=True)  # "linux/arm64"; "" for an index
    size = models.BigIntegerField(default=0)  # bytes of config and layers together; 0 when unknown
    payload = models.ForeignKey("store.Payload", models.PROTECT, null=True, related_name="+")  # the raw manifest
    config = models.ForeignKey("store.Payload", models.PROTECT, null=True, related_name="+")  # image configuration JSON
    problem = models.CharField(max_length=500, blank=True)  # "not in this layout"
    created_at = models.DateTimeField(null=True)  # as the image configuration says
    first_seen_at = models.DateTimeField()
    observed_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)  # when its source was first found not to have it any more
    # Newest answer, kept here so that lists need no join over runs; written by record together with the run.
    state = models.CharField(max_length=24, blank=True)  # verdict.State of its signatures; "" = never verified
    state_reason = models.CharField(max_length=500, blank=True)
    run = models.ForeignKey("store.VerificationRun", models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "digest"], name="manifest_once")]
        indexes = [models.Index(fields=["digest"], name="manifest_digest")]

    def __str__(self) -> str:
        return f"{self.image}@{self.digest}"


class IndexEntry(models.Model):
    """An index names a manifest for a platform."""

    image = models.ForeignKey(Image, **OF_ITS_OWNER)
    index = models.ForeignKey(Manifest, models.CASCADE, related_name="entries")
    manifest = models.ForeignKey(Manifest, models.CASCADE, related_name="parents")
    platform = models.CharField(max_length=64)
    position = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["index", "position"], name="entry_once")]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.platform} of {self.index_id}"


class Tag(models.Model):
    """Where a tag points now. Its past is in TagMove; one that its source no longer has is there only."""

    image = models.ForeignKey(Image, models.CASCADE, related_name="tags")
    name = models.CharField(max_length=128)
    manifest = models.ForeignKey(Manifest, models.CASCADE, related_name="tags")
    moved_at = models.DateTimeField()  # when we first saw it point there
    observed_at = models.DateTimeField()  # when we last saw it point there

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "name"], name="tag_once")]

    def __str__(self) -> str:
        return f"{self.image}:{self.name}"


class TagMove(models.Model):
    """Append-only: a tag was seen at another digest than before, or was no longer there.

    A move and the next one of its tag enclose the observations between them: the digest was first seen at `moved_at`
    and last seen at the next move's `previous_seen_at`, or at the tag's `observed_at` when it still points there.
    """

    image = models.ForeignKey(Image, models.CASCADE)
    name = models.CharField(max_length=128)
    manifest = models.ForeignKey(Manifest, models.CASCADE, null=True, related_name="moves")  # null = no longer there
    moved_at = models.DateTimeField()
    previous = models.ForeignKey("self", models.CASCADE, null=True, related_name="next")  # null = first seen
    previous_seen_at = models.DateTimeField(null=True)  # last look at which the previous still held

    class Meta:
        indexes = [models.Index(fields=["image", "name", "-moved_at"], name="tagmove_history")]

    def __str__(self) -> str:
        return f"{self.name} → {self.manifest_id}"
