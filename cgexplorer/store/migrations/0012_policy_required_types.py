"""A policy may say what must be attested of a complete image."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0011_registry_credentials")]

    operations = [migrations.AddField("policyrow", "required_types", models.JSONField(blank=True, default=list))]
