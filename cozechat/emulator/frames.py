"""The frames of one chat, with the keys and their order as seen on Coze's wire."""

from dataclasses import dataclass
from typing import Any

from cozechat.emulator.chat import Chat
from cozechat.emulator.speech import Speech
from cozechat.emulator.wire import compact, frame, quoted

FINISHED, ASKED_BACK = 0, 1
"""`finish_reason` in the verbose message that ends the answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFrames:
    """Builds every frame of one chat; `space` stands after the colons (`/v3/chat` has none)."""

    chat: Chat
    shown_conversation_id: str
    space: str = " "

    def opening(self, status: str) -> bytes:
        """`created` or `in_progress`; in `/v3/chat` even these carry `completed_at`."""
        shown = self._chat_json() | {"status": status}
        if not self.space:
            shown["completed_at"] = self.chat.created_at
        return self._frame(f"conversation.chat.{status}", shown)

    def closing(self) -> bytes:
        """The status that the chat has come to."""
        return self._frame(f"conversation.chat.{self.chat.status}", self._chat_json())

    def failed_bare(self, code: int, *, msg: str) -> bytes:
        """The second form: a string for the code, no ids; spaced as in the documentation's sample."""
        data = f'{{"code": {quoted(str(code))},"msg": {quoted(msg)}}}'
        return frame("conversation.chat.failed", data, space=self.space)

    def error(self, code: int, *, msg: str) -> bytes:
        """Without a code it is the empty one of the SDK's test data."""
        return self._frame("error", {"code": str(code), "msg": msg} if code else {})

    def delta_parts(self, speech: Speech) -> tuple[str, str]:
        """What stands around the quoted content of a delta."""
        whole = frame(
            "conversation.message.delta", compact(self._message(speech, content="\0")), space=self.space
        ).decode()
        before, _, after = whole.partition(quoted("\0"))
        return before, after

    def last_delta(self, speech: Speech, *, at: int, raw_line_ends: bool) -> bytes:
        """The last delta alone carries a time."""
        before, after = self.delta_parts(speech)
        after = after.replace("}\n\n", f',"created_at":{at}}}\n\n')
        return (before + quoted(speech.tokens[-1], raw_line_ends=raw_line_ends) + after).encode()

    def reasoning(self, speech: Speech, *, piece: str) -> bytes:
        """A delta of the chain of thought."""
        message = self._message(speech, content="") | {"reasoning_content": piece}
        return self._frame("conversation.message.delta", message)

    def said(self, speech: Speech, *, at: int) -> bytes:
        """The whole message."""
        message = self._message(speech, content=speech.content) | {"created_at": at}
        if speech.kind != "answer":
            message["updated_at"] = at
        if speech.reasoning:
            message["reasoning_content"] = "".join(speech.reasoning)
        return self._frame("conversation.message.completed", message)

    def done(self, debug_url: str) -> bytes:
        if not self.space:
            return frame("done", '"[DONE]"', space=self.space)
        data = compact({"debug_url": debug_url}).replace("&", "\\u0026")
        return frame("done", data, space=self.space)

    def _chat_json(self) -> dict[str, Any]:
        """A chatflow's chat does not show its bot."""
        shown = self.chat.as_json(shows_bot=not self.space)
        return shown | {"conversation_id": self.shown_conversation_id}

    def _message(self, speech: Speech, *, content: str) -> dict[str, Any]:
        return {
            "id": speech.message_id,
            "conversation_id": self.shown_conversation_id,
            **({} if self.space else {"bot_id": self.chat.bot_id}),
            "role": "assistant",
            "type": speech.kind,
            "content": content,
            "content_type": "text",
            "chat_id": self.chat.id,
            "section_id": self.chat.section_id,
        }

    def _frame(self, event: str, value: object) -> bytes:
        return frame(event, compact(value), space=self.space)


def verbose_content(msg_type: str, *, data: str) -> str:
    return compact({"msg_type": msg_type, "data": data, "from_module": None, "from_unit": None})


def finish_content(reason: int) -> str:
    """The verbose message that ends the answers: JSON in JSON in JSON."""
    data = compact({"finish_reason": reason, "FinData": ""})
    return verbose_content("generate_answer_finish", data=data)
