"""The negative control: emulators that leak on purpose, on which the check has to find the leak.

A check that has never failed proves nothing. Each control starts an emulator of its own, in memory.
"""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from conversations.isolation import hints
from conversations.isolation.probing import probe_coze
from conversations.isolation.report import Outcome, Probe
from conversations.isolation.subjects import Subject, subjects, temporary_users, timed
from conversations.isolation.talking import talk
from conversations.models import Conversation
from cozechat import database
from cozechat.catalog.environment import credentials_of
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.coze.careless import careless_chat
from cozechat.emulator import process


async def controls() -> list[Probe]:
    """One probe for each planted leak: it passes when the leak is found."""
    return [await _control(leak, find) for leak, find in _CONTROLS.items()]


async def _control(leak: str, find: "Find") -> Probe:
    name = f"control: a planted leak is found ({leak})"
    return await timed(name, lambda: _found(find, leak), hint=hints.CONTROL)


Find = Callable[[Subject, Subject], Awaitable[bool]]


async def _found(find: Find, leak: str) -> str:
    async with (
        _leaky_assistant(leak) as assistant,
        temporary_users(2) as users,
        subjects(*users, assistant=assistant) as (first, second),
    ):
        noticed = await find(first, second)
    return "" if noticed else "the check took a leaking Coze for an isolating one"


def _leaks(probes: list[Probe]) -> bool:
    return any(probe.outcome == Outcome.LEAK for probe in probes)


async def _by_talking(first: Subject, second: Subject) -> bool:
    return _leaks(await talk(first, second))


async def _by_probing(first: Subject, second: Subject) -> bool:
    for subject in (first, second):
        await subject.ask("你好")
    return _leaks(await probe_coze(first, second, bot_id=""))


async def _by_comparing(first: Subject, _second: Subject) -> bool:
    """What happens to whoever sends neither session nor conversation: all land in the flow's default conversation."""
    assistant = first.assistant
    credentials = await database.run(credentials_of, assistant.app)
    landed = [
        await careless_chat(
            credentials, workflow_id=assistant.workflow_id, app_id=assistant.coze_app_id, question="你好"
        )
        for _each in range(2)
    ]
    return landed[0] == landed[1]


async def _by_asking(first: Subject, _second: Subject) -> bool:
    """An answer from another conversation than the one that was sent is never shown."""
    return (await timed("", lambda: _said(first), hint="")).outcome == Outcome.LEAK


async def _said(subject: Subject) -> str:
    await subject.ask("你好")
    return ""


_CONTROLS: dict[str, Find] = {
    "memory": _by_talking,
    "ownership": _by_probing,
    "default-conversation": _by_comparing,
    "wrong-conversation": _by_asking,
}


@asynccontextmanager
async def _leaky_assistant(leak: str) -> AsyncIterator[Assistant]:
    with tempfile.TemporaryDirectory() as directory:
        emulator = await database.run(process.start, Path(directory), leaky=[leak], in_memory=True, pace=0)
        try:
            assistant = await database.run(_create, emulator, leak=leak)
            try:
                yield assistant
            finally:
                await database.run(_remove, assistant)
        finally:
            await database.run(emulator.stop)


def _create(emulator: process.RunningEmulator, *, leak: str) -> Assistant:
    own = emulator.credentials
    app = CozeApp.objects.create(
        name=f"Isolation control {leak} {emulator.pid}",
        base_url=emulator.base_url,
        client_id=own.client_id,
        public_key_id=own.public_key_id,
        private_key=own.private_key,
        is_active=False,
    )
    return Assistant.objects.create(
        app=app,
        name="Isolation control",
        workflow_id=own.workflow_id,
        coze_app_id=own.app_id,
        is_active=False,
    )


def _remove(assistant: Assistant) -> None:
    Conversation.objects.filter(assistant=assistant).delete()
    assistant.delete()
    assistant.app.delete()
