"""Event names and data to typed events, without I/O.

A chat ends with `ChatCompleted` or `ActionRequired`, one of them and once; every other end is an error.
"""

from base64 import b64decode
from collections.abc import Callable

from cozechat.coze.codes import error_for
from cozechat.coze.errors import BadResponse, CozeError, Truncated, WrongConversation
from cozechat.coze.joining import SurrogateJoiner
from cozechat.coze.meanings import Verbose, meaning, read_tool_calls
from cozechat.coze.types import (
    ActionRequired,
    AudioDelta,
    ChatCompleted,
    ChatCreated,
    ChatEvent,
    ChatInProgress,
    JsonObject,
    Message,
    MessageDelta,
    StreamDone,
    UnknownEvent,
    Usage,
    as_int,
    as_object,
    as_text,
    parse_object,
)

_NOTHING_JOINED = (SurrogateJoiner(), SurrogateJoiner())


class ChatReader:
    """Reads the events of one chat in their order."""

    def __init__(self, *, conversation_id: str) -> None:
        self.finished = False
        self.done = False
        self._conversation_id = conversation_id
        self._chat_id = ""
        self._question = ""
        self._joiners: dict[str, tuple[SurrogateJoiner, SurrogateJoiner]] = {}
        self._readers: dict[str, Callable[[JsonObject], list[ChatEvent]]] = {
            "conversation.message.delta": self._delta,
            "conversation.message.completed": self._message,
            "conversation.audio.delta": self._audio,
            "conversation.chat.created": self._created,
            "conversation.chat.in_progress": self._in_progress,
            "conversation.chat.requires_action": self._action,
            "conversation.chat.completed": self._completed,
        }

    def read(self, name: str, data: str) -> list[ChatEvent]:
        """What one event means: mostly one thing, sometimes none or two; a failure is raised."""
        reader = self._readers.get(name)
        if reader is not None:
            try:
                fields = parse_object(data)
            except ValueError:
                raise BadResponse(f"the data of {name} is not a JSON object") from None
            self._check_conversation(fields)
            return reader(fields)
        if name == "done":
            return self._done(data)
        if name in ("error", "conversation.chat.failed"):
            raise _failure(data, name=name)
        return [UnknownEvent(name)]

    def _check_conversation(self, fields: JsonObject) -> None:
        answered = fields.get("conversation_id")
        if answered != self._conversation_id and as_text(answered) not in ("", self._conversation_id):
            raise WrongConversation("Coze answered in another conversation than the one that was asked")

    def _created(self, fields: JsonObject) -> list[ChatEvent]:
        self._chat_id = as_text(fields.get("id"))
        return [ChatCreated(chat_id=self._chat_id, conversation_id=as_text(fields.get("conversation_id")))]

    def _in_progress(self, fields: JsonObject) -> list[ChatEvent]:
        self._chat_id = as_text(fields.get("id")) or self._chat_id
        return [ChatInProgress(chat_id=self._chat_id)]

    def _delta(self, fields: JsonObject) -> list[ChatEvent]:
        if (fields.get("type") or "answer") != "answer":
            return [UnknownEvent(f"conversation.message.delta of {as_text(fields.get('type'))}")]
        content, reasoning = fields.get("content") or "", fields.get("reasoning_content") or ""
        if not isinstance(content, str) or not isinstance(reasoning, str):
            raise BadResponse("the content of a delta is not text")
        message_id = as_text(fields.get("id"))
        joiners = self._joiners.get(message_id)
        if joiners is None:
            joiners = self._joiners[message_id] = (SurrogateJoiner(), SurrogateJoiner())
        return [MessageDelta(message_id, joiners[0].join(content), joiners[1].join(reasoning))]

    def _audio(self, fields: JsonObject) -> list[ChatEvent]:
        try:
            content = b64decode(as_text(fields.get("content")), validate=True)
        except ValueError:
            raise BadResponse("the content of a piece of audio is not base64") from None
        return [AudioDelta(as_text(fields.get("id")), content)]

    def _message(self, fields: JsonObject) -> list[ChatEvent]:
        if not isinstance(fields.get("content") or "", str):
            raise BadResponse("the content of a message is not text")
        message = Message.from_json(fields)
        completed = meaning(message)
        events: list[ChatEvent] = [*self._leftovers(message.id), completed]
        self._chat_id = message.chat_id or self._chat_id
        if message.type == "answer":
            self._question = message.content
        elif isinstance(completed, Verbose) and completed.asks_back:
            events += self._interrupt({})
        return events

    def _leftovers(self, message_id: str) -> list[ChatEvent]:
        content, reasoning = (joiner.end() for joiner in self._joiners.pop(message_id, _NOTHING_JOINED))
        return [MessageDelta(message_id, content, reasoning)] if content or reasoning else []

    def _action(self, fields: JsonObject) -> list[ChatEvent]:
        self._chat_id = as_text(fields.get("id")) or self._chat_id
        return self._interrupt(as_object(fields.get("required_action")))

    def _interrupt(self, required_action: JsonObject) -> list[ChatEvent]:
        if self.finished:
            return []
        calls = read_tool_calls(required_action)
        self.finished = True
        return [ActionRequired(self._chat_id, self._question, required_action, calls)]

    def _completed(self, fields: JsonObject) -> list[ChatEvent]:
        error = as_object(fields.get("last_error"))
        if fields.get("status") == "failed" or as_int(error.get("code")):
            raise _error(fields, error, fallback="the chat failed")
        if self.finished:
            return []
        self.finished = True
        chat_id = as_text(fields.get("id")) or self._chat_id
        ends = [event for message_id in list(self._joiners) for event in self._leftovers(message_id)]
        return [*ends, ChatCompleted(chat_id, Usage.from_json(as_object(fields.get("usage"))))]

    def _done(self, data: str) -> list[ChatEvent]:
        """`done` carries an object with a debug URL, the string "[DONE]", or the bare word."""
        try:
            debug_url = as_text(parse_object(data).get("debug_url"))
        except ValueError:
            debug_url = ""
        self.done = True
        if not self.finished:
            raise Truncated("Coze said done without an end of the chat", debug_url=debug_url)
        return [StreamDone(debug_url)]


def _failure(data: str, *, name: str) -> CozeError:
    """The error in `error` or `chat.failed`: a chat with `last_error`, a bare code and msg, or nothing."""
    try:
        fields = parse_object(data)
    except ValueError:
        fields = {}
    return _error(fields, as_object(fields.get("last_error")), fallback=f"Coze sent {name} without a reason")


def _error(fields: JsonObject, last_error: JsonObject, *, fallback: str) -> CozeError:
    source = last_error if as_int(last_error.get("code")) or last_error.get("msg") else fields
    return error_for(
        as_text(source.get("msg")) or fallback,
        code=as_text(source.get("code")) or None,
        debug_url=as_text(fields.get("debug_url")),
        log_id=as_text(as_object(fields.get("detail")).get("logid")),
    )
