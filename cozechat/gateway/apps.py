"""The gateway as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GatewayConfig(AppConfig):
    """Keys, settings of assistants, conversations of end users, stored answers."""

    name = "cozechat.gateway"
    label = "gateway"
    verbose_name = _("Gateway")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import belongings  # noqa: PLC0415 - models need loaded apps
        from cozechat.gateway import farewells, proof  # noqa: PLC0415

        proof.register()
        belongings.register("gateway", find=farewells.at_coze)
