"""A database with every table and no row, copied instead of made: all migrations take SQLite eight seconds."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_HOME = ROOT / ".venv" / "tables"
_SQLITE = "sqlite:///"


def lay(environment: dict[str, str]) -> None:
    """Lay the tables into the SQLite file of `DATABASE_URL` if there is none yet; `migrate` then finds nothing to do."""
    url = environment["DATABASE_URL"]
    target = Path(url.removeprefix(_SQLITE))
    if url.startswith(_SQLITE) and not target.exists():
        shutil.copyfile(_template(environment), target)


def _template(environment: dict[str, str]) -> Path:
    """One for each state of the code; whoever comes first makes it, the others wait."""
    _HOME.mkdir(parents=True, exist_ok=True)
    kept = _HOME / f"{_state()}.sqlite3"
    with (_HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            for old in _HOME.glob("*.sqlite3"):
                old.unlink()
            with tempfile.TemporaryDirectory() as place:
                draft = Path(place) / "tables.sqlite3"
                command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
                there = environment | {"DATABASE_URL": f"{_SQLITE}{draft}"}
                subprocess.run(command, cwd=ROOT, env=there, check=True, capture_output=True)
                shutil.move(draft, kept)
    return kept


def _state() -> str:
    """Changes with every line of the site: a migration may run any of them."""
    found = hashlib.sha256((ROOT / "requirements.lock").read_bytes())
    for home in ("accounts", "conversations", "cozechat"):
        for path in sorted((ROOT / home).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:24]
