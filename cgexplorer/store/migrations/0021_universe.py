"""What a search looks at, counted as it changes: a search must not count all images to say what it is out of.

Three tables, each kept by triggers on what it follows, in the same transaction: a row a digest, a row an image, and
changes whose sum are the totals. `store.queries.consistency` compares them with the slow truth.
"""

import django.db.models.deletion
from django.db import migrations, models

DIGEST_COUNTS = {  # of a UniverseImage: which digests it counts
    "current": "current",
    "current_held": "current AND held",
    "current_searchable": "current AND searchable",
    "ever": "true",
    "ever_held": "held",
    "ever_verified": "verified",
}
COUNTS = ", ".join(DIGEST_COUNTS)
TOTALS = ", ".join([*DIGEST_COUNTS, *(f"images_{name}" for name in DIGEST_COUNTS)])

# The rows are locked before they are counted anew: a statement begun after the lock sees what the other writer left.
REFRESH = """
CREATE FUNCTION store_universe_refresh(ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(ids) = 0 THEN RETURN; END IF;
    PERFORM FROM store_universedigest WHERE manifest_id = ANY(ids) ORDER BY manifest_id FOR UPDATE;
    INSERT INTO store_universedigest AS u (manifest_id, image_id, current, held, verified, searchable)
    SELECT m.id, m.image_id,
        EXISTS (SELECT FROM store_tag t WHERE t.manifest_id = m.id)
        OR EXISTS (SELECT FROM store_indexentry x JOIN store_tag t ON t.manifest_id = x.index_id
                   WHERE x.manifest_id = m.id),
        coalesce(s.held, false), coalesce(s.verified, false), coalesce(s.searchable, false)
    FROM store_manifest m LEFT JOIN LATERAL (
        SELECT true AS held, bool_or(e.state = 'verified') AS verified, bool_or(p.searchable) AS searchable
        FROM store_sbom s JOIN store_sbompackages p ON p.sbom_id = s.id LEFT JOIN store_evidence e ON e.id = s.evidence_id
        WHERE s.manifest_id = m.id AND s.indexed HAVING count(*) > 0) s ON true
    WHERE m.id = ANY(ids) AND NOT m.is_index AND m.platform <> 'unknown/unknown' ORDER BY m.id
    ON CONFLICT (manifest_id) DO UPDATE
    SET current = excluded.current, held = excluded.held, verified = excluded.verified, searchable = excluded.searchable
    WHERE (u.current, u.held, u.verified, u.searchable)
        IS DISTINCT FROM (excluded.current, excluded.held, excluded.verified, excluded.searchable);
    DELETE FROM store_universedigest u USING store_manifest m
    WHERE u.manifest_id = ANY(ids) AND m.id = u.manifest_id AND (m.is_index OR m.platform = 'unknown/unknown');
END $$;
"""
WITH_CHILDREN = (
    "WITH t(id) AS ({tagged}) SELECT id FROM t"
    " UNION SELECT x.manifest_id FROM t JOIN store_indexentry x ON x.index_id = t.id"
)
OF_SBOMS = "SELECT s.manifest_id FROM {changed} p JOIN store_sbom s ON s.id = p.sbom_id"
MOVED = """SELECT unnest(ARRAY[b.manifest_id, a.manifest_id]) FROM before b JOIN after a USING (id)
    WHERE b.manifest_id <> a.manifest_id"""
