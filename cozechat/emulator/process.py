"""Starting an emulator as a process of its own, and finding one that already runs."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from cozechat.emulator import credentials
from cozechat.emulator.credentials import EmulatorCredentials

READY_SECONDS = 10.0
STOP_SECONDS = 5.0
PROBE_SECONDS = 1.0
ADDRESS_FILE = "address.json"

# A proxy of the environment has no business on loopback.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class EmulatorStartError(RuntimeError):
    """The emulator did not come up; the message holds what it wrote to stderr."""


class RunningEmulator:
    """An emulator in a child process; it ends with `stop()` or with its parent."""

    def __init__(self, process: subprocess.Popen[bytes], *, ready: dict[str, Any], state_dir: Path) -> None:
        self._process = process
        self.base_url: str = ready["base_url"]
        self.pid: int = ready["pid"]
        self.control_token: str = ready["control_token"]
        self.credentials: EmulatorCredentials = credentials.ensure(state_dir)

    @property
    def is_running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def arm(self, name: str, **settings: object) -> None:
        """Arms a fault, for example `arm("stall", after=5, seconds=2, times=1)`."""
        self._control("POST", "/emulator/faults", {"name": name, **settings})

    def disarm(self) -> None:
        self._control("DELETE", "/emulator/faults")

    def ledger(self) -> dict[str, Any]:
        return self._control("GET", "/emulator/ledger")

    def reset_ledger(self) -> None:
        self._control("DELETE", "/emulator/ledger")

    def revoke_tokens(self, *, session_name: str | None = None) -> None:
        self._control("POST", "/emulator/revoke", {"session_name": session_name})

    def expire_tokens(self) -> None:
        self._control("POST", "/emulator/revoke", {"expire": True})

    def public_key_ids(self) -> list[str]:
        """The keys that may sign."""
        found: list[str] = self._control("GET", "/emulator/keys")["public_key_ids"]
        return found

    def upload_key(self, public_pem: str) -> str:
        """Adds a public key to the OAuth app; returns its id."""
        return str(self._control("POST", "/emulator/keys", {"public_key": public_pem})["public_key_id"])

    def delete_key(self, public_key_id: str) -> None:
        """Takes a key from the OAuth app: what it signs from now on is refused."""
        query = urllib.parse.urlencode({"public_key_id": public_key_id})
        self._control("DELETE", f"/emulator/keys?{query}")

    def personal_token(self, *, seconds: int = 86_400) -> str:
        """A personal access token of the account."""
        return str(self._control("POST", "/emulator/personal-tokens", {"seconds": seconds})["token"])

    def call_back(self, url: str, *, verify_token: str, event_type: str, **more: object) -> dict[str, Any]:
        """Sends a signed callback to a site on this machine; what it answered is in `status` and `answer`."""
        told = {"url": url, "verify_token": verify_token, "event_type": event_type, **more}
        return self._control("POST", "/emulator/callbacks", told)

    def _control(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - our own http address
            self.base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.control_token}", "Content-Type": "application/json"},
        )
        with _open(request, timeout=STOP_SECONDS) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer

    def wait(self, *, seconds: float) -> int:
        """The exit status of a process that is on its way out."""
        return self._process.wait(seconds)

    def stop(self) -> None:
        """Ends the process; stopping twice is fine."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _close(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    state_dir: Path,
    *,
    port: int = 0,
    leaky: Iterable[str] = (),
    faults: Iterable[str] = (),
    in_memory: bool = False,
    pace: float | None = None,
    arguments: Iterable[str] = (),
) -> RunningEmulator:
    """Starts one and waits until it accepts connections; `arguments` are further command-line options."""
    command = [sys.executable, "-m", "cozechat.emulator", "--until-stdin-closes"]
    command += ["--port", str(port), "--state-dir", str(state_dir)]
    command += ["--in-memory"] if in_memory else []
    command += [] if pace is None else ["--pace", str(pace)]
    for option, values in (("--leaky", leaky), ("--fault", faults)):
        command += [part for value in values for part in (option, value)]
    return _launch([*command, *arguments], state_dir=state_dir)


def _launch(command: list[str], *, state_dir: Path) -> RunningEmulator:
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.getenv("PYTHONPATH")]))}
    with tempfile.TemporaryFile() as complaints:
        # Its stdin is a pipe that only we hold: when we die, it reads the end of it and goes too.
        # A session of its own keeps Ctrl-C from it: its parent may still be finishing answers.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment,
            start_new_session=True,
        )
        line = _first_line(process)
        if not line:
            process.kill()
            process.wait()
            _close(process)
            complaints.seek(0)
            raise EmulatorStartError(
                f"the emulator did not start: {complaints.read().decode(errors='replace')}"
            )
    return RunningEmulator(process, ready=json.loads(line), state_dir=state_dir)


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    out: IO[bytes] = process.stdout  # type: ignore[assignment]  # it was asked for
    threading.Thread(target=lambda: lines.put(out.readline()), daemon=True).start()
    try:
        return lines.get(timeout=READY_SECONDS)
    except queue.Empty:
        return b""


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def publish_address(state_dir: Path, base_url: str) -> None:
    """Lets `locate` find this process."""
    draft = state_dir / f".{ADDRESS_FILE}.{os.getpid()}"
    draft.write_text(json.dumps({"base_url": base_url, "pid": os.getpid()}))
    draft.replace(state_dir / ADDRESS_FILE)


def withdraw_address(state_dir: Path) -> None:
    address = _address(state_dir)
    if address is not None and address.get("pid") == os.getpid():
        (state_dir / ADDRESS_FILE).unlink(missing_ok=True)


def locate(state_dir: Path) -> str | None:
    """The base URL of an emulator that runs on `state_dir` now, else None."""
    address = _address(state_dir)
    if address is None or not (state_dir / "credentials").is_dir():
        return None
    base_url = str(address.get("base_url"))
    expected = credentials.ensure(state_dir).public_key_id
    try:
        with _open(base_url + "/emulator/identity", timeout=PROBE_SECONDS) as reply:
            alive = json.load(reply).get("public_key_id") == expected
    except (OSError, ValueError, AttributeError):
        return None
    return base_url if alive else None


def _address(state_dir: Path) -> dict[str, Any] | None:
    try:
        address = json.loads((state_dir / ADDRESS_FILE).read_text())
    except (OSError, ValueError):
        return None
    return address if isinstance(address, dict) else None
