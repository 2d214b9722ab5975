"""Workflow runs: at once, later, or as a stream; resumed, and looked up."""

import asyncio
import json
from typing import Any

from cozechat.emulator import executions, flows, seed
from cozechat.emulator.calls import Answer, Call, Route
from cozechat.emulator.conversations import sees_all
from cozechat.emulator.executions import ASYNC, MOST_RESUMES, QUICK_SECONDS, STREAMED, SYNC, Execution
from cozechat.emulator.faults import answers, streams
from cozechat.emulator.faults.instead import ResetRequest
from cozechat.emulator.fields import Fields
from cozechat.emulator.oauth import API_CONNECTOR
from cozechat.emulator.refusals import Refusal, bad_parameter, no_bot, no_execution, not_found
from cozechat.emulator.speech import answer
from cozechat.emulator.streaming import EventStream
from cozechat.emulator.wire import Reply, envelope
from cozechat.emulator.workflow_frames import StreamedExecution, numbered


async def run(call: Call) -> Answer:
    """All fields of the answer stand at the top."""
    fields = call.fields
    later = fields.flag("is_async", default=False)
    if later and call.world.options.free_plan:
        raise Refusal(6003, "Asynchronous workflow runs need a paid plan.")
    execution, seconds = _begin(call, fields, mode=ASYNC if later else SYNC)
    _strike(call, execution)
    return await _finished(call, execution, seconds=seconds)


async def resume(call: Call) -> Answer:
    """Goes on as the run was begun: at once or later."""
    execution, seconds = _resumed(call, call.fields)
    return await _finished(call, execution, seconds=seconds)


async def _finished(call: Call, execution: Execution, *, seconds: float) -> Answer:
    if execution.mode == ASYNC:
        later = {"debug_url": execution.debug_url, "execute_id": execution.id}
        return envelope(call.log_id, beside=later)
    patience = call.world.options.sync_seconds
    await asyncio.sleep(min(seconds, patience))
    return ResetRequest(call) if seconds > patience else _result(call, execution)


def _result(call: Call, execution: Execution) -> Reply:
    beside: dict[str, Any] = {"debug_url": execution.debug_url, "execute_id": execution.id}
    if execution.error_code:
        return envelope(call.log_id, code=execution.error_code, msg=execution.error_msg, beside=beside)
    if execution.waits:
        return envelope(call.log_id, data="", beside=beside | {"interrupt_data": execution.interrupt()})
    return envelope(call.log_id, data=execution.output, beside=beside | {"usage": execution.usage.as_json()})


def _strike(call: Call, execution: Execution) -> None:
    session_name = execution.session_name
    fault = call.world.faults.take("run-failed", path=call.path, session_name=session_name)
    if fault is not None:
        call.world.ledger.faults[fault.name] += 1
        execution.error_code, execution.error_msg = fault.settings["code"], fault.settings["msg"]
        executions.save(call.world.store.documents, execution)


async def stream_run(call: Call) -> Answer:
    execution, seconds = _begin(call, call.fields, mode=STREAMED)
    return _stream(call, execution, seconds=seconds)


async def stream_resume(call: Call) -> Answer:
    """Its ids begin again at 0."""
    execution, seconds = _resumed(call, call.fields)
    return _stream(call, execution, seconds=seconds)


def _stream(call: Call, execution: Execution, *, seconds: float) -> Answer:
    world, pace = call.world, call.world.options.pace
    streamed = StreamedExecution(
        world=world,
        execution=execution,
        answer=answer(execution.id, text=execution.text),
        interval=1 / pace if pace > 0 else 0.0,
        seconds=seconds,
    )
    faults = streams.take(world, path=call.path, session_name=execution.session_name, names=streams.COMMON)
    answers.change_pieces(streamed, faults=faults)
    one_byte = any(fault.name == "one-byte-writes" for fault in faults)
    moments = numbered(streams.bend(streamed, faults=faults))
    return EventStream(call, run=streamed, moments=moments, one_byte=one_byte)


