"""A token says whom it came from: an app that moves to another host or OAuth app does not take its old ones along."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_turn_limits"), ("catalog", "0004_keys_and_personal_tokens")]

    operations = [
        migrations.AddField(
            model_name="accesstoken",
            name="origin",
            field=models.CharField(
                blank=True, default="", editable=False, max_length=16, verbose_name="origin"
            ),
        ),
    ]
