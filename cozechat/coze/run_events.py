"""Events of a streamed workflow run, from names and data to records, without I/O.

A run ends with `RunDone` or `RunInterrupted`, one of them and once; every other end is an error. The open-source
Coze writes the names in lower case, so case makes no difference.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cozechat.coze.errors import BadResponse
from cozechat.coze.joining import SurrogateJoiner
from cozechat.coze.run_records import Interrupt, execution_in, read_interrupt, run_failure
from cozechat.coze.types import JsonObject, UnknownEvent, Usage, as_object, as_text, as_texts, parse_object


@dataclass(frozen=True, slots=True)
class RunMessage:
    """A piece of what a node puts out; `is_finished` with the node's last piece."""

    content: str
    node_title: str
    sequence: str
    is_finished: bool
    content_type: str = "text"
    node_id: str = ""
    node_execute_uuid: str = ""
    usage: Usage | None = None
    ext: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunInterrupted:
    """The run waits; nothing more comes until it is resumed."""

    interrupt: Interrupt


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The run is still there."""


@dataclass(frozen=True, slots=True)
class RunDone:
    """The run is complete."""

    debug_url: str = ""

    @property
    def execute_id(self) -> str:
        """Which run it was, as far as the debug URL tells."""
        return execution_in(self.debug_url)


RunEvent = RunMessage | RunInterrupted | Heartbeat | RunDone | UnknownEvent


class RunReader:
    """Reads the events of one run in their order."""

    def __init__(self) -> None:
        self.finished = False
        self.done = False
        self._joiners: dict[tuple[str, str], SurrogateJoiner] = {}
        self._readers: dict[str, Callable[[JsonObject], list[RunEvent]]] = {
            "message": self._message,
            "interrupt": self._interrupt,
            "error": self._error,
            "done": self._done,
        }

    def read(self, name: str, data: str) -> list[RunEvent]:
        """What one event means: one thing, or none after the end; a failure is raised."""
        word = name.lower()
        if word == "ping":
            return [Heartbeat()]
        reader = self._readers.get(word)
        if reader is None:
            return [UnknownEvent(name)]
        if self.finished:
            return []
        try:
            fields = parse_object(data or "{}") if word in ("done", "error") else parse_object(data)
        except ValueError:
            if word != "error":
                raise BadResponse(f"the data of {name} is not a JSON object") from None
            fields = {}
        return reader(fields)

    def _message(self, fields: JsonObject) -> list[RunEvent]:
        content = fields.get("content") or ""
        if not isinstance(content, str):
            raise BadResponse("the content of a node's message is not text")
        finished, title = fields.get("node_is_finish") is True, as_text(fields.get("node_title"))
        uuid = as_text(fields.get("node_execute_uuid"))
        joiner = self._joiners.pop((title, uuid), None) or SurrogateJoiner()
        text = joiner.join(content)
        if finished:
            text += joiner.end()
        else:
            self._joiners[title, uuid] = joiner
        message = RunMessage(
            content=text,
            node_title=title,
            sequence=as_text(fields.get("node_seq_id")),
            is_finished=finished,
            content_type=as_text(fields.get("content_type")) or "text",
            node_id=as_text(fields.get("node_id")),
            node_execute_uuid=uuid,
            usage=Usage.from_json(fields["usage"]) if isinstance(fields.get("usage"), dict) else None,
            ext=as_texts(fields.get("ext")),
        )
        return [message]

    def _interrupt(self, fields: JsonObject) -> list[RunEvent]:
        title = as_text(fields.get("node_title"))
        interrupt = read_interrupt(as_object(fields.get("interrupt_data")), node_title=title)
        if interrupt is None:
            raise BadResponse("an interrupt names no event, so nobody could resume the run")
        self.finished = True
        return [RunInterrupted(interrupt)]

    def _error(self, fields: JsonObject) -> list[RunEvent]:
        code = as_text(fields.get("error_code")) or as_text(fields.get("code"))
        message = as_text(fields.get("error_message")) or as_text(fields.get("msg"))
        raise run_failure(code, message=message, debug_url=as_text(fields.get("debug_url")))

    def _done(self, fields: JsonObject) -> list[RunEvent]:
        self.finished = self.done = True
        return [RunDone(as_text(fields.get("debug_url")))]
