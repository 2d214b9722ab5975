"""Conversations as they stand in the database after somebody talked."""

import uuid
from typing import Any

from django.utils import timezone

from conversations.models import Conversation, Message, Turn
from cozechat.catalog.models import Assistant, CozeApp


def assistant() -> Assistant:
    app, _new = CozeApp.objects.get_or_create(name="Test", base_url="https://coze.example")
    return Assistant.objects.get_or_create(name="Test", app=app, workflow_id="1", coze_app_id="2")[0]


def conversation(owner: Any, *, title: str = "", **fields: Any) -> Conversation:
    return Conversation.objects.create(owner=owner, assistant=assistant(), title=title, **fields)


def turn(
    thread: Conversation, question: str, answer: str, *, status: str = "completed", **fields: Any
) -> Turn:
    ended = None if status in Turn.OPEN else timezone.now()
    made = Turn.objects.create(
        conversation=thread,
        owner=thread.owner,
        client_id=uuid.uuid4(),
        status=status,
        ended_at=ended,
        **fields,
    )
    for role, content in (("user", question), ("assistant", answer)):
        Message.objects.create(conversation=thread, turn=made, role=role, content=content)
    return made
