"""The site as a Django app: its checks and commands."""

from django.apps import AppConfig


class CozeChatConfig(AppConfig):
    """Registers the checks of the configuration."""

    name = "cozechat"
    label = "cozechat"

    def ready(self) -> None:
        from cozechat import checks  # noqa: F401, PLC0415 - registering needs loaded apps
