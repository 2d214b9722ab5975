"""`daphne cozechat.asgi:application` on its own: the emulator comes with the first question and goes with it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

ROOT = Path(__file__).parents[2]
_LOG_IN = """
from django.test import Client
from accounts.models import User
client = Client()
client.force_login(User.objects.create_user("alice"))
print(client.session.session_key)
"""


@pytest.fixture
def site(tmp_path: Path) -> dict[str, str]:
    wanted = {"VAR_DIR": str(tmp_path / "var"), "DATABASE_URL": f"sqlite:///{tmp_path}/site.sqlite3"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")}
    return environment | wanted | {"COZE_EMULATOR_PORT": "0", "REDIS_URL": ""}


def manage(site: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=site, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def daphne(site: dict[str, str]) -> Iterator[int]:
    manage(site, "migrate", "--verbosity", "0")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "daphne", "-p", str(port), "cozechat.asgi:application"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=site, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait_for(port: int) -> None:
    for _ in range(150):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("daphne did not come up")


def test_a_plainly_started_server_answers_out_of_the_box(site, daphne, tmp_path):
    session = manage(site, "shell", "-v", "0", "-c", _LOG_IN).split()[-1]
    headers = {"Cookie": f"sessionid={session}"}
    url = f"ws://127.0.0.1:{daphne}/ws/chat/"
    with connect(url, additional_headers=headers, origin=f"http://127.0.0.1:{daphne}") as page:
        question = {
            "type": "turn.start",
            "client_id": str(uuid.uuid4()),
            "conversation": None,
            "content": "hello",
        }
        page.send(json.dumps(question))
        frame = {"type": ""}
        while not frame["type"].startswith(("turn.completed", "turn.failed")):
            frame = json.loads(page.recv(timeout=30))
    assert frame["type"] == "turn.completed"
    assert (tmp_path / "var" / "emulator" / "address.json").is_file()
