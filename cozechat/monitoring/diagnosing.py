"""Tries one Coze app step by step: its configuration, a token, a conversation, and if wished a whole turn.

Everything happens in a session of its own (`TRIAL_SESSION`), over connections of its own, so that neither a cached token
nor a circuit that is open hides what is wrong.
"""

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from accounts.lending import TokenOfOnePerson, who_can_talk
from cozechat import database
from cozechat.catalog.advice import advice_for
from cozechat.catalog.environment import credentials_of
from cozechat.catalog.keys import TRIAL_LIMITS, TRIAL_SESSION, try_key
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.coze import oauth
from cozechat.coze.chat_records import BotChat
from cozechat.coze.client import CozeClient
from cozechat.coze.credentials import Credentials
from cozechat.coze.errors import CozeError
from cozechat.coze.types import Caller, ChatCompleted, MessageDelta, WorkflowChat
from cozechat.monitoring.findings import Attempt, Finding, Findings, Watch

QUESTION = "你好"


@dataclass(slots=True, kw_only=True)
class Diagnosis(Findings):
    """All findings about one app; holds neither keys nor tokens."""

    app: str
    base_url: str


@dataclass(slots=True)
class _Trial:
    """What the steps hand on to each other."""

    app: CozeApp
    assistant: Assistant | None
    client: CozeClient
    credentials: Credentials
    caller: Caller | None = None
    conversation_id: str = ""
    # What the step under way has to add to its detail.
    log_id: str = ""
    hint: str = ""

    async def configuration(self) -> str:
        """The key can be read; what it belongs to."""
        if self.credentials.personal_token:
            self.hint = _(
                "A personal access token serves one person alone. For a site with users make an OAuth app."
            )
            return _("a personal access token")
        oauth.parse_private_key(self.credentials.private_key)
        return f"aud {self.credentials.jwt_audience}, kid {_masked(self.credentials.public_key_id)}"

    async def people(self) -> str:
        """Nobody but one person may get a personal token."""
        count = await database.run(who_can_talk().count)
        if count > 1:
            raise TokenOfOnePerson(_("%(count)d accounts could talk here") % {"count": count})
        return ""

    async def token(self) -> str:
        """A fresh token, straight from Coze."""
        if self.credentials.personal_token:
            self.caller = Caller(token=self.credentials.personal_token, session_name=TRIAL_SESSION)
            return _("used as it is; the next step shows whether Coze takes it")
        issued = await self.client.exchange(session_name=TRIAL_SESSION, ttl=self.app.token_ttl)
        self.caller = Caller(token=issued.token, session_name=TRIAL_SESSION)
        if issued.refusal:
            self.hint = _(
                "Coze refuses the key in use (%(refusal)s); the app's other key serves instead. Make that one the key in "
                "use."
            ) % {"refusal": issued.refusal}
        return _("lives %(seconds)d s") % {"seconds": max(0, round(issued.expires_at - time.time()))}

    async def other_key(self) -> str:
        """A token with exactly the key that is to take over, or that has had to go."""
        other = self.credentials.other_key
        assert other is not None  # noqa: S101 - asked for by `_steps`
        try:
            await try_key(self.credentials, other)
        except CozeError as error:
            if not self.app.other_is_former:
                raise
            self.hint = _("Remove it here as well.")
            return _("the former key, refused by Coze: %(refusal)s") % {"refusal": error}
        return f"kid {_masked(other.public_key_id)}"

    async def conversation(self) -> str:
        """A conversation of our own, deleted at the end."""
        assert self.caller is not None  # noqa: S101 - the step before made it
        bot_id = (self.assistant and self.assistant.bot_id) or None
        made = await self.client.create_conversation(self.caller, bot_id=bot_id, name="Diagnosis")
        self.conversation_id = made.id
        return f"id {made.id}"

    async def turn(self) -> str:
        """One question and its answer, to the end."""
        assert self.assistant is not None  # noqa: S101 - asked for by `_steps`
        began, first, length, tokens = time.monotonic(), 0.0, 0, 0
        async with self._asked(self.assistant) as stream:
            self.log_id = stream.log_id
            async for event in stream:
                if isinstance(event, MessageDelta):
                    first = first or time.monotonic() - began
                    length += len(event.content)
                elif isinstance(event, ChatCompleted):
                    tokens = event.usage.total_tokens
        return _("first word after %(first)s s, %(length)d characters, %(tokens)d tokens") % {
            "first": f"{first:.2f}",
            "length": length,
            "tokens": tokens,
        }

    def _asked(self, assistant: Assistant) -> Any:
        assert self.caller is not None  # noqa: S101 - the first step made it
        if assistant.kind == Assistant.Kind.BOT:
            bot = BotChat(assistant.bot_id, QUESTION, self.conversation_id)
            return self.client.chats.stream(self.caller, bot)
        chat = WorkflowChat(
            workflow_id=assistant.workflow_id,
            question=QUESTION,
            conversation_id=self.conversation_id,
            app_id=assistant.coze_app_id or None,
            bot_id=assistant.bot_id or None,
        )
        return self.client.workflow_chat(self.caller, chat)

    async def clear_away(self) -> None:
        """Delete what was made; a failure here says nothing new."""
        if self.caller is not None and self.conversation_id:
            try:
                await self.client.delete_conversation(self.caller, self.conversation_id)
            except CozeError:
                return


