"""What others publish and only a test needs: brought from npm or PyPI at test time, as a lock file has it, once."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

SECONDS = 180
LOCAL = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
_NPM = ["npm", "ci", "--ignore-scripts", "--omit=peer", "--no-audit", "--no-fund"]
_PIP = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-input",
    "--no-deps",
    "--require-hashes",
]


def absent(why: str) -> None:
    """Skips where a person works, and fails where everything has to be there."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def needs_node() -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        absent("node and npm are needed for this test")


def run(command: Sequence[str], *, place: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=place,
        env=os.environ | LOCAL | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def npm(home: Path) -> Path:
    """The packages of `home`'s lock file in a directory of their own, with its programs beside them."""

    def install(draft: Path) -> "subprocess.CompletedProcess[str]":
        for name in ("package.json", "package-lock.json"):
            shutil.copy(home / name, draft)
        return run(_NPM, place=draft)

    needs_node()
    place = _once(home / "package-lock.json", install)
    for program in home.glob("*.mjs"):
        write(place / program.name, program.read_text())
    return place


def pip(home: Path) -> Path:
    """The packages of `home`'s lock file in a directory of their own, for PYTHONPATH."""
    lock = home / "requirements.lock"

    def install(draft: Path) -> "subprocess.CompletedProcess[str]":
        return run([sys.executable, *_PIP, "--target", str(draft), "-r", str(lock)], place=draft)

    return _once(lock, install)


def write(path: Path, text: str) -> None:
    """Whole or not at all, since another worker may be reading it."""
    draft = Path(tempfile.mkdtemp(dir=path.parent)) / path.name
    draft.write_text(text)
    draft.replace(path)
    draft.parent.rmdir()


def outcomes_of(command: Sequence[str], *, place: Path, given: Any, **environment: str) -> Any:
    """What a program prints that was given a JSON object: every check's value, or the error that it ended with."""
    done = run(command, place=place, COZECHAT_GIVEN=json.dumps(given), **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def value(outcomes: Any, name: str) -> Any:
    assert "error" not in outcomes[name], outcomes[name]
    return outcomes[name]["value"]


def error(outcomes: Any, name: str) -> Any:
    assert "error" in outcomes[name], outcomes[name]
    return outcomes[name]["error"]


def _once(lock: Path, install: Callable[[Path], "subprocess.CompletedProcess[str]"]) -> Path:
    """Where this lock file is installed; one draft of several wins."""
    home = settings.VAR_DIR / "packages"
    name = f"{lock.parent.parent.name}-{lock.parent.name}"
    place = home / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not place.is_dir():
        home.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=home))
        done = install(draft)
        if done.returncode:
            shutil.rmtree(draft)
            absent(f"{name} could not be installed: {done.stderr[-500:]}")
        with contextlib.suppress(OSError):
            draft.rename(place)
        shutil.rmtree(draft, ignore_errors=True)
    return place
