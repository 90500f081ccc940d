"""What belongs to one image says which: rows can then be spread over machines by their image, and joined where they are.

No index and no constraint: nobody asks by it alone, and `check_store` compares it with the row it belongs to.
"""

import django.db.models.deletion
from django.db import migrations, models

OWNERS = {
    "indexentry": "FROM store_manifest o WHERE o.id = t.index_id",
    "verdictrow": "FROM store_verificationrun o WHERE o.id = t.run_id",
    "sbomgraph": "FROM store_sbom o WHERE o.id = t.sbom_id",
    "sbomdetail": "FROM store_sbom o WHERE o.id = t.sbom_id",
}


def image(**more):
    return models.ForeignKey(
        db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name="+",
        to="store.image", **more,
    )  # fmt: skip


def fill(table, owner):
    """History is not rewritten: the guard is lifted for this one column."""
    guard = "ALTER TABLE store_{0} {1} TRIGGER append_only;" if table == "verdictrow" else ""
    return (
        f"SET LOCAL statement_timeout = 0; {guard.format(table, 'DISABLE')}"
        f" UPDATE store_{table} t SET image_id = o.image_id {owner}; SET CONSTRAINTS ALL IMMEDIATE;"  # noqa: S608
        f" {guard.format(table, 'ENABLE')}"
    )


class Migration(migrations.Migration):
    dependencies = [("store", "0021_universe")]

    operations = [
        operation
        for table, owner in OWNERS.items()
        for operation in (
            migrations.AddField(table, "image", image(null=True)),
            migrations.RunSQL(fill(table, owner), migrations.RunSQL.noop),
            migrations.AlterField(table, "image", image()),
        )
    ]