FLIPPED = "SELECT a.sbom_id FROM before b JOIN after a USING (sbom_id) WHERE b.searchable <> a.searchable"
# table, event, which rows it is about, and the manifests that may have changed
FOLLOWED = (
    ("tag", "INSERT", "", WITH_CHILDREN.format(tagged="SELECT manifest_id FROM after")),
    ("tag", "UPDATE", "", WITH_CHILDREN.format(tagged=MOVED)),
    ("tag", "DELETE", "", WITH_CHILDREN.format(tagged="SELECT manifest_id FROM before")),
    ("indexentry", "INSERT", "", "SELECT manifest_id FROM after"),
    ("indexentry", "DELETE", "", "SELECT manifest_id FROM before"),
    ("sbompackages", "INSERT", "", OF_SBOMS.format(changed="after")),
    ("sbompackages", "UPDATE", "", OF_SBOMS.format(changed=f"({FLIPPED})")),
    ("sbompackages", "DELETE", "", OF_SBOMS.format(changed="before")),
    ("manifest", "INSERT", "true", "SELECT NEW.id"),
    ("manifest", "UPDATE", "(OLD.is_index, OLD.platform) IS DISTINCT FROM (NEW.is_index, NEW.platform)",
     "SELECT NEW.id"),
    ("sbom", "UPDATE", "(OLD.manifest_id, OLD.indexed, OLD.evidence_id) IS DISTINCT FROM"
     " (NEW.manifest_id, NEW.indexed, NEW.evidence_id)", "VALUES (OLD.manifest_id), (NEW.manifest_id)"),
    ("sbom", "DELETE", "true", "SELECT OLD.manifest_id"),
    ("evidence", "UPDATE", "OLD.state IS DISTINCT FROM NEW.state",
     "SELECT s.manifest_id FROM store_sbom s WHERE s.evidence_id = NEW.id"),
)  # fmt: skip
TRANSITIONS = {
    "INSERT": "REFERENCING NEW TABLE AS after",
    "UPDATE": "REFERENCING OLD TABLE AS before NEW TABLE AS after",
    "DELETE": "REFERENCING OLD TABLE AS before",
}


def trigger(table: str, event: str, when: str, body: str) -> str:
    """For each row with `when`; else once a statement, over the rows `before` and `after` it."""
    name = f"store_universe_{table}_{event.lower()}"
    each = f"FOR EACH ROW WHEN ({when})" if when else f"{TRANSITIONS[event]} FOR EACH STATEMENT"
    return f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$;
        CREATE TRIGGER universe_{event.lower()} AFTER {event} ON store_{table} {each} EXECUTE FUNCTION {name}();"""


def follow(table: str, event: str, when: str, ids: str) -> str:
    return trigger(table, event, when, f"PERFORM store_universe_refresh(ARRAY({ids}));")


def count(event: str) -> str:
    """Digests of an image, by what became of its rows. Its image may be gone before them: then so are its counts."""
    rows = {"INSERT": "SELECT 1 AS sign, * FROM after", "DELETE": "SELECT -1 AS sign, * FROM before"}
    changed = rows.get(event) or f"{rows['INSERT']} UNION ALL {rows['DELETE']}"
    sums = ", ".join(f"sum(sign * ({condition})::int)" for condition in DIGEST_COUNTS.values())
    body = f"""
        INSERT INTO store_universeimage AS u (image_id, {COUNTS})
        SELECT image_id, {sums} FROM ({changed}) c WHERE EXISTS (SELECT FROM store_image i WHERE i.id = c.image_id)
        GROUP BY image_id ORDER BY image_id
        ON CONFLICT (image_id) DO UPDATE SET {", ".join(f"{name} = u.{name} + excluded.{name}" for name in DIGEST_COUNTS)};
    """  # noqa: S608  (names of ours)
    return trigger("universedigest", event, "", body)


def total(event: str) -> str:
    new, old = ("0" if event == "DELETE" else "NEW.{0}"), ("0" if event == "INSERT" else "OLD.{0}")
    digests = ", ".join(f"{new} - {old}".format(name) for name in DIGEST_COUNTS)
    images = ", ".join(f"({new} > 0)::int - ({old} > 0)::int".format(name) for name in DIGEST_COUNTS)
    # Now and then many changes become one. Whoever else does the same takes others: nobody waits.
    return f"""
        CREATE FUNCTION store_universe_total_{event.lower()}() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE number bigint;
        BEGIN
            INSERT INTO store_universechange ({TOTALS}) VALUES ({digests}, {images}) RETURNING id INTO number;
            IF number % 64 = 0 THEN
                WITH taken AS (DELETE FROM store_universechange WHERE id IN (
                    SELECT id FROM store_universechange ORDER BY id LIMIT 10000 FOR UPDATE SKIP LOCKED) RETURNING *)
                INSERT INTO store_universechange ({TOTALS})
                SELECT {", ".join(f"sum({name})" for name in TOTALS.split(", "))} FROM taken HAVING count(*) > 0;
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER universe_{event.lower()} AFTER {event} ON store_universeimage
            FOR EACH ROW EXECUTE FUNCTION store_universe_total_{event.lower()}();"""  # noqa: S608


CONSTRAINTS = """
ALTER TABLE store_universedigest
    ADD FOREIGN KEY (manifest_id) REFERENCES store_manifest ON DELETE CASCADE,
    ADD FOREIGN KEY (image_id) REFERENCES store_image ON DELETE CASCADE;
