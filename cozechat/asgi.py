"""The ASGI application: Django for HTTP, Channels for the socket.

`manage.py serve` and `daphne cozechat.asgi:application` both start it; a broken configuration refuses here,
so that no way of starting goes around the checks.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cozechat.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings

from accounts.sockets import Application, Receive, Scope, Send, SocketLogin
from conversations import turns
from conversations.routing import websocket_urlpatterns
from cozechat import counters, logs
from cozechat.access import Access
from cozechat.checks import refuse_broken_configuration
from cozechat.gateway.door import Door
from cozechat.gateway.entrance import is_ours
from cozechat.logs import levels
from cozechat.monitoring.entrance import HealthFirst
from cozechat.monitoring.reporting import reporter
from cozechat.webhooks.courier import courier

refuse_broken_configuration()


class Awake:
    """ASGI middleware: with the first connection of any kind this process begins to look after turns and events."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with logs.only():
            turns.engine().start_chores()
            courier().start()
            reporter().start()
            levels.follow(settings.VAR_DIR)
        if scope["type"] == "http":
            counters.add("requests")
        await self.application(scope, receive, send)


application = Awake(
    HealthFirst(
        Access(
            ProtocolTypeRouter(
                {"http": Door(django_application), "websocket": SocketLogin(URLRouter(websocket_urlpatterns))}
            ),
            has_own_ids=is_ours,
        )
    )
)
