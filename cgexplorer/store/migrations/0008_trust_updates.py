"""What became of each trust root: shipped, refreshed, imported, or why it was not. Never rewritten."""

import django.db.models.deletion
from django.db import migrations, models

PUBLIC_GOOD = "Sigstore public good"


def remember(apps, schema_editor):
    """The roots that are stored already."""
    update = apps.get_model("store", "TrustUpdate")
    for root in apps.get_model("store", "TrustRoot").objects.order_by("pk"):
        source = "shipped" if root.name == PUBLIC_GOOD else "imported"
        update.objects.create(name=root.name, source=source, trust_root=root, at=root.imported_at)


class Migration(migrations.Migration):
    dependencies = [("store", "0007_verdict_tried")]

    operations = [
        migrations.CreateModel(
            name="TrustUpdate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64)),
                ("source", models.CharField(max_length=10)),
                (
                    "trust_root",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="updates",
                        to="store.trustroot",
                    ),
                ),
                ("error", models.CharField(blank=True, max_length=1000)),
                ("mirror", models.CharField(blank=True, max_length=500)),
                ("root_version", models.IntegerField(null=True)),
                ("timestamp_version", models.IntegerField(null=True)),
                ("snapshot_version", models.IntegerField(null=True)),
                ("targets_version", models.IntegerField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("at", models.DateTimeField()),
            ],
            options={"indexes": [models.Index(fields=["name", "-id"], name="trust_update_newest")]},
        ),
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON store_trustupdate"
            " FOR EACH ROW EXECUTE FUNCTION store_refuse_change();",
            "DROP TRIGGER append_only ON store_trustupdate;",
        ),
        migrations.RunPython(remember, migrations.RunPython.noop),
    ]
