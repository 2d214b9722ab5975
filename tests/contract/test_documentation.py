"""What the page on the emulator says is so: its example runs, its options are all there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from cozechat.emulator.options import Options
from cozechat.emulator.process import RunningEmulator

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text()
HIDDEN = {"state_dir", "host", "port", "faults", "until_stdin_closes"}


def test_the_example_for_the_sdk_runs_as_printed(emulator: RunningEmulator) -> None:
    (example,) = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
    assert example.partition("\n\n")[2].count("\n") == 5
    known = emulator.credentials
    facts = known.assistants() | {
        "base_url": emulator.base_url,
        "client_id": known.client_id,
        "public_key_id": known.public_key_id,
        "private_key": known.private_key,
    }
    script = f"import json, os\nglobals().update(json.loads(os.environ['FACTS']))\n{example}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"FACTS": json.dumps(facts), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout.split("\n")
    assert (said[0], "Hello!" in said) == ("ChatEventType.CONVERSATION_CHAT_CREATED", True), done.stderr


def test_every_option_is_on_the_page() -> None:
    names = {name for name in Options.__slots__ if name not in HIDDEN}
    assert {name for name in names if f"`--{name.replace('_', '-')}" not in PAGE} == set()


def test_every_assistant_is_on_the_page(emulator: RunningEmulator) -> None:
    assert [name for name in emulator.credentials.assistants() if f"`{name}`" not in PAGE] == []