def _begin(call: Call, fields: Fields, *, mode: int) -> tuple[Execution, float]:
    """A new run, written down, and how long it takes."""
    workflow_id, parameters = fields.required("workflow_id"), _parameters(fields)
    bot_id = _check_place(fields)
    ext = fields.strings("ext") or {}
    connector_id = fields.identifier("connector_id") or API_CONNECTOR
    fields.text("workflow_version")
    if workflow_id not in seed.PUBLISHED:
        raise not_found("Workflow")
    world, now = call.world, call.world.now()
    default = world.options.long_run_seconds
    seconds = executions.seconds_of(workflow_id, parameters, default=default)
    if mode == ASYNC:
        seconds = max(seconds, QUICK_SECONDS)
    absent = flows.missing(workflow_id, parameters)
    if absent:
        raise bad_parameter(absent, why="is required by the start node")
    question, text = executions.think(workflow_id, parameters)
    execution = Execution(
        id=world.ids.next(),
        workflow_id=workflow_id,
        account_id=call.identity.account_id,
        session_name=call.identity.session_name,
        connector_id=connector_id,
        connector_uid=ext.get("user_id") or seed.USER_ID,
        bot_id=bot_id or "0",
        mode=mode,
        log_id=call.log_id,
        created_at=now,
        ends_at=world.clock() + seconds,
        question=question,
        text=text,
        node_ids=[world.ids.next() for _title in flows.nodes_of(workflow_id)],
    )
    _plan(execution, parameters)
    if workflow_id in (seed.QUESTION_WORKFLOW_ID, seed.ORDER_WORKFLOW_ID):
        execution.ask_back(f"{execution.id}/{world.ids.next()}")
    executions.save(world.store.documents, execution)
    return execution, seconds


def _plan(execution: Execution, parameters: dict[str, Any]) -> None:
    flow = flows.flow_of(execution.workflow_id, parameters)
    if flow is None:
        return
    execution.parts = [[title, words] for title, words in flow.parts]
    execution.text = "\n\n".join(words for _title, words in flow.parts)
    execution.result = {"plan": execution.text, **flow.result}
    if flow.fails:
        execution.error_code = flows.NODE_FAILED
        execution.error_msg = f"node {flow.parts[-1][0]} failed: there is no such city"


def _parameters(fields: Fields) -> dict[str, Any]:
    """An object, or one written out as a string."""
    if isinstance(fields.all().get("parameters"), str):
        try:
            value = json.loads(fields.all()["parameters"] or "{}")
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise bad_parameter("parameters", why="must be an object")
        return value
    return fields.mapping("parameters") or {}


def _check_place(fields: Fields) -> str | None:
    app_id, bot_id = fields.identifier("app_id"), fields.identifier("bot_id")
    if app_id is not None and bot_id is not None:
        raise bad_parameter("app_id, bot_id", why="must not both be given")
    if app_id is not None and app_id not in seed.APPS:
        raise not_found("App")
    if bot_id is not None and bot_id not in seed.BOTS:
        raise no_bot()
    return bot_id


def _resumed(call: Call, fields: Fields) -> tuple[Execution, float]:
    event_id = fields.required("event_id")
    workflow_id = fields.required("workflow_id")
    reply = fields.text("resume_data")
    if reply is None or "interrupt_type" not in fields:
        raise bad_parameter("resume_data, interrupt_type", why="are required")
    kind = fields.number("interrupt_type", low=0, high=100, default=0)
    execution = _reach(call, event_id.partition("/")[0], workflow_id=workflow_id)
    if not execution.waits:
        raise Refusal(4315, "The workflow execution has already finished.")
    if execution.event_id != event_id or kind != execution.kind:
        raise bad_parameter("event_id, interrupt_type", why="do not match the interrupt")
    if execution.resumes >= MOST_RESUMES:
        raise bad_parameter("event_id", why="has been resumed too often")
    seconds = QUICK_SECONDS if execution.mode == ASYNC else 0.0
    again = f"{execution.id}/{call.world.ids.next()}"
    execution.resume(reply, ends_at=call.world.clock() + seconds, event_id=again)
    executions.save(call.world.store.documents, execution)
    return execution, seconds


