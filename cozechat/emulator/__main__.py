"""`python -m cozechat.emulator`: prints one JSON line when it accepts connections, then serves."""

import argparse
import json
import sys
from typing import Any

from cozechat.emulator.faults.board import BadFaultError
from cozechat.emulator.options import add_arguments, from_arguments
from cozechat.emulator.serving import serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cozechat.emulator", description=__doc__)
    add_arguments(parser, port=0, state_dir=None)
    try:
        serve(from_arguments(parser.parse_args()), announce=_announce)
    except (OSError, BadFaultError) as problem:
        print(f"coze emulator: {problem}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


def _announce(facts: dict[str, Any]) -> None:
    print(json.dumps(facts), flush=True)  # noqa: T201 - what whoever started us waits for


if __name__ == "__main__":
    sys.exit(main())
