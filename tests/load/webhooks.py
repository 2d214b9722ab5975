"""How many webhooks a second one process accepts and handles, and whether any is lost when it is killed.

python -m tests.load.webhooks [--seconds 10] [--senders 8] [--rate 0] [--kill]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import django
import psutil

from tests.webhooks.sending import TOKENS, Sent, look, make_conversations, send_all

CONVERSATIONS = 50
HANDLED_WITHIN = 300.0


def main() -> int:
    """Print one JSON object; the status is 1 when something that was accepted is not there."""
    options = _options()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cozechat.settings")
    django.setup()
    from tests.processes import site

    with tempfile.TemporaryDirectory() as directory, site(Path(directory)) as made:
        made.environment |= TOKENS
        told = _measure(made, options)
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return 1 if told["accepted and lost"] or told["stored more than once"] else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument(
        "--rate", type=float, default=0.0, help="events a second in all; 0: as fast as accepted"
    )
    parser.add_argument("--kill", action="store_true", help="kill -9 half-way; another process goes on")
    return parser.parse_args()


def _measure(made: Any, options: argparse.Namespace) -> dict[str, Any]:
    coze_ids = make_conversations(made, count=CONVERSATIONS)
    process = made.start()

    def meanwhile() -> None:
        if options.kill:
            time.sleep(options.seconds / 2)
            process.kill()

    server = psutil.Process(process.popen.pid)
    before = sum(server.cpu_times()[:2])
    sent = send_all(
        [process.url],
        coze_ids=coze_ids,
        seconds=options.seconds,
        senders=options.senders,
        rate=options.rate,
        meanwhile=meanwhile,
    )
    told: dict[str, Any] = {}
    if options.kill:
        made.start()
    else:
        spent = sum(server.cpu_times()[:2]) - before
        told["processor time of the server (ms an event)"] = round(
            1000 * spent / max(1, len(sent.accepted)), 2
        )
        told["handled meanwhile"] = sum(look(made)["messages"].values())
    began = time.monotonic()
    found = _when_handled(made)
    return (
        told
        | _figures(sent, found, options=options)
        | {"all handled after the last (s)": round(time.monotonic() - began, 1)}
    )


def _when_handled(made: Any) -> dict[str, dict[str, Any]]:
    until = time.monotonic() + HANDLED_WITHIN
    while True:
        found = look(made)
        if "waiting" not in found["events"].values() or time.monotonic() > until:
            return found
        time.sleep(1.0)


def _figures(sent: Sent, found: dict[str, dict[str, Any]], *, options: argparse.Namespace) -> dict[str, Any]:
    took = sorted(sent.took) or [0.0]
    seconds = sent.seconds / 2 if options.kill else sent.seconds
    there = {event for event in sent.accepted if found["messages"].get(event)}
    return {
        "accepted": len(sent.accepted),
        "accepted a second": round(len(sent.accepted) / seconds, 1),
        "p50 (ms)": round(statistics.median(took) * 1000, 1),
        "p99 (ms)": round(took[int(len(took) * 0.99)] * 1000, 1),
        "refused": sent.refused,
        "connections broken": sent.broken,
        "accepted and lost": len(sent.accepted) - len(there),
        "stored more than once": sum(count > 1 for count in found["messages"].values()),
    }


if __name__ == "__main__":
    sys.exit(main())
