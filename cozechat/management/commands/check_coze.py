"""`manage.py check_coze`: tries the configured Coze step by step and says what to mend."""

import asyncio
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from cozechat.catalog import environment
from cozechat.catalog.models import CozeApp
from cozechat.monitoring.diagnosing import Diagnosis, diagnose
from cozechat.monitoring.findings import Finding
from cozechat.monitoring.tooling import KaiDiagnosis, diagnose_kai, is_configured


class Command(BaseCommand):
    """For each app a token, a conversation, one turn; what was made is deleted again. And the tools, if there are any."""

    help = "Tries the configured Coze and says what to mend. Exit code 0: all is well; 1: it is not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--json` for machines, `--app` for one Coze app alone, `--no-turn` to spend nothing at Coze."""
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")
        parser.add_argument("--app", default="", help="name of the Coze app (default: every active one)")
        parser.add_argument("--no-turn", action="store_true", help="ask nothing that costs")

    def handle(self, **options: Any) -> None:
        """Try, print, leave with the exit code."""
        with environment.emulator():
            environment.default_assistant()  # makes the rows of the environment, if they are not there
            apps = _apps(options["app"])
            connection.close()
            diagnoses = asyncio.run(_all(apps, turn=not options["no_turn"]))
            kai = asyncio.run(diagnose_kai()) if is_configured() and not options["app"] else None
        self._tell(diagnoses, kai, as_json=options["json"])

    def _tell(self, diagnoses: list[Diagnosis], kai: KaiDiagnosis | None, *, as_json: bool) -> None:
        coze_ok = bool(diagnoses) and all(diagnosis.ok for diagnosis in diagnoses)
        ok = coze_ok and (kai is None or kai.ok)
        if as_json:
            found = {"ok": ok, "apps": [diagnosis.as_json() for diagnosis in diagnoses]}
            tools = {} if kai is None else {"kai": kai.as_json()}
            self.stdout.write(json.dumps({**found, **tools}, ensure_ascii=False, indent=2))
        else:
            self._print(diagnoses, ok=coze_ok)
            self._print_kai(kai)
        sys.exit(0 if ok else 1)

    def _print_kai(self, kai: KaiDiagnosis | None) -> None:
        if kai is None:
            return
        self.stdout.write(f"KAI tools at {kai.url}")
        for finding in kai.findings:
            self._line(finding)

    def _print(self, diagnoses: list[Diagnosis], *, ok: bool) -> None:
        if not diagnoses:
            self.stderr.write("There is no Coze app to check. Is it named right, and active?")
        for diagnosis in diagnoses:
            self.stdout.write(f"Coze app {diagnosis.app} at {diagnosis.base_url}")
            for finding in diagnosis.findings:
                self._line(finding)
        if diagnoses:
            verdict = "Coze answers as it should." if ok else "Coze cannot be used like this."
            self.stdout.write(self.style.SUCCESS(verdict) if ok else self.style.ERROR(verdict))

    def _line(self, finding: Finding) -> None:
        marks = {
            True: self.style.SUCCESS("ok     "),
            False: self.style.ERROR("FAILED "),
            None: self.style.WARNING("skipped"),
        }
        log = f"  (log {finding.log_id})" if finding.log_id else ""
        line = f"  {finding.step:<13}  {marks[finding.ok]}  {finding.seconds:6.2f} s  {finding.detail}{log}"
        self.stdout.write(line.rstrip())
        if finding.hint:
            self.stdout.write(f"      → {finding.hint}")


def _apps(name: str) -> list[CozeApp]:
    active = CozeApp.objects.filter(is_active=True).order_by("pk")
    return list(active.filter(name=name) if name else active)


async def _all(apps: list[CozeApp], *, turn: bool) -> list[Diagnosis]:
    return [await diagnose(app, turn=turn) for app in apps]
