"""`manage.py check_isolation`: proves on the configured Coze that users cannot see each other."""

import asyncio
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from accounts import tokens
from conversations import turns
from conversations.isolation import Outcome, Report, prove_with_temporary_users, without_isolation
from cozechat.catalog import environment
from cozechat.catalog.clients import close_clients
from cozechat.catalog.models import Assistant

_MARKS = {Outcome.ISOLATED: "ok", Outcome.LEAK: "LEAK", Outcome.ERROR: "ERROR", Outcome.SKIPPED: "skipped"}
_VERDICTS = {
    Outcome.ISOLATED: "ISOLATED: neither user can see the other.",
    Outcome.LEAK: "LEAK: one user can see the other.",
    Outcome.ERROR: "The check could not be run.",
}


class Command(BaseCommand):
    """Two users are made, talk, try to reach each other in every way, and are deleted again."""

    help = "Proves that two users cannot see each other. Exit code 0 isolated, 1 a leak, 2 could not be run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--json` for machines, `--app` for another Coze app than the default."""
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument("--app", default="", help="name of the Coze app to check (default: the first)")

    def handle(self, **options: Any) -> None:
        """Run the check and leave with its exit code."""
        with environment.emulator():
            assistant = _assistant(options["app"])
            if assistant is None:
                self.stderr.write("There is no assistant to check. Is the Coze app named right, and active?")
                sys.exit(2)
            if environment.personal_token_of(assistant.app):
                report = without_isolation(assistant)
            else:
                connection.close()
                report = asyncio.run(_prove(assistant))
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
        else:
            self._print(report)
        sys.exit(report.exit_code)

    def _print(self, report: Report) -> None:
        self.stdout.write(f"Coze app {report.app} at {report.base_url}")
        width = max((len(probe.name) for probe in report.probes), default=0)
        for probe in report.probes:
            mark = _MARKS[probe.outcome]
            style = {"ok": self.style.SUCCESS, "skipped": self.style.WARNING}.get(mark, self.style.ERROR)
            self.stdout.write(
                f"  {probe.name:<{width}}  {style(mark):<7}  {probe.seconds:6.2f} s  {probe.detail}".rstrip()
            )
            if probe.hint:
                self.stdout.write(f"      → {probe.hint}")
        style = self.style.SUCCESS if report.outcome == Outcome.ISOLATED else self.style.ERROR
        self.stdout.write(style(_VERDICTS[report.outcome]))


def _assistant(app_name: str) -> Assistant | None:
    if not app_name:
        return environment.default_assistant()
    return Assistant.objects.talkative().filter(app__name=app_name).first()


async def _prove(assistant: Assistant) -> Report:
    try:
        return await prove_with_temporary_users(assistant=assistant)
    finally:
        await turns.engine().aclose()
        await tokens.aclose()
        await close_clients()
