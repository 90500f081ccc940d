"""An SBOM says whether and why its rows were pruned."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0019_saved_searches")]

    operations = [
        migrations.AddField("sbom", "pruned_at", models.DateTimeField(null=True)),
        migrations.AddField("sbom", "pruned_by", models.CharField(blank=True, max_length=200)),
        migrations.AddField("sbom", "restored_at", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "sbom",
            models.Index(condition=models.Q(("pruned_at__isnull", False)), fields=["manifest"], name="sbom_pruned"),
        ),
    ]
