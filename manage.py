#!/usr/bin/env python
"""CozeChat's commands."""

import os
import sys


def main() -> None:
    """Run the command named on the command line; a configuration that cannot work is told in a line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cozechat.settings")
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415 - settings first
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"CozeChat cannot start: {error}")


if __name__ == "__main__":
    main()
