"""Chainguard attests provenance, configuration and contents of its images: the policies that come along ask for all
three. A new version of each that nobody has changed; version 1 stays beside the verdicts that it gave."""

from django.db import migrations

PRESETS = ("chainguard public", "chainguard private", "chainguard private (issuer.enforce.dev)")
TYPES = ["https://slsa.dev/provenance", "https://apko.dev/image-configuration", "https://spdx.dev/Document"]


def ask(apps, schema_editor):
    policies = apps.get_model("store", "PolicyRow")
    for row in policies.objects.filter(name__in=PRESETS, version=1, current=True):
        policies.objects.filter(pk=row.pk).update(current=False)
        row.pk, row.version, row.required_types = None, 2, TYPES
        row.save(force_insert=True)


class Migration(migrations.Migration):
    dependencies = [("store", "0014_follow")]

    operations = [migrations.RunPython(ask, migrations.RunPython.noop)]
