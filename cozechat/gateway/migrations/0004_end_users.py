import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def note_end_users(apps, schema_editor):
    """Until now an end user was found by the name at Coze itself; its key is learned when they come."""
    User = apps.get_model("accounts", "User")
    EndUser = apps.get_model("gateway", "EndUser")
    now = django.utils.timezone.now()
    rows = User.objects.exclude(end_user_of=None).values_list("pk", "session_name")
    EndUser.objects.bulk_create(
        (EndUser(user_id=pk, lookup=session_name, seen_at=now) for pk, session_name in rows.iterator()),
        batch_size=500,
    )


def name_end_users(apps, schema_editor):
    StoredCall = apps.get_model("gateway", "StoredCall")
    for stored in StoredCall.objects.select_related("user").iterator():
        StoredCall.objects.filter(pk=stored.pk).update(end_user=stored.user.session_name)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_user_end_user_of"),
        ("gateway", "0003_budgets_by_scope"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="most_end_users",
            field=models.PositiveIntegerField(
                blank=True,
                default=10000,
                help_text="Each new name that clients send makes a user of its own here.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
                verbose_name="end users at most",
            ),
        ),
        migrations.AddField(
            model_name="storedcall",
            name="end_user",
            field=models.CharField(default="", max_length=64, verbose_name="end user (digest)"),
            preserve_default=False,
        ),
        migrations.RunPython(name_end_users, migrations.RunPython.noop, elidable=True),
        migrations.RemoveField(model_name="storedcall", name="user"),
        migrations.CreateModel(
            name="EndUser",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("scope", models.CharField(blank=True, db_index=True, max_length=32)),
                ("lookup", models.CharField(max_length=64, unique=True)),
                ("seen_at", models.DateTimeField(db_index=True, verbose_name="last seen")),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="end_user",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={"verbose_name": "end user", "verbose_name_plural": "end users"},
        ),
        migrations.RunPython(note_end_users, migrations.RunPython.noop, elidable=True),
    ]
