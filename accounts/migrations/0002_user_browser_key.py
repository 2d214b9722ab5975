"""Every user gets a browser key: drawn for those who are there, then unique for all."""

from typing import Any

from django.db import migrations, models

import accounts.models


def draw(apps: Any, schema_editor: Any) -> None:
    """A key for each user who was here before there were keys."""
    users = apps.get_model("accounts", "User").objects.using(schema_editor.connection.alias)
    rows = users.filter(browser_key=None).only("pk").iterator(chunk_size=500)
    for user in list(rows):
        users.filter(pk=user.pk).update(browser_key=accounts.models.new_browser_key())


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="browser_key",
            field=models.CharField(
                default=None, editable=False, max_length=32, null=True, verbose_name="browser key"
            ),
        ),
        migrations.RunPython(draw, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="user",
            name="browser_key",
            field=models.CharField(
                default=accounts.models.new_browser_key,
                editable=False,
                max_length=32,
                unique=True,
                verbose_name="browser key",
            ),
        ),
    ]
