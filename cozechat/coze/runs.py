"""Workflow runs: at once, for later, as a stream; resumed, looked up and waited for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cozechat.coze import bodies, run_records
from cozechat.coze.api import Api
from cozechat.coze.errors import CozeError
from cozechat.coze.polling import USUAL, Pace, Polling
from cozechat.coze.refusals import named
from cozechat.coze.run_events import RunReader
from cozechat.coze.run_records import Interrupt, NodeOutput, RunHistory, RunResult, StartedRun, WorkflowRun
from cozechat.coze.streams import RunStream
from cozechat.coze.types import Caller, JsonObject, Usage

# Coze hangs up on a run that is waited for after 90 seconds; until then it may be silent.
LONGEST_SILENCE = 95.0


class Runs:
    """The runs of the callers' workflows."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def run(self, caller: Caller, run: WorkflowRun) -> RunResult:
        """The result of a run that takes less than 90 seconds; it may be an interrupt."""
        payload = run_records.run_payload(run, user_id=caller.session_name)
        return await self._result(caller, "/v1/workflow/run", payload=payload)

    async def start(self, caller: Caller, run: WorkflowRun) -> StartedRun:
        """A run that may take a day and is looked up by its id; needs a paid plan."""
        payload = run_records.run_payload(run, user_id=caller.session_name) | {"is_async": True}
        envelope = await self._api.act(caller, "/v1/workflow/run", payload=payload, missing_code=0)
        return run_records.read_started_run(envelope)

    @asynccontextmanager
    async def stream(self, caller: Caller, run: WorkflowRun) -> AsyncIterator[RunStream]:
        """A run, node by node; leaving the block early closes the connection, the run goes on at Coze."""
        payload = run_records.run_payload(run, user_id=caller.session_name)
        async with self._stream(caller, "/v1/workflow/stream_run", payload=payload) as stream:
            yield stream

    async def resume(
        self, caller: Caller, workflow_id: str, *, interrupt: Interrupt, answer: str
    ) -> RunResult:
        """What an interrupted run comes to with the answer; raises `AlreadyEnded` when nobody waits for it."""
        payload = run_records.resume_payload(workflow_id, interrupt=interrupt, answer=answer)
        with named():
            return await self._result(caller, "/v1/workflows/resume", payload=payload)

    @asynccontextmanager
    async def stream_resume(
        self, caller: Caller, workflow_id: str, *, interrupt: Interrupt, answer: str
    ) -> AsyncIterator[RunStream]:
        """The rest of an interrupted run, node by node."""
        payload = run_records.resume_payload(workflow_id, interrupt=interrupt, answer=answer)
        with named():
            async with self._stream(caller, "/v1/workflow/stream_resume", payload=payload) as stream:
                yield stream

    async def history(self, caller: Caller, workflow_id: str, execute_id: str) -> RunHistory:
        """How far a run has come, and what it has put out."""
        envelope = await self._api.send(caller, "GET", _path(workflow_id, execute_id))
        return run_records.read_history(envelope, execute_id=execute_id)

    async def usage(self, caller: Caller, workflow_id: str, execute_id: str) -> Usage | None:
        """What a run has cost, where its stream did not say so; None if its history cannot be had."""
        try:
            return (await self.history(caller, workflow_id, execute_id)).usage
        except CozeError:
            return None

    async def node_output(
        self, caller: Caller, workflow_id: str, execute_id: str, *, node_execute_uuid: str
    ) -> NodeOutput:
        """What one node of a run has put out."""
        node = bodies.segment(node_execute_uuid)
        path = f"{_path(workflow_id, execute_id)}/execute_nodes/{node}"
        return run_records.read_node_output(await self._api.send(caller, "GET", path))

    def until_ended(
        self, caller: Caller, workflow_id: str, execute_id: str, *, pace: Pace = USUAL
    ) -> Polling[RunHistory]:
        """Look a run up again and again until it has ended or waits for an answer."""

        async def ask() -> RunHistory:
            return await self.history(caller, workflow_id, execute_id)

        return Polling(ask, start=self._api.transport.start, pace=pace)

    async def _result(self, caller: Caller, path: str, *, payload: JsonObject) -> RunResult:
        envelope = await self._api.act(
            caller, path, payload=payload, read_timeout=LONGEST_SILENCE, missing_code=0
        )
        return run_records.read_result(envelope)

    @asynccontextmanager
    async def _stream(self, caller: Caller, path: str, *, payload: JsonObject) -> AsyncIterator[RunStream]:
        async with self._api.stream(caller, path, payload=payload) as incoming:
            yield RunStream(incoming, reader=RunReader(), limits=self._api.limits)


def _path(workflow_id: str, execute_id: str) -> str:
    return f"/v1/workflows/{bodies.segment(workflow_id)}/run_histories/{bodies.segment(execute_id)}"
