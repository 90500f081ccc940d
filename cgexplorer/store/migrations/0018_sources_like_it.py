"""Did you mean: names of sources, too."""

import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0017_webhooks")]

    operations = [
        migrations.AddIndex(
            "package",
            django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("built_from", ""), _negated=True),
                fastupdate=False,
                fields=["built_from"],
                name="package_built_from_trgm",
                opclasses=["gin_trgm_ops"],
            ),
        ),
    ]
