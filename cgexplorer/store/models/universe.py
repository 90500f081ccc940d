"""What a search looks at, counted: kept by triggers (migration 0021) in the transaction of whatever changes it.

A digest's row follows its tags, index entries and SBOMs; its image's row counts the digests; and the counts of all
images are the sum of `UniverseChange`, to which each change of an image adds a row. Nobody writes here by hand.
"""

from typing import Any

from django.db import models
from django.db.models import F, Q

# PostgreSQL deletes the row, with constraints of migration 0021; Django refuses to hear of it for some keys only.
_GOES_WITH_IT: dict[str, Any] = {"on_delete": models.DO_NOTHING, "db_constraint": False, "related_name": "+"}


class UniverseDigest(models.Model):
    """A platform's digest, and whether a search can look into it."""

    manifest = models.OneToOneField("store.Manifest", **_GOES_WITH_IT, primary_key=True)
    image = models.ForeignKey("store.Image", **_GOES_WITH_IT, db_index=False)
    current = models.BooleanField()  # a tag points at it, or at an index that names it
    held = models.BooleanField()  # it has an indexed SBOM
    verified = models.BooleanField()  # … whose evidence is verified
    searchable = models.BooleanField()  # … that the index of current tags holds

    class Meta:
        indexes = [
            models.Index(fields=["image"], name="universe_blind_now", condition=Q(current=True, searchable=False)),
            models.Index(fields=["image"], name="universe_blind_ever", condition=Q(verified=False)),
        ]

    def __str__(self) -> str:
        return f"manifest {self.manifest_id}"


class UniverseImage(models.Model):
    """How many digests of an image are in scope, and how many of them each kind of search looks into."""

    image = models.OneToOneField("store.Image", **_GOES_WITH_IT, primary_key=True)
    current = models.IntegerField()
    current_held = models.IntegerField()
    current_searchable = models.IntegerField()
    ever = models.IntegerField()
    ever_held = models.IntegerField()
    ever_verified = models.IntegerField()

    class Meta:
        indexes = [
            models.Index(
                fields=["image"], name="universe_images_now", condition=Q(current__gt=F("current_searchable"))
            ),
            models.Index(fields=["image"], name="universe_images_ever", condition=Q(ever__gt=F("ever_verified"))),
        ]

    def __str__(self) -> str:
        return f"image {self.image_id}"


class UniverseChange(models.Model):
    """Digests and images more or fewer than before. Rows are only added, and now and then some made one.

    So two writers never wait for each other, as they would for one row of totals.
    """

    current = models.BigIntegerField()
    current_held = models.BigIntegerField()
    current_searchable = models.BigIntegerField()
    ever = models.BigIntegerField()
    ever_held = models.BigIntegerField()
    ever_verified = models.BigIntegerField()
    images_current = models.BigIntegerField()
    images_current_held = models.BigIntegerField()
    images_current_searchable = models.BigIntegerField()
    images_ever = models.BigIntegerField()
    images_ever_held = models.BigIntegerField()
    images_ever_verified = models.BigIntegerField()

    def __str__(self) -> str:
        return f"change {self.pk}"
