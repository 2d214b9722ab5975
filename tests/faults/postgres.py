"""A PostgreSQL of a test's own, which it may stop and start; its data go with it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.steps import quiet_port


def _programs() -> Path | None:
    """The newest installed server's programs, where Debian puts them or on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: float(path.parts[4]))
    on_path = shutil.which("pg_ctl")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Postgres:
    """One cluster on a free port of loopback."""

    def __init__(self, home: Path, *, programs: Path) -> None:
        self._programs = programs
        self._data = home / "data"
        self._data.mkdir()
        self._port = quiet_port()
        if os.getuid() == 0:
            # PostgreSQL refuses to run as root; its user must also get into our directories.
            shutil.chown(self._data, "postgres")
            home.chmod(0o755)
        self._run(
            "initdb",
            *("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"),
            *("-D", str(self._data)),
        )
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        log = str(self._data / "log")
        self._run("pg_ctl", "start", "-D", str(self._data), "-l", log, "-w", "-t", "30", "-o", options)

    def stop(self) -> None:
        """Go at once, whoever is connected."""
        self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w")

    def end(self) -> None:
        """Go for good; a server that is gone already is fine."""
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "immediate", "-w")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # A server that inherited a pipe would keep whoever reads it waiting.
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def private_postgres() -> Iterator[Postgres]:
    """One that runs; without PostgreSQL the test is left out, but not with CI=true."""
    programs = _programs()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("no pg_ctl: PostgreSQL is needed")
        pytest.skip("no pg_ctl: PostgreSQL is not installed")
    # Not among pytest's directories, which another run of pytest may clear away.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        running = Postgres(Path(home), programs=programs)
        try:
            yield running
        finally:
            running.end()
