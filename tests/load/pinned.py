"""Becomes another program, on one core and before others where that is allowed.

python -m tests.load.pinned 0 python manage.py serve
"""

import os
import sys
from contextlib import suppress


def main() -> None:
    core, *command = sys.argv[1:]
    if int(core) in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {int(core)})
    with suppress(PermissionError):
        os.nice(-15)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
