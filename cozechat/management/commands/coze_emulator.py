"""Runs Coze's stand-in as an HTTP server of its own, for any Coze SDK."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from cozechat.emulator.faults.board import BadFaultError
from cozechat.emulator.options import add_arguments, from_arguments
from cozechat.emulator.serving import serve

LABELS = {
    "base_url": "Base URL",
    "client_id": "Client id",
    "public_key_id": "Public key id",
    "private_key_path": "Private key",
    "app_id": "App id",
    "workflow_id": "Chatflow",
    "question_workflow_id": "… asking back",
    "reasoning_workflow_id": "… thinking aloud",
    "run_workflow_id": "Workflow",
    "long_workflow_id": "… of a minute",
    "trip_workflow_id": "… of several nodes",
    "order_workflow_id": "… asking back twice",
    "bot_id": "Bot",
    "tool_bot_id": "… with a tool",
    "control_token": "Control token",
}


class Command(BaseCommand):
    """`manage.py coze_emulator`."""

    help = __doc__ or ""
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser, port=9090, state_dir=Path(settings.BASE_DIR) / "var" / "emulator")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            serve(from_arguments(Namespace(**options)), announce=self._announce)
        except (OSError, BadFaultError) as problem:
            raise CommandError(str(problem)) from None

    def _announce(self, facts: dict[str, Any]) -> None:
        self.stdout.write("The Coze emulator is running. Ctrl-C ends it.\n")
        for name, label in LABELS.items():
            self.stdout.write(f"  {label:<17} {facts[name]}")
        self.stdout.flush()
