"""The money as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UsageConfig(AppConfig):
    """Prices, balances, budgets, usage records."""

    name = "cozechat.usage"
    label = "usage"
    verbose_name = _("Usage and balances")
    default_auto_field = "django.db.models.BigAutoField"
