"""SBOMs that are not indexed, or not whole, are named by every search: it must not read all to find them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0024_one_rollup")]

    operations = [
        migrations.AddIndex(
            model_name="sbom",
            index=models.Index(
                condition=models.Q(("pruned_at__isnull", True), models.Q(("not_indexed_reason", ""), _negated=True)),
                fields=["manifest"],
                name="sbom_not_whole",
            ),
        ),
    ]
