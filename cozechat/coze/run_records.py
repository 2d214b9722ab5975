"""Workflow runs as records: what is asked for, what comes of it at once, later, and node by node."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cozechat.coze import bodies
from cozechat.coze.codes import error_for
from cozechat.coze.errors import BadRequest, BadResponse, CozeError, NotFound
from cozechat.coze.meanings import json_text
from cozechat.coze.outputs import RunOutput, unwrapped
from cozechat.coze.statuses import Status, read_status
from cozechat.coze.types import JsonObject, Usage, as_int, as_object, as_text, mend_surrogates

QUESTION, INPUT, LOCAL_PLUGIN, OAUTH_PLUGIN = 2, 5, 6, 7


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """One run of a workflow; `app_id` or `bot_id` where its nodes need one, `version` for flows of a library.

    Empty parameters are left out unless `drop_empty` is False: Coze refuses them, for example where a URL belongs.
    """

    workflow_id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    app_id: str | None = None
    bot_id: str | None = None
    ext: Mapping[str, str] | None = None
    version: str | None = None
    drop_empty: bool = True


@dataclass(frozen=True, slots=True)
class Interrupt:
    """A run waits: `kind` 2 for the answer to a question, 5 for inputs, 6 and 7 for a plugin.

    `data` is as Coze sent it, `question` the words in it. At most three times one run can be resumed.
    """

    event_id: str
    kind: int
    data: str = ""
    node_title: str = ""
    required_parameters: Any = None

    @property
    def question(self) -> str:
        """What the user is asked: the `content` in `data`, or all of it."""
        found = RunOutput(self.data).value
        content = as_text(found.get("content")) if isinstance(found, dict) else ""
        return content or self.data


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that goes on by itself."""

    execute_id: str
    debug_url: str = ""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to: its output, or the interrupt that it waits in."""

    execute_id: str
    output: RunOutput
    usage: Usage
    debug_url: str = ""
    interrupt: Interrupt | None = None


@dataclass(frozen=True, slots=True)
class NodeState:
    """How far one node of a run has come; `execute_uuid` is what its output is asked for by."""

    title: str
    node_id: str
    is_finished: bool
    execute_uuid: str
    loop_index: int | None = None
    batch_index: int | None = None
    sub_execute_id: str = ""


@dataclass(frozen=True, slots=True)
class NodeOutput:
    """What one node has put out; kept for a day, the end node's for a week."""

    is_finished: bool
    output: RunOutput


@dataclass(frozen=True, slots=True)
class RunHistory:
    """A run as Coze remembers it; `status` is `requires_action` while it waits in an interrupt."""

    execute_id: str
    status: Status
    output: RunOutput
    usage: Usage
    error_code: str = ""
    error_message: str = ""
    debug_url: str = ""
    log_id: str = ""
    created_at: int = 0
    updated_at: int = 0
    is_output_trimmed: bool = False
    interrupt: Interrupt | None = None
    nodes: tuple[NodeState, ...] = ()

    @property
    def error(self) -> CozeError | None:
        """Why it failed."""
        if self.status is not Status.FAILED:
            return None
        return run_failure(
            self.error_code, message=self.error_message, debug_url=self.debug_url, log_id=self.log_id
        )


def run_failure(code: str, *, message: str, debug_url: str = "", log_id: str = "") -> CozeError:
    """The error that ended a run."""
    return error_for(
        message or "the run failed without a reason", code=code or None, debug_url=debug_url, log_id=log_id
    )


def run_payload(run: WorkflowRun, *, user_id: str) -> JsonObject:
    """The body of `POST /v1/workflow/run` and `stream_run`; unless told otherwise, the user is the caller."""
    if run.app_id and run.bot_id:
        raise BadRequest("a workflow runs for an app or for a bot, not for both")
    parameters = bodies.without_empty(run.parameters) if run.drop_empty else dict(run.parameters)
    return bodies.present(
        workflow_id=run.workflow_id,
        parameters=parameters,
        app_id=run.app_id,
        bot_id=run.bot_id,
        ext={"user_id": user_id, **(run.ext or {})},
        workflow_version=run.version,
    )


