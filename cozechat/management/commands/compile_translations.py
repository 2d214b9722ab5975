"""`manage.py compile_translations`: `.po` to `.mo` without GNU gettext."""

import os
from pathlib import Path
from typing import Any

import polib
from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Compiles every catalogue of the site; one that is fresh is left alone."""

    help = "Compiles the translations (.po) into what Django reads (.mo)."
    requires_system_checks = ()

    def handle(self, **_: Any) -> None:
        """Say which catalogues were written."""
        for po in catalogues():
            if _write(po.with_suffix(".mo"), compiled(po)):
                self.stdout.write(f"Compiled {po.relative_to(settings.BASE_DIR)}")


def catalogues() -> list[Path]:
    """The site's `.po` files."""
    return sorted(po for root in settings.LOCALE_PATHS for po in Path(root).glob("*/LC_MESSAGES/*.po"))


def compiled(po: Path) -> bytes:
    """What belongs into the `.mo`: all that is translated and not fuzzy."""
    content: bytes = polib.pofile(str(po), encoding="utf-8").to_binary()
    return content


def _write(mo: Path, content: bytes) -> bool:
    """Whether anything had to be written; a reader sees the old file or the new one, never half of it."""
    if mo.is_file() and mo.read_bytes() == content:
        return False
    draft = mo.with_suffix(f".mo.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(mo)
    return True
