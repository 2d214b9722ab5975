"""Alice, Bob and a visitor; a Coze emulator in a process of its own; tabs that speak frames."""

import asyncio
import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

hypothesis_settings.register_profile("ci", derandomize=True, max_examples=200, deadline=None)
hypothesis_settings.register_profile("quick", max_examples=50, deadline=None)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "quick")


# Tests ask more in a moment than a person does; those of the limits say so.
UNLIMITED = {"TURNS_PER_MINUTE": "0", "API_PER_MINUTE": "0"}
os.environ.update(UNLIMITED)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run what takes long (CI does)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow") or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow; run with --slow or CI=true"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run coroutine tests in a loop of their own, and close what this process opened on it."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(_whole(pyfuncitem.obj, {name: pyfuncitem.funcargs[name] for name in names}))
    _let_database_threads_rest()
    return True


def _let_database_threads_rest() -> None:
    """Wait for what a cancelled task has left there: PostgreSQL cannot empty its tables beside it."""
    from cozechat import database

    threads = database._threads
    rest = threading.Barrier(threads._max_workers)
    wait([threads.submit(rest.wait, 10) for _thread in range(threads._max_workers)])


async def _whole(test: Callable[..., Awaitable[None]], arguments: dict[str, Any]) -> None:
    from accounts import tokens
    from conversations import turns
    from cozechat.catalog.clients import close_clients
    from cozechat.monitoring.reporting import reporter
    from cozechat.webhooks.courier import courier

    try:
        await test(**arguments)
    finally:
        await courier().aclose()
        await reporter().aclose()
        await turns.engine().aclose()
        await tokens.aclose()
        await close_clients()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """A new test database does not inherit the log of the last one.

    Database threads keep their connection to SQLite until the process ends, which is after the file was removed; so
    its `-wal` and `-shm` stay, and the next database of that name would answer "disk I/O error".
    """
    from django.db import connections

    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{connections['default'].settings_dict['TEST']['NAME']}{suffix}").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Emptying the tables after a test is what the audit trail's triggers refuse, on SQLite; they come back after it."""
    # By way of `base`: the two import each other, and on PostgreSQL nobody has loaded either yet.
    from django.db.backends.sqlite3.base import DatabaseOperations

    from cozechat.audit import guards

    flush = DatabaseOperations.execute_sql_flush

    def without_guards(self: DatabaseOperations, statements: Any) -> None:
        guards.take_down(self.connection)
        try:
            flush(self, statements)
        finally:
            guards.set_up(self.connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", without_guards)
        yield


@pytest.fixture(scope="session")
def coze_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from cozechat.emulator import process

    directory = tmp_path_factory.mktemp("coze")
    with process.start(directory, in_memory=True, pace=400) as running:
        running.state_dir = directory
        yield running


@pytest.fixture
def coze(coze_process: Any, settings: Any) -> Iterator[Any]:
    """Coze, faithful and quick; faults that a test arms are gone after it."""
    settings.COZE_API_BASE = coze_process.base_url
    settings.COZE_EMULATOR_DIR = coze_process.state_dir
    coze_process.reset_ledger()
    yield coze_process
    coze_process.disarm()


@pytest.fixture(scope="session")
def kai_process() -> Iterator[Any]:
    """The demo's tool server, in a process of its own."""
    from cozechat.kai import process

    running = process.start()
    yield running
    running.stop()


@pytest.fixture
def kai(kai_process: Any, settings: Any, transactional_db: None) -> Any:
    """The demo's tools, allowed on this site."""
    from cozechat.catalog.tools import allow_demo_tools

    settings.KAI_MCP_URL, settings.KAI_API_KEY = kai_process.url, kai_process.key
    allow_demo_tools()
    return kai_process


@pytest.fixture(autouse=True)
def in_no_hurry(settings: Any) -> None:
    """This process has read its settings before `UNLIMITED` was set."""
    for name, value in UNLIMITED.items():
        setattr(settings, name, int(value))


@pytest.fixture
def alice(transactional_db: None) -> Any:
    return _user("alice")


@pytest.fixture
def bob(transactional_db: None) -> Any:
    return _user("bob")


@pytest.fixture
def visitor(transactional_db: None) -> Any:
    from accounts.models import User

    return User.objects.create_user("visitor-1", is_visitor=True)


def _user(name: str) -> Any:
    from accounts.models import User

    return User.objects.create_user(name, f"{name}@example.com", f"{name}-secret-words")


@pytest.fixture
def tab() -> Callable[..., Any]:
    """`async with tab(user) as alices:` opens a socket as that user, with a log-in of its own."""
    # It refuses a broken configuration, as a test may yet make one.
    import cozechat.asgi  # noqa: F401
    from tests.tabs import open_tab

    return open_tab
