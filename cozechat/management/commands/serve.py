"""`manage.py serve`: one web process, with the emulator beside it when no Coze is configured."""

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import tokens
from conversations import turns
from cozechat.catalog import environment
from cozechat.catalog.clients import close_clients
from cozechat.gateway.engine import engine as gateway_engine
from cozechat.gateway.entrance import refused_by_server
from cozechat.logs import levels
from cozechat.monitoring.reporting import reporter
from cozechat.webhooks.courier import courier


class Command(BaseCommand):
    """Serves pages and sockets until it is told to end, and ends in order."""

    help = "Starts CozeChat: daphne with back-pressure, frame limits and a graceful end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--port", type=int, default=settings.PORT)

    def handle(self, **options: Any) -> None:
        """Check, start the emulator if one is needed, serve."""
        from cozechat import server  # noqa: PLC0415 - importing it installs Twisted's reactor
        from cozechat.asgi import application  # noqa: PLC0415 - it refuses a broken configuration

        with environment.emulator() as base_url:
            if settings.COZE_EMULATED:
                self.stdout.write(f"No Coze credentials: the built-in emulator answers, at {base_url}.")
            try:
                server.serve(
                    application,
                    host=options["host"],
                    port=options["port"],
                    drain=_drain,
                    on_ready=self._say_where,
                    limits=server.ServerLimits(drain_seconds=settings.DRAIN_SECONDS),
                    wording=refused_by_server,
                )
            except server.ListenError as error:
                raise CommandError(f"{error}. Choose another port with PORT=… or --port.") from error

    def _say_where(self, url: str) -> None:
        # Turns and calls that another process has left do not wait for somebody to come.
        asyncio.get_event_loop().call_soon(_look_after_what_is_left)
        self.stdout.write(self.style.SUCCESS(f"CozeChat is at {url}"))
        self.stdout.flush()


def _look_after_what_is_left() -> None:
    turns.engine().start_chores()
    gateway_engine().start_chores()
    courier().start()
    reporter().start()
    levels.follow(settings.VAR_DIR)


async def _drain() -> None:
    """Take no new turns, give the running ones a moment, save, close what is open."""
    grace = settings.DRAIN_SECONDS * 0.75
    engines = (turns.engine().drain(grace=grace), gateway_engine().drain(grace=grace))
    await asyncio.gather(*engines, courier().aclose())
    await tokens.aclose()
    await reporter().aclose()
    await close_clients()
