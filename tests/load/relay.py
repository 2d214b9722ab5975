"""The reference: the least that a Channels consumer under daphne can do with the same upstream.

No accounts, no database, no history, one frame a delta. It is run with stock daphne:

    RELAY_UPSTREAM=http://127.0.0.1:9100 daphne -p 9200 tests.load.relay:application
"""

import json
import os

import django
import httpx
from django.conf import settings

settings.configure(
    SECRET_KEY="reference",
    ALLOWED_HOSTS=["*"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    INSTALLED_APPS=["channels"],
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402

ADDRESS = os.environ["RELAY_UPSTREAM"] + "/v1/workflows/chat"


class Relay(AsyncWebsocketConsumer):
    """Asks upstream for every frame that comes, and passes each delta on."""

    upstream = httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=None, trust_env=False)

    async def receive(self, text_data=None, bytes_data=None):
        question = {"workflow_id": "1", "session_name": "reference"}
        async with self.upstream.stream("POST", ADDRESS, json=question) as response:
            event = ""
            async for line in response.aiter_lines():
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:") and event == "conversation.message.delta":
                    content = json.loads(line[5:])["content"]
                    await self.send(json.dumps({"type": "delta", "content": content}))


application = ProtocolTypeRouter(
    {"http": get_asgi_application(), "websocket": URLRouter([path("ws/chat/", Relay.as_asgi())])}
)
