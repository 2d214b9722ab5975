"""The demo server as a process: it ends with its parent, and as a command it says what to set."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cozechat.kai import Kai, process

ROOT = Path(__file__).resolve().parents[2]
_PARENT = (
    "from cozechat.kai import process; import os; r = process.start(); print(r.pid, flush=True); os._exit(0)"
)


def is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_it_ends_with_its_parent():
    done = subprocess.run(
        [sys.executable, "-c", _PARENT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    pid, until = int(done.stdout), time.monotonic() + 60
    while is_there(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_there(pid)


def test_it_is_there_at_once_and_stops_twice():
    running = process.start()
    assert running.is_running
    running.stop()
    running.stop()
    assert not running.is_running


async def brewed(url: str, *, key: str) -> str:
    kai = Kai(url, key=key)
    try:
        return await kai.invoke_tool("brew_ratio", {"coffee_grams": 18}, timeout=20)
    finally:
        await kai.aclose()


def test_the_command_says_what_to_set_and_allows_its_tools(tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COZE_", "KAI_"))} | {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'site.sqlite3'}", "VAR_DIR": str(tmp_path / "var"),
    }  # fmt: skip
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True)
    command = [sys.executable, "manage.py", "demo_kai", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = dict(running.stdout.readline().strip().split("=", 1) for _ in range(2))
        try:
            assert "288" in asyncio.run(brewed(said["KAI_MCP_URL"], key=said["KAI_API_KEY"]))
        finally:
            running.terminate()
            assert running.wait(30) == 0
    code = "from cozechat.catalog.models import KaiTool; print(KaiTool.objects.allowed().count())"
    shell = [sys.executable, "manage.py", "shell", "-v0", "-c", code]
    assert (
        subprocess.run(shell, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout.strip()
        == "5"
    )
