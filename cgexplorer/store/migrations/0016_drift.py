"""Drift events and their acknowledgements, both append-only."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


TABLES = ("store_driftevent", "store_acknowledgement")


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0015_chainguard_images_are_complete'),
    ]

    operations = [
        migrations.CreateModel(
            name='DriftEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(unique=True)),
                ('kind', models.CharField(max_length=32)),
                ('tags', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=128), default=list)),
                ('platforms', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), default=list)),
                ('topics', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=255), default=list)),
                ('before', models.TextField()),
                ('after', models.TextField()),
                ('note', models.TextField(blank=True)),
                ('changes', models.JSONField(default=list)),
                ('at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(auto_now_add=True)),
                ('image', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='drift', to='store.image')),
                ('manifest', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='store.manifest')),
                ('manifest_before', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='store.manifest')),
                ('move', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='store.tagmove')),
                ('run', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='store.verificationrun')),
                ('run_before', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='store.verificationrun')),
            ],
        ),
        migrations.CreateModel(
            name='Acknowledgement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=1000)),
                ('who', models.CharField(blank=True, max_length=100)),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='acknowledgements', to='store.driftevent')),
            ],
        ),
        migrations.AddIndex(
            model_name='driftevent',
            index=models.Index(fields=['image', '-id'], name='drift_of_image'),
        ),
        migrations.AddIndex(
            model_name='driftevent',
            index=models.Index(fields=['kind', '-id'], name='drift_of_kind'),
        ),
        migrations.AddIndex(
            model_name='driftevent',
            index=models.Index(fields=['recorded_at'], name='drift_since'),
        ),
        *[
            migrations.RunSQL(
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION store_refuse_change();",
                f"DROP TRIGGER append_only ON {table};",
            )
            for table in TABLES
        ],
    ]
