"""These keys are the first of another index of their table: 0.8 bytes an occurrence, and no work at ingestion."""


import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0022_image_everywhere'),
    ]

    operations = [
        migrations.AlterField(
            model_name='componentimage',
            name='component',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='store.component'),
        ),
        migrations.AlterField(
            model_name='package',
            name='component',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='packages', to='store.component'),
        ),
        migrations.AlterField(
            model_name='package',
            name='license',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='store.license'),
        ),
        migrations.AlterField(
            model_name='packageimage',
            name='package',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='store.package'),
        ),
    ]