def _reach(call: Call, execute_id: str, *, workflow_id: str) -> Execution:
    """The caller's run; one that is missing and one of another session get the same answer."""
    execution = executions.load(call.world.store.documents, execute_id)
    if execution is None or execution.workflow_id != workflow_id:
        raise no_execution()
    if execution.account_id != call.identity.account_id:
        raise no_execution()
    if execution.session_name != call.identity.session_name and not sees_all(call):
        raise no_execution()
    return execution


async def history(call: Call) -> Reply:
    """A list of one."""
    execution = _reach(call, call.place["execute_id"], workflow_id=call.place["workflow_id"])
    return envelope(call.log_id, data=[_history(execution, now=call.world.clock())])


def _history(execution: Execution, *, now: float) -> dict[str, Any]:
    status = execution.status(now)
    done, failed = status == "Success", status == "Fail"
    waiting = {"interrupt_data": execution.interrupt()} if execution.waits else {}
    return {
        "execute_id": execution.id,
        "execute_status": status,
        "bot_id": execution.bot_id,
        "connector_id": execution.connector_id,
        "connector_uid": execution.connector_uid,
        "run_mode": execution.mode,
        "output": _output(execution) if done else "",
        "create_time": execution.created_at,
        "update_time": int(min(now, max(execution.ends_at, execution.created_at))),
        "error_code": str(execution.error_code) if failed else "",
        "error_message": execution.error_msg if failed else "",
        "debug_url": execution.debug_url,
        "usage": execution.usage.as_json(),
        "node_execute_status": _nodes(execution, done=done, now=now),
        "is_output_trimmed": False,
        "logid": execution.log_id,
        "token": "0",
        "cost": "0.000000",
        **waiting,
    }


def _output(execution: Execution) -> str:
    return json.dumps({"Output": execution.output, "node_status": "{}"}, ensure_ascii=False)


def _nodes(execution: Execution, *, done: bool, now: float) -> dict[str, Any]:
    """Those that have begun; each takes an equal part of the run's time, the first and the last none."""
    titles = flows.nodes_of(execution.workflow_id)
    if len(titles) != len(execution.node_ids):
        titles = ("Start", "End")  # stored before there were more
    share = (now - execution.created_at) / max(execution.ends_at - execution.created_at, 0.001)
    busy = len(titles) if done else 1 + int(min(max(share, 0.0), 0.999) * (len(titles) - 2))
    begun = titles if len(titles) == 2 else titles[: busy + 1]
    return {
        title: {
            "node_id": str(100001 + place),
            "is_finish": place < busy if len(titles) > 2 else done or not place,
            "update_time": execution.created_at,
            "node_execute_uuid": execution.node_ids[place],
        }
        for place, title in enumerate(begun)
    }


async def node_output(call: Call) -> Reply:
    execution = _reach(call, call.place["execute_id"], workflow_id=call.place["workflow_id"])
    if call.place["node_id"] not in execution.node_ids:
        raise no_execution()
    is_start = call.place["node_id"] == execution.node_ids[0]
    finished = is_start or execution.status(call.world.clock()) == "Success"
    started = json.dumps({"input": execution.question}, ensure_ascii=False)
    output = started if is_start else execution.output
    return envelope(call.log_id, data={"is_finish": finished, "node_output": output if finished else ""})


HISTORY = "/v1/workflows/{workflow_id}/run_histories/{execute_id}"
ROUTES = (
    Route("POST", "/v1/workflow/run", run),
    Route("POST", "/v1/workflow/stream_run", stream_run),
    Route("POST", "/v1/workflow/stream_resume", stream_resume),
    Route("POST", "/v1/workflows/resume", resume),
    Route("GET", HISTORY, history),
    Route("GET", HISTORY + "/execute_nodes/{node_id}", node_output),
)
