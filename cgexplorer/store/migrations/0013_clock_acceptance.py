"""Somebody says that the clock is right, whatever is stored with a later date."""

import django.db.models.deletion
from django.db import migrations, models


def newest(model):
    return models.ForeignKey(
        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=f"store.{model}"
    )


class Migration(migrations.Migration):
    dependencies = [("store", "0012_policy_required_types")]

    operations = [
        migrations.CreateModel(
            name="ClockAcceptance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("run", newest("verificationrun")),
                ("step", newest("trustupdate")),
            ],
        ),
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON store_clockacceptance"
            " FOR EACH ROW EXECUTE FUNCTION store_refuse_change();",
            "DROP TRIGGER append_only ON store_clockacceptance;",
        ),
    ]
