"""What a policy can ask for beside the signer: workflow claims, annotations, the key's hash, whose time counts."""

from django.db import migrations, models

CLAIMS = ("trigger", "sha", "name", "repository", "ref")


class Migration(migrations.Migration):
    dependencies = [("store", "0003_chainguard_policies")]

    operations = [
        migrations.AddField("policyrow", "key_digest", models.CharField(blank=True, default="", max_length=8), False),
        *(
            migrations.AddField("policyrow", f"workflow_{claim}", models.TextField(blank=True, default=""), False)
            for claim in CLAIMS
        ),
        migrations.AddField("policyrow", "annotations", models.JSONField(blank=True, default=dict)),
        migrations.AddField("policyrow", "use_signed_timestamps", models.BooleanField(default=True)),
    ]