def resume_payload(workflow_id: str, *, interrupt: Interrupt, answer: str) -> JsonObject:
    """The body of a resumption: its key is `event_id`, and every field is compulsory."""
    return {
        "workflow_id": workflow_id,
        "event_id": interrupt.event_id,
        "resume_data": answer,
        "interrupt_type": interrupt.kind,
    }


def read_started_run(envelope: JsonObject) -> StartedRun:
    """A run that was begun for later."""
    debug_url = as_text(envelope.get("debug_url"))
    execute_id = as_text(envelope.get("execute_id")) or execution_in(debug_url)
    if not execute_id:
        raise BadResponse("Coze began a run without saying which")
    return StartedRun(execute_id, debug_url)


def read_result(envelope: JsonObject) -> RunResult:
    """The result of a run: all of its fields stand at the top, `data` is text, mostly JSON."""
    debug_url = as_text(envelope.get("debug_url"))
    return RunResult(
        execute_id=as_text(envelope.get("execute_id")) or execution_in(debug_url),
        output=RunOutput(json_text(envelope.get("data"))),
        usage=Usage.from_json(as_object(envelope.get("usage"))),
        debug_url=debug_url,
        interrupt=read_interrupt(as_object(envelope.get("interrupt_data"))),
    )


def execution_in(debug_url: str) -> str:
    """The id of the run that a debug URL shows: streams tell it nowhere else."""
    try:
        query = urlsplit(debug_url).query
    except ValueError:
        return ""
    return parse_qs(query).get("execute_id", [""])[0]


def read_interrupt(data: JsonObject, *, node_title: str = "") -> Interrupt | None:
    """From an `interrupt_data` object; without an event there is nothing to resume, hence no interrupt."""
    event_id = as_text(data.get("event_id"))
    if not event_id:
        return None
    return Interrupt(
        event_id=event_id,
        kind=as_int(data.get("type")) or QUESTION,
        data=json_text(data.get("data")),
        node_title=node_title,
        required_parameters=data.get("required_parameters"),
    )


def read_history(envelope: JsonObject, *, execute_id: str) -> RunHistory:
    """The one run in a list of one."""
    rows = bodies.items_of(envelope.get("data"))
    if not rows:
        raise NotFound("Coze does not know this run")
    history = _history(rows[0])
    if history.execute_id not in ("", execute_id):
        raise BadResponse("Coze told of another run than the one that was asked for")
    return history


def _history(row: JsonObject) -> RunHistory:
    status = read_status(as_text(row.get("execute_status")))
    interrupt = read_interrupt(as_object(row.get("interrupt_data")))
    if interrupt is not None and not status.ended:
        status = Status.REQUIRES_ACTION
    return RunHistory(
        execute_id=as_text(row.get("execute_id")),
        status=status,
        output=unwrapped(json_text(row.get("output"))),
        usage=Usage.from_json(as_object(row.get("usage"))),
        error_code=as_text(row.get("error_code")),
        error_message=as_text(row.get("error_message")),
        debug_url=as_text(row.get("debug_url")),
        log_id=as_text(row.get("logid")),
        created_at=as_int(row.get("create_time")) or 0,
        updated_at=as_int(row.get("update_time")) or 0,
        is_output_trimmed=row.get("is_output_trimmed") is True,
        interrupt=interrupt,
        nodes=tuple(
            _node(title, as_object(state))
            for title, state in as_object(row.get("node_execute_status")).items()
        ),
    )


def _node(title: str, state: JsonObject) -> NodeState:
    return NodeState(
        title=mend_surrogates(title),
        node_id=as_text(state.get("node_id")),
        is_finished=state.get("is_finish") is True,
        execute_uuid=as_text(state.get("node_execute_uuid")),
        loop_index=as_int(state.get("loop_index")),
        batch_index=as_int(state.get("batch_index")),
        sub_execute_id=as_text(state.get("sub_execute_id")),
    )


def read_node_output(envelope: JsonObject) -> NodeOutput:
    """What one node has put out so far."""
    data = bodies.data_of(envelope)
    return NodeOutput(data.get("is_finish") is True, RunOutput(json_text(data.get("node_output"))))
