"""The webhooks as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebhooksConfig(AppConfig):
    """Events that were received, and what Coze says that calls have cost."""

    name = "cozechat.webhooks"
    label = "webhooks"
    verbose_name = _("Webhooks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from cozechat import counters  # noqa: PLC0415 - registering needs loaded apps
        from cozechat.webhooks import checks  # noqa: F401, PLC0415
        from cozechat.webhooks.models import Event  # noqa: PLC0415

        counters.gauge("webhooks_pending", read=lambda: Event.objects.waiting().count(), shared=True)
