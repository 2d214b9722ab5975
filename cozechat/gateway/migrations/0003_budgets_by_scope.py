"""A key's spending is counted under its scope, which its successors share, no longer under its own number."""

from django.db import migrations


def count_under_the_scope(apps, schema_editor):
    """Of keys that share a scope the newest one's counts go on."""
    ApiKey = apps.get_model("gateway", "ApiKey")
    BudgetWindow = apps.get_model("usage", "BudgetWindow")
    windows = BudgetWindow.objects.filter(scope="key")
    for pk, scope in ApiKey.objects.order_by("-pk").values_list("pk", "scope"):
        taken = set(windows.filter(scope_id=scope).values_list("period", "period_start"))
        for window in windows.filter(scope_id=str(pk)):
            if (window.period, window.period_start) not in taken:
                windows.filter(pk=window.pk).update(scope_id=scope)


def count_under_the_number(apps, schema_editor):
    """The way back."""
    ApiKey = apps.get_model("gateway", "ApiKey")
    BudgetWindow = apps.get_model("usage", "BudgetWindow")
    windows = BudgetWindow.objects.filter(scope="key")
    for pk, scope in ApiKey.objects.order_by("-pk").values_list("pk", "scope"):
        windows.filter(scope_id=scope).update(scope_id=str(pk))


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0002_owners_manage_keys"),
        ("usage", "0001_initial"),
    ]

    operations = [migrations.RunPython(count_under_the_scope, count_under_the_number)]
