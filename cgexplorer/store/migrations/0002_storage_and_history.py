"""What Django's schema cannot say: how bytes are stored, and that history is never rewritten."""

from django.db import migrations

# Already compressed by us: a second attempt by PostgreSQL costs time and gains nothing.
COMPRESSED = {
    "store_payload": ["data"],
    "store_sbomgraph": ["data"],
    "store_sbomdetail": ["packages", "files", "document"],
    # Sorted ids compress badly, and are read in slices by the index recheck.
    "store_sbompackages": ["package_ids"],
}
APPEND_ONLY = ["store_verificationrun", "store_verdictrow", "store_tagmove"]

FUNCTION = """
CREATE FUNCTION store_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: history is not rewritten', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
"""


def storage(kind):
    return "".join(
        f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE {kind};"
        for table, columns in COMPRESSED.items()
        for column in columns
    )


class Migration(migrations.Migration):
    dependencies = [("store", "0001_initial")]

    operations = [
        migrations.RunSQL(storage("EXTERNAL"), storage("EXTENDED")),
        migrations.RunSQL(FUNCTION, "DROP FUNCTION store_refuse_change();"),
        *[
            migrations.RunSQL(
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION store_refuse_change();",
                f"DROP TRIGGER append_only ON {table};",
            )
            for table in APPEND_ONLY
        ],
    ]
