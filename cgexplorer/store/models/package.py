"""Interned identities: a package is stored once, however many images hold it."""

from django.contrib.postgres.indexes import GinIndex, HashIndex
from django.db import models
from django.db.models import Q


class License(models.Model):
    expression = models.TextField()  # normalised SPDX expression
    sha256 = models.BinaryField(max_length=32, unique=True)  # expressions can be longer than an index entry

    def __str__(self) -> str:
        return self.expression


class Component(models.Model):
    """A package name in an ecosystem: everything of a purl before the version."""

    id = models.AutoField(primary_key=True)
    ecosystem = models.CharField(max_length=32)  # purl type, "" when the document gives no purl
    namespace = models.TextField(blank=True)
    name = models.TextField()
    identity = models.UUIDField(
        unique=True
    )  # blake2b-128 of (ecosystem, namespace, name): names may exceed index limits

    class Meta:
        indexes = [GinIndex(fields=["name"], name="component_name_trgm", opclasses=["gin_trgm_ops"])]

    def __str__(self) -> str:
        return f"{self.ecosystem}/{self.namespace}/{self.name}"


class Package(models.Model):
    id = models.AutoField(primary_key=True)
    identity = models.UUIDField(unique=True)  # blake2b-128 of the canonical fields
    component = models.ForeignKey(Component, models.CASCADE, related_name="packages", db_index=False)  # package_range
    version = models.TextField()
    version_key = models.BinaryField(null=True)  # byte-comparable; null when no comparator understands the version
    arch = models.CharField(max_length=32, blank=True)
    role = models.CharField(max_length=20)  # spdx.Role
    purl = models.TextField(blank=True)
    license = models.ForeignKey(License, models.PROTECT, null=True, db_index=False)  # package_license is one
    supplier = models.TextField(blank=True)
    checksum = models.BinaryField(null=True)  # sha256, else sha1, of the package
    built_from = models.TextField(blank=True)  # source package: libssl3 is built from openssl

    class Meta:
        indexes = [
            models.Index(fields=["component", "version_key"], name="package_range"),
            models.Index(fields=["license", "component"], name="package_license"),
            # Hashed: both are as long as a document wants, and a B-tree refuses entries over 2,704 bytes.
            HashIndex(fields=["purl"], name="package_purl"),
            HashIndex(fields=["built_from"], name="package_built_from", condition=~Q(built_from="")),
            GinIndex(
                fields=["built_from"],
                name="package_built_from_trgm",
                opclasses=["gin_trgm_ops"],
                fastupdate=False,
                condition=~Q(built_from=""),
            ),
            HashIndex(fields=["checksum"], name="package_checksum", condition=Q(checksum__isnull=False)),
            GinIndex(fields=["supplier"], name="package_supplier_trgm", opclasses=["gin_trgm_ops"], fastupdate=False),
        ]

    def __str__(self) -> str:
        return self.purl or f"{self.component_id}@{self.version}"


class ComponentCpe(models.Model):
    """Some document names this component by a CPE of that vendor and product."""

    pk = models.CompositePrimaryKey("vendor", "product", "component_id")
    vendor = models.CharField(max_length=200)
    product = models.CharField(max_length=200)
    component = models.ForeignKey(Component, models.CASCADE)

    def __str__(self) -> str:
        return f"{self.vendor}:{self.product} is {self.component_id}"


class PackageImage(models.Model):
    """Rollup: this image has, or had, this package."""

    pk = models.CompositePrimaryKey("package_id", "image_id")
    package = models.ForeignKey(Package, models.CASCADE, db_index=False)  # the primary key is one
    image = models.ForeignKey("store.Image", models.CASCADE)
    # No index: SBOMs are never deleted, and an entry for each row would cost 0.7 bytes an occurrence.
    first_sbom = models.ForeignKey("store.Sbom", models.CASCADE, related_name="+", db_index=False)

    def __str__(self) -> str:
        return f"{self.package_id} in {self.image_id}"
