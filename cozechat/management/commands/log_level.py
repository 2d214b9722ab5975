"""`manage.py log_level`: opens the log of one part of the running site for a while."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from cozechat.logs import levels
from cozechat.logs.configuration import OURS


class Command(BaseCommand):
    """Says what is open; opens a part; closes it again."""

    help = (
        "Shows or changes what running processes log: log_level cozechat.coze DEBUG --minutes 30; "
        "log_level all DEBUG; log_level cozechat.coze reset. Without arguments: what is open now."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A part, a level, how long."""
        parser.add_argument("part", nargs="?", help=f"all, or {', '.join(OURS)}, or a module: cozechat.coze")
        parser.add_argument("level", nargs="?", default="DEBUG", help="DEBUG (default), INFO, …, or reset")
        parser.add_argument("--minutes", type=float, default=60.0, help="then it is closed by itself (60)")

    def handle(self, *, part: str | None, level: str, minutes: float, **_options: Any) -> None:
        """Change the file that all processes follow, and say what it says."""
        path, now = settings.VAR_DIR / levels.FILE, time.time()
        opened = levels.read(path, now=now)
        for each in OURS if part == "all" else [part] if part else []:
            opened.pop(each, None)
            if level.lower() != "reset":
                opened[each] = (level.upper(), now + minutes * 60)
        if part:
            self._write(opened)
        for name, (at, until) in sorted(opened.items()):
            left = (until - now) / 60
            self.stdout.write(f"{name}: from {at} on, for {left:.0f} minutes")
        if not opened:
            self.stdout.write("Nothing is open: all parts log as LOG_LEVEL says.")

    def _write(self, opened: dict[str, tuple[str, float]]) -> None:
        try:
            levels.write(settings.VAR_DIR / levels.FILE, opened)
        except (levels.UnknownPart, OSError) as error:
            raise CommandError(str(error)) from error
