"""SBOMs: one per (manifest, document), with sorted package ids and compressed blobs instead of wide rows."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from cgexplorer.store.models.image import OF_ITS_OWNER

_NOT_WHOLE = Q(pruned_at__isnull=True) & ~Q(not_indexed_reason="")


class Sbom(models.Model):
    id = models.AutoField(primary_key=True)
    image = models.ForeignKey("store.Image", models.CASCADE)
    manifest = models.ForeignKey("store.Manifest", models.CASCADE, related_name="sboms")
    platform = models.CharField(max_length=64, blank=True)
    # The best of the evidence that carries it; null = an unsigned file.
    evidence = models.ForeignKey("store.Evidence", models.SET_NULL, null=True, related_name="sboms")
    document = models.ForeignKey("store.Payload", models.PROTECT, related_name="+")  # the predicate, exactly as signed
    format = models.CharField(max_length=16, blank=True)
    spec_version = models.CharField(max_length=32, blank=True)
    name = models.TextField(blank=True)
    namespace = models.TextField(blank=True)
    generator = models.CharField(max_length=200, blank=True)
    created = models.CharField(max_length=64, blank=True)  # as written
    indexed = models.BooleanField(default=False)
    not_indexed_reason = models.CharField(max_length=500, blank=True)
    installed_count = models.IntegerField(default=0)
    module_count = models.IntegerField(default=0)
    package_count = models.IntegerField(default=0)  # every element of packages[]
    file_count = models.IntegerField(default=0)
    relationship_count = models.IntegerField(default=0)
    findings = models.JSONField(default=list)  # [{"what", "count", "examples"}]
    conformance = models.JSONField(default=dict)  # spdx-tools' opinion; {} = not run yet
    ingested_at = models.DateTimeField()
    # Its rows were dropped (record.prune), not its document: then it is not indexed, and its counts stay.
    pruned_at = models.DateTimeField(null=True)
    pruned_by = models.CharField(max_length=200, blank=True)  # the rule
    restored_at = models.DateTimeField(null=True)  # when they were last made again

    class Meta:
        constraints = [models.UniqueConstraint(fields=["manifest", "document"], name="sbom_once")]
        indexes = [
            models.Index(fields=["manifest"], name="sbom_pruned", condition=Q(pruned_at__isnull=False)),
            models.Index(fields=["manifest"], name="sbom_not_whole", condition=_NOT_WHOLE),
        ]

    def __str__(self) -> str:
        return f"SBOM {self.pk} of {self.manifest_id}"


class SbomPackages(models.Model):
    """Sorted ids of INSTALLED and MODULE packages. `searchable` = tagged now and the newest verdict is verified."""

    sbom = models.OneToOneField(Sbom, models.CASCADE, primary_key=True, related_name="packages")
    image = models.ForeignKey("store.Image", models.CASCADE)
    searchable = models.BooleanField(default=False)
    package_ids = ArrayField(models.IntegerField())

    class Meta:
        indexes = [
            GinIndex(
                fields=["package_ids"], name="sbom_packages_current", fastupdate=False, condition=Q(searchable=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{len(self.package_ids)} packages of SBOM {self.sbom_id}"


class SbomGraph(models.Model):
    sbom = models.OneToOneField(Sbom, models.CASCADE, primary_key=True, related_name="graph")
    image = models.ForeignKey("store.Image", **OF_ITS_OWNER)
    data = models.BinaryField()  # spdx.graph encoding, zstd; 2.5 bytes an edge

    def __str__(self) -> str:
        return f"graph of SBOM {self.sbom_id}"


class SbomDetail(models.Model):
    """What rows do not hold: every element with its SPDXID, CPEs, download location … msgpack, zstd."""

    sbom = models.OneToOneField(Sbom, models.CASCADE, primary_key=True, related_name="detail")
    image = models.ForeignKey("store.Image", **OF_ITS_OWNER)
    packages = models.BinaryField()  # tuple[spdx.Package, …]
    files = models.BinaryField()  # tuple[spdx.File, …] in blocks
    document = models.BinaryField()  # the rest of spdx.Document

    def __str__(self) -> str:
        return f"details of SBOM {self.sbom_id}"
