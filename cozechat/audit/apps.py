"""The audit trail as a Django app, and the admin whose every view leaves a line in it."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    """One table, and what writes to it."""

    name = "cozechat.audit"
    label = "audit"
    verbose_name = _("Audit trail")
    default_auto_field = "django.db.models.BigAutoField"
    default = True


class AuditedAdminConfig(admin_apps.AdminConfig):
    """Django's admin with a site that nobody can register a silent page with."""

    default_site = "cozechat.audit.site.AuditedSite"
    default = False
