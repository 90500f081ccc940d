"""Who signs Chainguard's images. Data, not code: versions are added with `manage.py add_policy`."""

from django.db import migrations

GITHUB = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/chainguard-images/{}/.github/workflows/release.yaml@refs/heads/main"
PRESETS = [
    {
        "name": "chainguard public",
        "pattern": "cgr.dev/chainguard/*",
        "issuer": GITHUB,
        "identity": WORKFLOW.format("images"),
    },
    {
        "name": "chainguard private",
        "pattern": "cgr.dev/*",
        "issuer": GITHUB,
        "identity": WORKFLOW.format("images-private"),
    },
    {
        # As Chainguard documents it today. Until an organisation's two ids are written in, it matches no certificate.
        "name": "chainguard private (issuer.enforce.dev)",
        "pattern": "cgr.dev/*",
        "issuer": "https://issuer.enforce.dev",
        "identity_regexp": r"https://issuer\.enforce\.dev/(<IMAGE_SYNCER UIDP>|<CUSTOM_IMAGE_BUILDER UIDP>)",
    },
]


def add(apps, schema_editor):
    policies = apps.get_model("store", "PolicyRow")
    for preset in PRESETS:
        policies.objects.get_or_create(name=preset["name"], defaults=preset)


class Migration(migrations.Migration):
    dependencies = [("store", "0002_storage_and_history")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
