"""A tag's moves say what came before and when it was last seen there; a tag or a digest can be gone."""

import django.db.models.deletion
from django.db import migrations, models

# The moves that are stored already are chained once; the time at which the one before was last seen was not kept.
CHAIN = """
ALTER TABLE store_tagmove DISABLE TRIGGER append_only;
UPDATE store_tagmove move SET previous_id = chained.previous_id
FROM (SELECT id, lag(id) OVER (PARTITION BY image_id, name ORDER BY moved_at, id) AS previous_id FROM store_tagmove)
    chained
WHERE chained.id = move.id;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE store_tagmove ENABLE TRIGGER append_only;
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0004_policy_fields")]

    operations = [
        migrations.AddField("manifest", "gone_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "tagmove",
            "previous",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="next", to="store.tagmove"
            ),
        ),
        migrations.AddField("tagmove", "previous_seen_at", models.DateTimeField(null=True)),
        migrations.AlterField(
            "tagmove",
            "manifest",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="moves", to="store.manifest"
            ),
        ),
        migrations.RunSQL(CHAIN, migrations.RunSQL.noop),
    ]
