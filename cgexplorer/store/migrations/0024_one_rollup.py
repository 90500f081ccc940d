"""What no query reads is not kept: which image has which component. Its packages say so, too."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0023_no_index_twice")]

    operations = [
        migrations.DeleteModel("ComponentImage"),
        migrations.AlterField(
            "packageimage",
            "first_sbom",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="store.sbom",
            ),
        ),
    ]
