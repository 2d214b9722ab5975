"""Tries the tool server step by step: where it is, a session, its tools, and whether those that are allowed are there.

Over connections of its own, so that none that still stands hides what is wrong. Nothing is invoked.
"""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cozechat import database
from cozechat.catalog import tools
from cozechat.catalog.models import KaiTool
from cozechat.catalog.tools import Address
from cozechat.kai import Kai, errors
from cozechat.kai.errors import KaiError
from cozechat.monitoring.findings import Attempt, Finding, Findings, Watch

# Somebody waits for this; what takes longer is a finding.
SECONDS = 8.0
_NAMED = 10
_ADVICE: tuple[tuple[type[KaiError], Promise], ...] = (
    (
        errors.Unreachable,
        gettext_lazy(
            "Nothing answers at KAI_MCP_URL. Does the server run, does its name resolve here, is it let out?"
        ),
    ),
    (
        errors.Unauthorized,
        gettext_lazy("Compare KAI_API_KEY with the bearer key that the tool server expects."),
    ),
    (
        errors.ToolTimeout,
        gettext_lazy("The tool server did not answer in time. Try again, and look at its log."),
    ),
)
_OTHERWISE = gettext_lazy(
    "What answers at KAI_MCP_URL is no MCP server over streamable HTTP. Is the path right (often /mcp)?"
)


@dataclass(slots=True)
class KaiDiagnosis(Findings):
    """All findings about the tool server; holds no key. `configured` is False where this site has no tools."""

    configured: bool = False
    url: str = ""

    def as_json(self) -> dict[str, Any]:
        """For machines; a site that has no tools is neither well nor ill."""
        told = Findings.as_json(self)
        return told if self.configured else {**told, "ok": None}


class _ToolsMissing(Exception):
    """Tools are allowed here that the server does not have."""


@dataclass(slots=True)
class _Trial:
    """What the steps hand on to each other."""

    where: Address
    kai: Kai
    offered: frozenset[str] = frozenset()

    async def configuration(self) -> str:
        """Where it is, and whether a key goes along."""
        if tools.is_demo():
            return _("the demo server")
        return _("with a key") if self.where.key else _("without a key")

    async def session(self) -> str:
        """A connection, and the two sides agree on MCP."""
        await self.kai.greet(within=SECONDS)
        return ""

    async def tools(self) -> str:
        """What it offers."""
        offered = await self.kai.list_tools(fresh=True, within=SECONDS)
        self.offered = frozenset(tool.name for tool in offered)
        count = len(offered)
        said = ngettext("%(count)d tool", "%(count)d tools", count) % {"count": count}
        names = sorted(self.offered)
        more = ", …" if count > _NAMED else ""
        return f"{said}: {', '.join(names[:_NAMED])}{more}" if names else said

    async def allowed(self) -> str:
        """Those that may be invoked are all there. Raises _ToolsMissing."""
        allowed = await database.run(_allowed)
        if missing := sorted(allowed - self.offered):
            raise _ToolsMissing(", ".join(missing[:_NAMED]))
        return _("%(allowed)d of %(offered)d") % {"allowed": len(allowed), "offered": len(self.offered)}


def _allowed() -> frozenset[str]:
    if tools.is_demo():
        tools.allow_demo_tools()
    return frozenset(KaiTool.objects.allowed().values_list("name", flat=True))


async def diagnose_kai() -> KaiDiagnosis:
    """Every step until one fails; the rest is listed as not tried."""
    where = await asyncio.to_thread(tools.address)
    if where is None:
        hint = _("This site has no tools. To give it some, set KAI_MCP_URL and KAI_API_KEY.")
        return KaiDiagnosis([Finding("configuration", None, hint=hint)])
    diagnosis = KaiDiagnosis(configured=True, url=_plain(where.url))
    kai = Kai(where.url, key=where.key)
    try:
        await _try_all(_Trial(where, kai), diagnosis)
    finally:
        await kai.aclose()
    return diagnosis


async def _try_all(trial: _Trial, diagnosis: KaiDiagnosis) -> None:
    steps: list[tuple[str, Attempt]] = [
        ("configuration", trial.configuration),
        ("session", trial.session),
        ("tools", trial.tools),
        ("allowed", trial.allowed),
    ]
    failed = False
    for step, attempt in steps:
        finding = Finding(step, None) if failed else await _tried(step, attempt)
        diagnosis.findings.append(finding)
        failed = failed or finding.ok is False


async def _tried(step: str, attempt: Attempt) -> Finding:
    watch = Watch()
    try:
        detail = await attempt()
    except KaiError as error:
        return Finding(step, ok=False, seconds=watch.seconds, detail=error.message, hint=_advice_for(error))
    except _ToolsMissing as missing:
        hint = _(
            "Allowed here, but the server does not have them. Ask it for its tools in the admin, and allow what it has."
        )
        return Finding(step, ok=False, seconds=watch.seconds, detail=str(missing), hint=hint)
    return Finding(step, ok=True, seconds=watch.seconds, detail=detail)


def _advice_for(error: KaiError) -> str:
    return str(next((text for kind, text in _ADVICE if isinstance(error, kind)), _OTHERWISE))


def _plain(url: str) -> str:
    """The address without a name, a password or a query, which might be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_configured() -> bool:
    """Whether an operator has named a tool server."""
    return bool(settings.KAI_MCP_URL)
