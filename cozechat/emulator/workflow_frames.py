"""The stream of a workflow run: numbered frames, node by node."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from cozechat.emulator import executions
from cozechat.emulator.chat import Usage
from cozechat.emulator.executions import Execution
from cozechat.emulator.runs import Moment, Part
from cozechat.emulator.speech import Speech
from cozechat.emulator.tokenizer import count_tokens, split_tokens
from cozechat.emulator.wire import compact, frame, quoted
from cozechat.emulator.world import World

MESSAGE_NODE, END_NODE, QUESTION_NODE, INPUT_NODE = "Message", "End", "问答", "输入"
HEARTBEATS = 10
"""How often a run says that it is still there."""


_BEGINNING = re.compile(rb"^event:", re.MULTILINE)


def numbered(moments: Iterator[Moment]) -> Iterator[Moment]:
    """Numbers all frames as they go out; the order of their lines is fixed, for some SDKs count lines."""
    ids = count()
    for moment in moments:
        data = _BEGINNING.sub(lambda _: b"id: %d\nevent:" % next(ids), moment.data)
        yield moment._replace(data=data)


@dataclass(slots=True, kw_only=True)
class StreamedExecution:
    """A workflow run whose frames are due on the clock."""

    world: World
    execution: Execution
    answer: Speech
    interval: float
    seconds: float = 0.0
    raw_line_ends: bool = False

    def moments(self) -> Iterator[Moment]:
        due = 0.0
        for moment in self._waiting():
            due = moment.due
            yield moment
        if self.execution.waits:
            node = INPUT_NODE if self.execution.wanted else QUESTION_NODE
            if self.execution.text:
                yield Moment(due, self._message(self.execution.text, node=node, last=True), Part.DELTA)
            asked = {"interrupt_data": self.execution.interrupt(), "node_title": node}
            yield Moment(due, self._frame("Interrupt", asked), Part.END)
            return
        for piece in self._said():
            due += self.interval
            yield Moment(due, piece, Part.DELTA)
        if self.execution.error_code:
            data: dict[str, object] = {
                "error_code": self.execution.error_code,
                "error_message": self.execution.error_msg,
            }
            yield Moment(due, self._frame("Error", data), Part.END)
            return
        yield Moment(due, self._end_node(), Part.END)
        yield Moment(due, self._frame("Done", {"debug_url": self.execution.debug_url}), Part.END)

    def _waiting(self) -> Iterator[Moment]:
        """Nothing but heartbeats while a long run works."""
        for beat in range(HEARTBEATS if self.seconds else 0):
            yield Moment(self.seconds * (beat + 1) / HEARTBEATS, self.heartbeat(), Part.WHOLE)

    def _said(self) -> Iterator[bytes]:
        """The words of its nodes; one that fails breaks off."""
        if not self.execution.parts:
            if self.execution.result is None:
                yield from (self._piece(token, number=n) for n, token in enumerate(self.answer.tokens))
            return
        for place, (title, text) in enumerate(self.execution.parts):
            tokens = list(split_tokens(text))
            is_last = place == len(self.execution.parts) - 1
            if is_last and self.execution.error_code:
                tokens = tokens[: len(tokens) // 2]
            for number, token in enumerate(tokens):
                last = number == len(tokens) - 1 and not (is_last and self.execution.error_code)
                yield self._node_piece(token, title=title, place=place, number=number, last=last)

    def _node_piece(self, token: str, *, title: str, place: int, number: int, last: bool) -> bytes:
        """With what Coze's newer frames tell of a node."""
        data: dict[str, object] = {
            "content": token,
            "content_type": "text",
            "node_execute_uuid": f"{self.execution.id}{place}",
            "node_id": str(100002 + place),
            "node_is_finish": last,
            "node_seq_id": str(number),
            "node_title": title,
        }
        if last:
            words = self.execution.parts[place][1]
            usage = Usage(input_count=count_tokens(self.execution.question), output_count=count_tokens(words))
            data["usage"] = usage.as_json()
        return self._frame("Message", data)

    def _piece(self, token: str, *, number: int) -> bytes:
        last = number == len(self.answer.tokens) - 1
        return self._message(token, node=MESSAGE_NODE, number=number, last=last)

    def _message(self, content: str, *, node: str, number: int = 0, last: bool) -> bytes:
        before, after = self._around(node=node, number=number, last=last)
        data = f"{before}{quoted(content, raw_line_ends=self.raw_line_ends)}{after}"
        return frame("Message", data)

    def _around(self, *, node: str, number: int, last: bool) -> tuple[str, str]:
        finish = "true" if last else "false"
        rest = f',"node_is_finish":{finish},"node_seq_id":"{number}","node_title":{quoted(node)}}}'
        return '{"content":', rest

    def _end_node(self) -> bytes:
        data = {
            "content": self.execution.output,
            "cost": "0.00",
            "node_is_finish": True,
            "node_seq_id": "0",
            "node_title": END_NODE,
            "token": 0,
            "usage": self.execution.usage.as_json(),
        }
        return self._frame("Message", data)

    def _frame(self, event: str, value: object) -> bytes:
        return frame(event, compact(value).replace("&", "\\u0026"))

    def fail(self, code: int = 5000, msg: str = "server error") -> None:
        self.execution.error_code, self.execution.error_msg = code, msg
        executions.save(self.world.store.documents, self.execution)

    def failure(self, name: str, *, code: int, msg: str) -> Iterator[bytes]:
        self.fail(code, msg)
        yield self._frame("Error", {"error_code": code, "error_message": msg})

    def strange(self) -> bytes:
        return self.heartbeat() + self._frame("Sparkle", {"x": 1})

    def heartbeat(self) -> bytes:
        return self._frame("PING", {"content": "{}"})

    def piece(self, content: bytes) -> bytes:
        """A message around raw bytes, which need not be text."""
        before, after = self._around(node=MESSAGE_NODE, number=0, last=False)
        return f"event: Message\ndata: {before}".encode() + b'"' + content + b'"' + after.encode() + b"\n\n"
