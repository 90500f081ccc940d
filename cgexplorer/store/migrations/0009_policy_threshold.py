"""A policy may ask for several signers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0008_trust_updates")]

    operations = [migrations.AddField("policyrow", "threshold", models.IntegerField(default=1))]
