"""A policy may say when its key may sign, and ask for a timestamp."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0005_tag_history")]

    operations = [
        migrations.AddField("policyrow", "not_before", models.DateTimeField(null=True)),
        migrations.AddField("policyrow", "not_after", models.DateTimeField(null=True)),
        migrations.AddField("policyrow", "require_timestamp", models.BooleanField(default=False)),
    ]
