"""The whole check, in the order in which a sceptic would ask."""

from functools import partial

from django.conf import settings

from accounts import probes
from accounts.models import User
from conversations.isolation import hints
from conversations.isolation.control import controls
from conversations.isolation.here import probe_here
from conversations.isolation.probing import probe_coze
from conversations.isolation.report import Outcome, Probe, Report
from conversations.isolation.subjects import subjects, temporary_users, timed
from conversations.isolation.talking import talk
from cozechat import database
from cozechat.catalog.environment import credentials_of
from cozechat.catalog.models import Assistant
from cozechat.emulator import credentials as emulator_credentials


async def prove_with_temporary_users(*, assistant: Assistant) -> Report:
    """The check with two users made for it, and on the emulator the negative controls."""
    async with temporary_users(2) as users:
        report = await prove(*users, assistant=assistant)
    if settings.COZE_EMULATED:
        report.add(await controls())
    return report


def without_isolation(assistant: Assistant) -> Report:
    """The report where a personal access token is used: there is nothing that could be proved."""
    report = Report(app=assistant.app.name, base_url=credentials_of(assistant.app).base_url, users=[])
    text = str(hints.PERSONAL)
    report.add([Probe("sign-in: a personal access token", Outcome.ERROR, detail="", hint=text)])
    return report


async def prove(first: User, second: User, *, assistant: Assistant) -> Report:
    """The check between two users, in conversations of its own that are deleted afterwards."""
    credentials = await database.run(credentials_of, assistant.app)
    report = Report(
        app=assistant.app.name, base_url=credentials.base_url, users=[first.username, second.username]
    )
    async with subjects(first, second, assistant=assistant) as (one, other):
        report.add(await talk(one, other))
        if report.probes[0].outcome == Outcome.ERROR:
            return report
        report.add(await probe_here(one, other))
        report.add(await _probe_elsewhere(assistant))
        report.add(await probe_coze(one, other, bot_id=_bot_id(assistant)))
    return report


async def _probe_elsewhere(assistant: Assistant) -> list[Probe]:
    """What other parts of this site add, of which this one knows no more than their names."""
    return [
        await timed(name, partial(attempt, assistant.app), hint=hints.HERE)
        for name, attempt in probes.registered().items()
    ]


def _bot_id(assistant: Assistant) -> str:
    if not assistant.bot_id and settings.COZE_EMULATED:
        return emulator_credentials.ensure(settings.COZE_EMULATOR_DIR).bot_id
    return assistant.bot_id