ALTER TABLE store_universeimage ADD FOREIGN KEY (image_id) REFERENCES store_image ON DELETE CASCADE;
"""
EVENTS = ("INSERT", "UPDATE", "DELETE")
TRIGGERS = "".join(
    [*(follow(*one) for one in FOLLOWED), *(count(event) for event in EVENTS), *(total(event) for event in EVENTS)]
)
DROP = "".join(
    [f"DROP TRIGGER universe_{event.lower()} ON store_{table};" for table, event, _, _ in FOLLOWED]
    + [f"DROP FUNCTION store_universe_{table}_{event.lower()};" for table, event, _, _ in FOLLOWED]
    + [f"DROP FUNCTION store_universe_{name}_{event.lower()} CASCADE;" for name in ("universedigest", "total")
       for event in EVENTS]
    + ["DROP FUNCTION store_universe_refresh;"]
)  # fmt: skip
# Seconds for 100,000 digests: longer than a job's statement may take, where there are millions.
FIRST = "SET LOCAL statement_timeout = 0; SELECT store_universe_refresh(ARRAY(SELECT id FROM store_manifest));"

ITS_OWNER = {
    "db_constraint": False,
    "on_delete": django.db.models.deletion.DO_NOTHING,
    "related_name": "+",
}


class Migration(migrations.Migration):
    dependencies = [("store", "0020_prune")]

    operations = [
        migrations.CreateModel(
            name="UniverseChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                *[(name, models.BigIntegerField()) for name in TOTALS.split(", ")],
            ],
        ),
        migrations.CreateModel(
            name="UniverseImage",
            fields=[
                ("image", models.OneToOneField(primary_key=True, serialize=False, to="store.image", **ITS_OWNER)),
                *[(name, models.IntegerField()) for name in DIGEST_COUNTS],
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("current__gt", models.F("current_searchable"))),
                        fields=["image"],
                        name="universe_images_now",
                    ),
                    models.Index(
                        condition=models.Q(("ever__gt", models.F("ever_verified"))),
                        fields=["image"],
                        name="universe_images_ever",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UniverseDigest",
            fields=[
                ("manifest", models.OneToOneField(primary_key=True, serialize=False, to="store.manifest", **ITS_OWNER)),
                ("current", models.BooleanField()),
                ("held", models.BooleanField()),
                ("verified", models.BooleanField()),
                ("searchable", models.BooleanField()),
                ("image", models.ForeignKey(db_index=False, to="store.image", **ITS_OWNER)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("current", True), ("searchable", False)),
                        fields=["image"],
                        name="universe_blind_now",
                    ),
                    models.Index(
                        condition=models.Q(("verified", False)), fields=["image"], name="universe_blind_ever"
                    ),
                ],
            },
        ),
        migrations.RunSQL(CONSTRAINTS, migrations.RunSQL.noop),
        migrations.RunSQL(REFRESH + TRIGGERS, DROP),
        migrations.RunSQL(FIRST, migrations.RunSQL.noop),
    ]