async def diagnose(app: CozeApp, *, turn: bool = False) -> Diagnosis:
    """Every step until one fails; the rest is listed as not tried. `turn` costs what an answer costs at Coze."""
    credentials = await database.run(credentials_of, app)
    diagnosis = Diagnosis(app=app.name, base_url=credentials.base_url)
    async with AsyncExitStack() as stack:
        client = CozeClient(credentials, limits=TRIAL_LIMITS)
        stack.push_async_callback(client.aclose)
        assistant = await database.run(_assistant_of, app)
        trial = _Trial(app=app, assistant=assistant, client=client, credentials=credentials)
        stack.push_async_callback(trial.clear_away)
        failed = False
        for step, attempt in _steps(trial, turn=turn):
            if failed or attempt is None:
                detail = "" if failed else _("no chat workflow or bot to ask")
                diagnosis.findings.append(Finding(step, None, detail=detail))
                continue
            finding = await _tried(step, attempt, trial=trial)
            diagnosis.findings.append(finding)
            # Neither says anything about what comes after it.
            failed = failed or not (finding.ok or step in {"people", "other key"})
    return diagnosis


def _steps(trial: _Trial, *, turn: bool) -> list[tuple[str, Attempt | None]]:
    steps: list[tuple[str, Attempt | None]] = [
        ("configuration", trial.configuration),
        *([("people", trial.people)] if trial.credentials.personal_token else []),
        ("token", trial.token),
        *([("other key", trial.other_key)] if trial.credentials.other_key else []),
        ("conversation", trial.conversation),
    ]
    if turn:
        steps.append(("turn", trial.turn if trial.assistant else None))
    return steps


async def _tried(step: str, attempt: Attempt, *, trial: _Trial) -> Finding:
    watch, trial.log_id, trial.hint = Watch(), "", ""
    try:
        detail = await attempt()
    except CozeError as error:
        return Finding(
            step,
            ok=False,
            seconds=watch.seconds,
            detail=str(error).removesuffix(f" [log {error.log_id}]"),
            hint=_hint_for(error, trial=trial),
            code=error.code,
            log_id=error.log_id or trial.log_id,
        )
    return Finding(step, ok=True, seconds=watch.seconds, detail=detail, hint=trial.hint, log_id=trial.log_id)


def _hint_for(error: CozeError, *, trial: _Trial) -> str:
    if isinstance(error, TokenOfOnePerson):
        return _("Set up an OAuth app, or deactivate all accounts but one (users in the admin).")
    return advice_for(error, personal=bool(trial.credentials.personal_token))


def _assistant_of(app: CozeApp) -> Assistant | None:
    kinds = (Assistant.Kind.CHAT_WORKFLOW, Assistant.Kind.BOT)
    # An app that is switched off can be tried before it is switched on.
    return Assistant.objects.filter(app=app, kind__in=kinds, is_active=True).first()


def _masked(name: str) -> str:
    return name if len(name) <= 8 else f"{name[:4]}…{name[-4:]}"
