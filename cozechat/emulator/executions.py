"""A workflow run: what it was asked, when it ends, and what it says then."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from cozechat.emulator import flows, mind, seed
from cozechat.emulator.chat import Usage
from cozechat.emulator.documents import Documents
from cozechat.emulator.mind import ASK_EN, ASK_ZH, Utterance
from cozechat.emulator.tokenizer import count_tokens

KIND = "execution"
SYNC, STREAMED, ASYNC = 0, 1, 2
QUESTION_TYPE, INPUT_TYPE = 2, 5
MOST_RESUMES = 3
QUICK_SECONDS = 0.2
"""What any workflow but the long one takes when nobody waits for it."""
DAY = 86_400
INPUTS = ("USER_INPUT", "city", "drink", "input", "query", "question", "text", "BOT_USER_INPUT")


@dataclass(slots=True, kw_only=True)
class Execution:
    """One run; whether it still goes on is a matter of the clock alone, so a restart does not end it."""

    id: str
    workflow_id: str
    account_id: str
    session_name: str | None
    connector_id: str
    connector_uid: str
    bot_id: str
    mode: int
    log_id: str
    created_at: int
    ends_at: float
    question: str
    text: str
    node_ids: list[str]
    """The uuids of its nodes."""
    error_code: int = 0
    error_msg: str = ""
    event_id: str = ""
    """Set while it waits for an answer."""
    resumes: int = 0
    parts: list[list[str]] = field(default_factory=list)
    """Titles and words of its nodes, where there are several."""
    result: dict[str, Any] | None = None
    kind: int = QUESTION_TYPE
    """What kind of interrupt it waits in."""
    options: list[str] = field(default_factory=list)
    wanted: dict[str, Any] = field(default_factory=dict)
    size: str = ""

    @property
    def waits(self) -> bool:
        return bool(self.event_id)

    def status(self, now: float) -> str:
        if self.waits or now < self.ends_at:
            return "Running"
        return "Fail" if self.error_code else "Success"

    @property
    def output(self) -> str:
        output = {"output": self.text} if self.result is None else self.result
        return json.dumps(output, ensure_ascii=False, separators=(",", ":"))

    @property
    def usage(self) -> Usage:
        return Usage(input_count=count_tokens(self.question), output_count=count_tokens(self.text))

    @property
    def debug_url(self) -> str:
        place = f"space_id={seed.WORKSPACE_ID}&workflow_id={self.workflow_id}"
        return f"https://www.coze.cn/work_flow?execute_id={self.id}&{place}&execute_mode=2"

    def interrupt(self) -> dict[str, Any]:
        content: dict[str, Any] = {"content_type": "text", "content": self.text}
        if self.options:
            offered = {"question": self.text, "options": [{"name": name} for name in self.options]}
            content = {"content_type": "option", "content": _json(offered)}
        elif self.wanted:
            rows = [
                {"type": each["type"], "name": name, "required": each["required"]}
                for name, each in self.wanted.items()
            ]
            content = {"content_type": "text", "content": _json(rows)}
        more = {"required_parameters": self.wanted} if self.wanted else {}
        return {"data": _json(content), "event_id": self.event_id, "type": self.kind, **more}

    def ask_back(self, event_id: str) -> None:
        """Each time it asks, another event waits for the answer."""
        self.event_id = event_id
        if self.workflow_id != seed.ORDER_WORKFLOW_ID:
            self.text = ASK_ZH if _chinese(self.question) else ASK_EN
            return
        asked = flows.second_question(self.question) if self.size else flows.first_question(self.question)
        self.text, self.options, self.wanted = asked.question, list(asked.options), asked.inputs
        self.kind = INPUT_TYPE if asked.inputs else QUESTION_TYPE

    def resume(self, reply: str, *, ends_at: float, event_id: str) -> None:
        """Goes on with an answer to its question; to an empty one it asks again, under `event_id`."""
        self.resumes += 1
        if not reply.strip():
            self.ask_back(event_id)
            return
        if self.workflow_id == seed.ORDER_WORKFLOW_ID and not self._order(reply):
            self.ask_back(event_id)
            return
        self.event_id = ""
        self.ends_at = ends_at
        if self.result is not None:
            return
        thread = [
            Utterance("user", self.question),
            Utterance("assistant", self.text),
            Utterance("user", reply),
        ]
        self.text = mind.answer([thread]).text

    def _order(self, reply: str) -> bool:
        """Whether all is known now: first the size, then for whom it is."""
        if not self.size:
            self.size = reply.strip()
            return False
        given = flows.read_inputs(reply, flows.second_question(self.question))
        if given is None:
            return False
        self.text, self.options, self.wanted = "", [], {}
        self.result = {"drink": self.question, "size": self.size, "for": given}
        return True


def think(workflow_id: str, parameters: dict[str, Any]) -> tuple[str, str]:
    """The question in a run's parameters, and what a workflow makes of it; it has no memory."""
    question = _question(parameters)
    text = mind.answer([[Utterance("user", question)]]).text
    if workflow_id == seed.LONG_WORKFLOW_ID:
        text = f"好了,花了些时间。\n\n{text}" if _chinese(question) else f"Done, at last.\n\n{text}"
    return question, text


def seconds_of(workflow_id: str, parameters: dict[str, Any], *, default: float) -> float:
    """How long a run takes: the long workflow's parameter `seconds` may say so."""
    if workflow_id != seed.LONG_WORKFLOW_ID:
        return 0.0
    try:
        wanted = float(parameters.get("seconds", default))
    except (TypeError, ValueError, OverflowError):
        return default
    return wanted if 0 <= wanted <= DAY else default


def _question(parameters: dict[str, Any]) -> str:
    for name in INPUTS:
        value = parameters.get(name)
        if isinstance(value, str) and value:
            return value
    return json.dumps(parameters, ensure_ascii=False) if parameters else "hello"


def _chinese(text: str) -> bool:
    return any("\u3400" <= character <= "\u9fff" for character in text)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def save(documents: Documents, execution: Execution) -> None:
    documents.put(KIND, execution.id, asdict(execution))


def load(documents: Documents, execute_id: str) -> Execution | None:
    found = documents.get(KIND, execute_id)
    return None if found is None else Execution(**found)
