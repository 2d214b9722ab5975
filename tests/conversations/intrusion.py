"""What Bob knows of Alice's when he tries, and what he would know of somebody who never was."""

import base64
import json
import re
import uuid
from datetime import timedelta

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversations import urls
from conversations.models import Branch, Conversation, Cut, Message, Turn
from tests.tabs import HOST

SECRET = "the secret word is zebra"


def everything_of(owner) -> list:
    """All that is stored for a user, except what the page may touch while it looks."""
    conversations = Conversation.objects.filter(owner=owner)
    return [
        *conversations.order_by("pk").values(),
        *Turn.objects.filter(owner=owner).order_by("pk").values(),
        *Message.objects.filter(conversation__in=conversations).order_by("pk").values(),
        *Branch.objects.filter(conversation__in=conversations).order_by("pk").values(),
        *Cut.objects.filter(conversation__in=conversations).order_by("pk").values(),
    ]


def ids_of(owner) -> dict[str, str]:
    """What Bob might have learnt of Alice's: her conversation with a message in it, and who she is."""
    turns = Turn.objects.filter(owner=owner).order_by("-created_at")
    turn, queued = turns.exclude(status="queued").first(), turns.queued().first()
    message = turn.messages.order_by("pk").last()
    cursor = json.dumps([(timezone.now() + timedelta(days=1)).isoformat(), str(turn.conversation_id)])
    return {
        "CONVERSATION": str(turn.conversation_id),
        "TURN": str(turn.pk),
        "QUEUED": str(queued.pk if queued else uuid.uuid4()),
        "ALICES": str(turn.client_id),
        "CUT": str(getattr(Cut.objects.filter(conversation__owner=owner).first(), "pk", uuid.uuid4())),
        "MESSAGE": str(message.pk),
        "CURSOR": base64.urlsafe_b64encode(cursor.encode()).decode(),
        "ALICE": str(owner.pk),
        "SESSION": owner.session_name,
    }


def ids_of_nobody(real: dict[str, str]) -> dict[str, str]:
    never = {name: str(uuid.uuid4()) for name in ("CONVERSATION", "TURN", "QUEUED", "ALICES", "CUT")}
    cursor = json.dumps([(timezone.now() + timedelta(days=1)).isoformat(), never["CONVERSATION"]])
    return {
        **never,
        "MESSAGE": str(10**9),
        "CURSOR": base64.urlsafe_b64encode(cursor.encode()).decode(),
        "ALICE": "999999",
        "SESSION": "u_" + "0" * (len(real["SESSION"]) - 2),
    }


def filled(template: str, ids: dict[str, str]) -> str:
    return re.sub("|".join(ids), lambda found: ids[found[0]], template)


def neutral(text: str, ids: dict[str, str]) -> str:
    """An answer with the ids that its question held taken out: they may be sent back."""
    for name, value in sorted(ids.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, name) if len(value) > 6 else text
    return text


def signed_in(user) -> Client:
    client = Client(headers={"host": HOST, "accept-language": "en"})
    client.force_login(user)
    return client


def address(name: str, ids: dict[str, str]) -> str:
    pattern = next(pattern for pattern in urls.urlpatterns if pattern.name == name)
    wanted = list(pattern.pattern.converters)
    known = {"conversation_id": "CONVERSATION", "turn_id": "TURN", "cut_id": "CUT"}
    assert set(wanted) <= set(known), "a new kind of id needs its rows here"
    return reverse(f"conversations:{name}", kwargs={kind: ids[known[kind]] for kind in wanted})
