"""`manage.py reconcile`: ends every orphaned turn and every deserted call, as the web processes themselves do."""

import asyncio
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from accounts import tokens
from conversations import turns
from conversations.turns.processes import orphans
from cozechat import database
from cozechat.catalog import environment
from cozechat.catalog.clients import close_clients
from cozechat.gateway.late import settle_deserted


class Command(BaseCommand):
    """Turns whose process has died get Coze's finished answer, or end as interrupted with what was said so far.

    Calls of the gateway are settled by what Coze says of them.
    """

    help = (
        "Ends every turn and every call whose process has died. Web processes do this by themselves; "
        "this is for sceptics."
    )

    def handle(self, **_options: Any) -> None:
        """Claim once, ask Coze, and say how they ended."""
        with environment.emulator():
            ended, settled = asyncio.run(_reconcile())
        ways = ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
        self.stdout.write(f"{ended.total()} orphaned turns ended{': ' if ways else ''}{ways}.")
        self.stdout.write(f"{settled} deserted calls settled.")


async def _reconcile() -> tuple[Counter[str], int]:
    engine = turns.engine()
    try:
        claimed = await database.run(orphans.claim)
        ends = await asyncio.gather(*(engine.recover(orphan) for orphan in claimed))
        return Counter(str(end.turn.status) for end in ends if end), await settle_deserted()
    finally:
        await engine.aclose()
        await tokens.aclose()
        await close_clients()
