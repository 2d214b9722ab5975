"""Automations that send events to a real site at full speed, each on a connection of its own; shared with the load."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.webhooks.telling import TOKEN, bearer

_MAKE = """
import json
from accounts.models import User
from conversations.models import Conversation
from cozechat.catalog.environment import default_assistant
owner = User.objects.create_user("owner-of-many")
ids = [f"7410000000000{number:06}" for number in range({count})]
for coze_id in ids:
    Conversation.objects.create(owner=owner, assistant=default_assistant(), coze_conversation_id=coze_id)
print(json.dumps(ids))
"""
_LOOK = """
import json
from collections import Counter
from conversations.models import Message
from cozechat.webhooks.models import Event
events = dict(Event.objects.values_list("event_id", "state"))
told = Counter(Message.objects.filter(turn=None).values_list("coze_message_id", flat=True))
print(json.dumps({"events": events, "messages": told}))
"""
TOKENS = {"COZE_WEBHOOK_TOKEN": TOKEN}


def make_conversations(site: Any, *, count: int) -> list[str]:
    """Conversations of one owner; returns their ids at Coze."""
    made: list[str] = json.loads(_shell(site, _MAKE.replace("{count}", str(count))))
    return made


def look(site: Any) -> dict[str, dict[str, Any]]:
    """`events`: each id with its state; `messages`: each id with how often it is stored."""
    found: dict[str, dict[str, Any]] = json.loads(_shell(site, _LOOK))
    return found


def _shell(site: Any, code: str) -> str:
    return str(site.run("manage.py", "shell", "-v", "0", "-c", code)).splitlines()[-1]


@dataclass
class Sent:
    """What all senders came to: the ids that were accepted, and how long each answer took (seconds)."""

    accepted: list[str] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    seconds: float = 0.0


def send_all(
    urls: list[str],
    *,
    coze_ids: list[str],
    seconds: float,
    senders: int,
    rate: float = 0.0,
    meanwhile: Callable[[], object] = lambda: None,
) -> Sent:
    """Send events for so long, `rate` a second in all (0: as fast as they are accepted); `meanwhile` is called once."""
    sent, numbers, began = Sent(), itertools.count(), time.monotonic()
    threads = [
        threading.Thread(
            target=_send, args=(urls[each % len(urls)], coze_ids, numbers, sent, began, seconds, rate)
        )
        for each in range(senders)
    ]
    for thread in threads:
        thread.start()
    meanwhile()
    for thread in threads:
        thread.join()
    sent.seconds = time.monotonic() - began
    return sent


def _send(
    url: str, coze_ids: list[str], numbers: Any, sent: Sent, began: float, seconds: float, rate: float
) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    while time.monotonic() < began + seconds:
        number = next(numbers)
        if rate:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        _one(connection, f"e-{number}", coze_ids[number % len(coze_ids)], sent)
    connection.close()


def _one(connection: http.client.HTTPConnection, event_id: str, coze_id: str, sent: Sent) -> None:
    message = {"id": event_id, "role": "assistant", "content": f"This is event {event_id}."}
    data = {"conversation_id": coze_id, "message": message}
    body = json.dumps({"id": event_id, "type": "conversation.message", "data": data})
    began = time.monotonic()
    try:
        connection.request("POST", "/webhook/coze", body, bearer())
        reply = connection.getresponse()
        reply.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        sent.broken += 1
        time.sleep(0.05)
        return
    if reply.status == 202:
        sent.accepted.append(event_id)
        sent.took.append(time.monotonic() - began)
    else:
        sent.refused[reply.status] = sent.refused.get(reply.status, 0) + 1
