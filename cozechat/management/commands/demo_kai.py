"""`manage.py demo_kai`: a tool server that knows about coffee, for trying tools out."""

import os
import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cozechat.catalog.tools import allow_demo_tools
from cozechat.kai import process


class Command(BaseCommand):
    """Serves until it is told to end; its tools are allowed on this site unless somebody has decided otherwise."""

    help = "Starts the demo tool server (MCP over streamable HTTP, with a bearer key) on loopback."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        parser.add_argument("--port", type=int, default=9091, help="0 takes any free one")

    def handle(self, **options: Any) -> None:
        """Allow the tools, say what to set, serve."""
        from cozechat.kai import demo  # noqa: PLC0415 - the SDK takes most of a second to load

        key = os.environ.get(process.KEY_VARIABLE) or secrets.token_urlsafe(24)
        try:
            listener = process.listen(options["port"])
        except OSError as error:
            raise CommandError(f"{error}. Choose another port with --port.") from error
        allow_demo_tools()

        def ready() -> None:
            self.stdout.write(f"KAI_MCP_URL={process.url_of(listener)}\nKAI_API_KEY={key}")
            self.stdout.flush()

        demo.serve(listener, key=key, ready=ready)
