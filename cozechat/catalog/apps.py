"""The catalog as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    """Coze apps and assistants."""

    name = "cozechat.catalog"
    label = "catalog"
    verbose_name = _("Coze")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """The pools of connections are watched from the start."""
        from cozechat.catalog import clients  # noqa: PLC0415 - its models need the apps

        clients.show_gauges()
