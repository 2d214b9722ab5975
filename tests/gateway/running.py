"""The real site as a process, a colleague with access to its database, and raw HTTP to it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
_COLLEAGUE = """
import json, sys
import django
django.setup()
for line in sys.stdin:
    place = {}
    try:
        exec(json.loads(line), place)
        answer = {"value": place.get("answer")}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=str), flush=True)
"""


class Colleague:
    """A process with the site's settings that runs snippets; what a snippet calls `answer` comes back."""

    def __init__(self, environment: dict[str, str]) -> None:
        wanted = environment | {"DJANGO_SETTINGS_MODULE": "cozechat.settings", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COLLEAGUE],
            cwd=ROOT,
            env=wanted,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def does(self, snippet: str) -> Any:
        self._process.stdin.write(json.dumps(snippet) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def stop(self) -> None:
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


class Site:
    """One `manage.py serve`, with its own database and emulator."""

    def __init__(self, environment: dict[str, str], *, coze: Any, log: Path) -> None:
        self.environment = environment
        self.coze = coze
        self.log = log
        self.colleague = Colleague(environment)
        self.url = ""
        self._asked_to_stop = False
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._asked_to_stop = False
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", "0"],
                cwd=ROOT,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        for line in self._process.stdout:
            if "is at http" in line:
                self.url = line.split()[-1].strip()
                return
        raise AssertionError(self.log.read_text()[-3000:])

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def ask_to_stop(self) -> None:
        """It begins to end in order."""
        if not self._asked_to_stop:
            self._asked_to_stop = True
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Ends it in order, as an init system does."""
        self.ask_to_stop()
        status = self._process.wait(60)
        self._process.stdout.close()
        return status

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
        self.colleague.stop()

    # What tests ask of it

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def key(self, owner: str = "alice", **wanted: Any) -> str:
        """A new key's secret."""
        return self.colleague.does(f"""
from accounts.models import User
from cozechat.gateway import keys
from cozechat.catalog.models import Assistant
wanted = {wanted!r}
if "fallback" in wanted:
    wanted["fallback"] = Assistant.objects.get(gateway_name=wanted["fallback"])
key, answer = keys.create(User.objects.get(username={owner!r}), name="test", **wanted)
""")

    def balance(self, owner: str = "alice") -> dict[str, int]:
        return self.colleague.does(f"""
from cozechat.usage.models import Account
account = Account.objects.get(owner__username={owner!r})
answer = {{"available": account.available, "held": account.held, "debt": account.debt}}
""")

    def records(self, request_id: str = "", *, secret: str = "") -> list[dict[str, Any]]:
        """Usage records of one request, or of one key."""
        return self.colleague.does(f"""
from cozechat.gateway import keys
from cozechat.gateway.models import ApiKey
from cozechat.usage.models import UsageRecord
rows = UsageRecord.objects.all()
if {request_id!r}:
    rows = rows.filter(request_id={request_id!r})
if {secret!r}:
    rows = rows.filter(api_key_id=ApiKey.objects.get(digest=keys.digest({secret!r})).pk)
answer = list(rows.order_by("pk").values(
    "request_id", "status", "error_code", "cost", "input_tokens", "output_tokens", "usage_source", "model",
    "route", "end_user", "execute_id", "coze_chat_id", "coze_conversation_id", "stream", "settled_late",
    "metadata"))
""")

    def holds(self, state: str = "open") -> list[str]:
        return self.colleague.does(f"""
from cozechat.usage.models import Hold
answer = list(Hold.objects.filter(state={state!r}).values_list("request_id", flat=True))
""")

    def books(self) -> list[str]:
        return self.colleague.does("from cozechat.usage.reconciling import audit\nanswer = audit()")

    def post(self, path: str, *, key: str = "", **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= more.pop("headers", {})
        with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as client:
            return client.request(more.pop("method", "POST"), path, headers=headers, **more)


def until(found: Any, *, seconds: float = 15.0) -> Any:
    """What `found` returns, once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment_of(place: Path, *, database_url: str, **more: str) -> dict[str, str]:
    """Nothing of Coze's, so that the emulator answers; a database of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")}
    wanted = {
        "VAR_DIR": str(place / "var"),
        "DATABASE_URL": database_url,
        "LOG_LEVEL": "INFO",
        "NO_PROXY": "127.0.0.1",
    }
    return kept | {"REDIS_URL": os.environ.get("REDIS_URL", "")} | wanted | more
