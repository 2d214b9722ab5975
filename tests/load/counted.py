"""The site with a count of what it holds: on SIGUSR1 it writes tasks and threads to the file that COUNTED names.

COUNTED=/tmp/counts python -m tests.load.counted serve --port 8000
"""

import asyncio
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any


def _write(*_signal: Any) -> None:
    """In the main thread, between two steps of its event loop."""
    counts = {
        "tasks": len(asyncio.all_tasks(asyncio.get_running_loop())),
        "threads": len(threading.enumerate()),
    }
    draft = Path(os.environ["COUNTED"] + ".draft")
    draft.write_text(json.dumps(counts))
    draft.replace(os.environ["COUNTED"])


def main() -> None:
    from django.core.management import execute_from_command_line

    signal.signal(signal.SIGUSR1, _write)
    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
