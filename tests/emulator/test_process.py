"""The emulator as a process: started, found, ended, and remembering."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from cozechat.emulator import credentials, process
from cozechat.emulator.process import RunningEmulator

from .raw import Session, wait_until

ROOT = Path(__file__).parents[2]
MODULE = [sys.executable, "-m", "cozechat.emulator"]


@pytest.fixture
def home(emulator: RunningEmulator, tmp_path: Path) -> Path:
    """A state directory with keys in it: making some takes longer than all the rest."""
    shutil.copytree(emulator.credentials.private_key_path.parent, tmp_path / "home" / "credentials")
    return tmp_path / "home"


def test_a_running_emulator_is_found_by_its_state_directory_and_a_stopped_one_is_not(home: Path) -> None:
    assert process.locate(home) is None
    with process.start(home) as running:
        assert process.locate(home) == running.base_url
        assert psutil.pid_exists(running.pid)
    assert process.locate(home) is None
    assert not psutil.pid_exists(running.pid)
    running.stop()


def test_a_stale_address_of_somebody_else_is_not_taken_for_ours(tmp_path: Path) -> None:
    credentials.ensure(tmp_path / "mine")
    with process.start(tmp_path / "theirs", in_memory=True) as other:
        (tmp_path / "mine" / "address.json").write_text(json.dumps({"base_url": other.base_url, "pid": 1}))
        assert process.locate(tmp_path / "mine") is None
    (tmp_path / "mine" / "address.json").write_text("rubbish")
    assert process.locate(tmp_path / "mine") is None


def test_a_start_that_fails_says_why(home: Path) -> None:
    with pytest.raises(process.EmulatorStartError, match="earthquake"):
        process.start(home, faults=["earthquake"])
    with process.start(home, in_memory=True) as running:
        port = int(running.base_url.rsplit(":", 1)[1])
        with pytest.raises(process.EmulatorStartError, match="in use"):
            process.start(home, in_memory=True, port=port)


def test_conversations_and_what_was_told_survive_a_restart_and_tokens_do_not(home: Path) -> None:
    with process.start(home, pace=0) as first:
        alice = Session(first)
        conversation = alice.conversation(name="diary")
        alice.chat("我叫张三", conversation)
    with process.start(home, pace=0) as second:
        assert second.credentials == first.credentials
        again = Session(second, name=alice.name)
        assert "张三" in again.chat("我叫什么名字?", conversation).answer
        assert Session(second, token=alice.token).get("/v1/users/me").json["code"] == 4100
        assert int(again.conversation()) > int(conversation)


def test_a_killed_emulator_has_lost_nothing_that_it_confirmed(home: Path) -> None:
    with process.start(home, pace=0) as first:
        alice = Session(first)
        conversation = alice.conversation()
        alice.chat("我叫张三", conversation)
        os.kill(first.pid, signal.SIGKILL)
    with process.start(home, pace=0) as second:
        again = Session(second, name=alice.name)
        assert "张三" in again.chat("我叫什么名字?", conversation).answer


def test_in_memory_forgets(home: Path) -> None:
    with process.start(home, in_memory=True) as running:
        Session(running).conversation()
    assert not list(home.glob("state.sqlite3*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_and_in_order_even_while_it_streams(home: Path, number: int) -> None:
    with process.start(home, pace=10) as running:
        alice = Session(running)
        with alice.open_chat("count to 500", alice.conversation()) as connection:
            assert connection.recv(10)
            os.kill(running.pid, number)
            assert running.wait(seconds=4) == 0
    assert not (home / "address.json").exists()


def test_it_dies_with_its_parent(home: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from cozechat.emulator import process\n"
        "running = process.start(Path(sys.argv[1]), in_memory=True); print(running.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_the_ready_line_is_one_json_object_with_everything_a_client_needs(home: Path) -> None:
    command = [*MODULE, "--state-dir", str(home), "--port", "0", "--leaky", "memory", "ownership"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        running.terminate()
    assert running.returncode == 0
    assert set(ready) == {
        "base_url",
        "client_id",
        "public_key_id",
        "private_key_path",
        "workflow_id",
        "app_id",
        "bot_id",
        "question_workflow_id",
        "reasoning_workflow_id",
        "run_workflow_id",
        "long_workflow_id",
        "trip_workflow_id",
        "order_workflow_id",
        "tool_bot_id",
        "pid",
        "control_token",
    }
    assert Path(ready["private_key_path"]).read_text().startswith("-----BEGIN PRIVATE KEY-----")


def test_racing_processes_agree_on_the_credentials(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: credentials.ensure(tmp_path / "new" / "place"), range(4)))
    assert len({one.public_key_id for one in made}) == 1
    assert made[0] == credentials.ensure(tmp_path / "new" / "place")
    assert sorted(path.name for path in (tmp_path / "new" / "place").iterdir()) == ["credentials"]


def test_the_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    made = credentials.ensure(tmp_path)
    assert stat.S_IMODE(made.private_key_path.stat().st_mode) == 0o600
    assert made.private_key == made.private_key_path.read_text()
    assert stat.S_IMODE(made.private_key_path.parent.stat().st_mode) == 0o700


def test_it_is_ready_within_two_seconds_with_its_keys_made(home: Path) -> None:
    credentials.ensure(home)
    began = time.monotonic()
    with process.start(home):
        assert time.monotonic() - began < 2


def test_the_management_command_prints_all_that_a_person_types_elsewhere(home: Path) -> None:
    command = [sys.executable, "manage.py", "coze_emulator", "--port", "0", "--state-dir", str(home)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "default"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True, env=environment) as running:
        assert running.stdout is not None
        said = ""
        for line in running.stdout:
            said += line
            if "Control token" in line:
                running.terminate()
    made = credentials.ensure(home)
    for fact in (
        made.client_id,
        made.public_key_id,
        made.private_key_path,
        *made.assistants().values(),
    ):
        assert str(fact) in said
    assert running.returncode == 0


def test_no_django_is_loaded_by_the_emulator() -> None:
    script = (
        "import sys, cozechat.emulator.serving\n"
        "print([name for name in sys.modules if name.startswith(('django', 'cozechat.coze'))])"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_many_streams_keep_their_time(home: Path) -> None:
    """A small edition of the load test: 60 streams of 50 deltas a second end on time."""
    with process.start(home, in_memory=True, pace=50) as running:
        alice = Session(running)
        conversations = [alice.conversation() for _ in range(60)]
        began = time.monotonic()
        with ThreadPoolExecutor(60) as pool:
            answers = list(pool.map(lambda one: alice.chat("count to 50", one).answer, conversations))
        assert time.monotonic() - began < 4
        assert set(answers) == {" ".join(str(number) for number in range(1, 51))}
