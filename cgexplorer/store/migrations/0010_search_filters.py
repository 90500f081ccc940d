"""Search by supplier, checksum and CPE."""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0009_policy_threshold")]

    operations = [
        migrations.CreateModel(
            name="ComponentCpe",
            fields=[
                ("pk", models.CompositePrimaryKey("vendor", "product", "component_id", blank=True, editable=False, primary_key=True, serialize=False)),
                ("vendor", models.CharField(max_length=200)),
                ("product", models.CharField(max_length=200)),
                ("component", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="store.component")),
            ],
        ),
        migrations.AddIndex(
            "package",
            django.contrib.postgres.indexes.HashIndex(condition=models.Q(("checksum__isnull", False)), fields=["checksum"], name="package_checksum"),
        ),
        migrations.AddIndex(
            "package",
            django.contrib.postgres.indexes.GinIndex(fastupdate=False, fields=["supplier"], name="package_supplier_trgm", opclasses=["gin_trgm_ops"]),
        ),
    ]
