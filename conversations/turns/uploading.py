"""The files beside a question on their way to Coze: uploaded as their owner, and again when Coze has let them go."""

import json
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from conversations.models import Attachment, Message
from conversations.turns.running import RunningTurn
from cozechat import database
from cozechat.catalog.models import Assistant
from cozechat.coze.client import CozeClient
from cozechat.coze.parts import Content, FilePart, ImagePart, TextPart
from cozechat.coze.types import Caller


async def at_coze(running: RunningTurn, *, client: CozeClient, caller: Caller) -> tuple[FilePart, ...]:
    """The question's files as Coze knows them; what its account does not have (any more) is uploaded first."""
    attached = await database.run(_of, running.begun.question)
    parts = []
    for attachment in attached:
        file_id = await _file_id(attachment, running=running, client=client, caller=caller)
        parts.append((ImagePart if attachment.is_image else FilePart)(file_id=file_id))
    return tuple(parts)


def _of(question: Message) -> list[Attachment]:
    return list(Attachment.objects.filter(messages=question))


async def _file_id(
    attachment: Attachment, *, running: RunningTurn, client: CozeClient, caller: Caller
) -> str:
    app = running.assistant.app
    if not attachment.is_at_coze(app, now=timezone.now()):
        content = await database.run(lambda: b"".join(attachment.chunks()))
        uploaded = await client.files.upload(
            caller, name=attachment.name, content=content, media_type=attachment.media_type
        )
        attachment.coze_app, attachment.coze_file_id = app, uploaded.id
        attachment.at_coze_since = timezone.now()
        fields = ["coze_app", "coze_file_id", "at_coze_since"]
        await database.run(lambda: Attachment.objects.filter(pk=attachment.pk).update(
            **{name: getattr(attachment, name) for name in fields}
        ))  # fmt: skip
    return attachment.coze_file_id


def for_bot(words: str, files: Sequence[FilePart]) -> Content:
    """The question to a bot: words, and files beside them."""
    return [TextPart(words), *files] if files else words


def for_chatflow(assistant: Assistant, files: Sequence[FilePart]) -> dict[str, Any]:
    """A chatflow's messages are text alone: a file goes into an input of its start node, as a text of JSON."""
    if not files:
        return {}
    return {assistant.file_input: json.dumps({"file_id": files[0].file_id})}
