"""What the policies said that did not decide. Null in verdicts from before: it was not kept."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0006_policy_times")]

    operations = [migrations.AddField("verdictrow", "tried", models.JSONField(null=True))]
