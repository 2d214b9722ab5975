"""A second key for the time of a change, and a personal access token in a key's place."""

from django.db import migrations, models

import cozechat.encryption


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_kaitool")]

    operations = [
        migrations.AddField(
            model_name="cozeapp",
            name="other_public_key_id",
            field=models.CharField(
                blank=True, default="", editable=False, max_length=128, verbose_name="other public key id"
            ),
        ),
        migrations.AddField(
            model_name="cozeapp",
            name="other_private_key",
            field=cozechat.encryption.EncryptedTextField(
                blank=True, default="", editable=False, verbose_name="other private key"
            ),
        ),
        migrations.AddField(
            model_name="cozeapp",
            name="other_is_former",
            field=models.BooleanField(
                default=False, editable=False, verbose_name="the other key is the former one"
            ),
        ),
        migrations.AddField(
            model_name="cozeapp",
            name="key_refusal",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                max_length=300,
                verbose_name="why the key in use was refused",
            ),
        ),
        migrations.AddField(
            model_name="cozeapp",
            name="key_refused_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="refused"),
        ),
        migrations.AddField(
            model_name="cozeapp",
            name="personal_token",
            field=cozechat.encryption.EncryptedTextField(
                blank=True, default="", verbose_name="personal access token"
            ),
        ),
        migrations.AddConstraint(
            model_name="cozeapp",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("personal_token", ""),
                    models.Q(("other_private_key", ""), ("private_key", "")),
                    _connector="OR",
                ),
                name="app_has_a_key_or_a_personal_token",
                violation_error_message="An app signs in with its key or with a personal access token, not both.",
            ),
        ),
    ]
