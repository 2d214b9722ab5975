"""A pytest plugin for the run on PostgreSQL and Redis: only what touches a database, a Redis of its own for each worker.

`script/test` loads it with `-p tests.on_postgres`; it must come before Django's settings.
"""

import os
import re

import pytest

TOUCHING = {"db", "transactional_db", "django_db_reset_sequences", "live_server", "running_site"}


def own_redis_url(url: str, *, worker: str) -> str:
    """Worker gw0 keeps the database that is named; gw1 takes the one below it."""
    number = int(worker.removeprefix("gw") or 0)
    return re.sub(r"/(\d+)$", lambda found: f"/{int(found[1]) - number}", url)


if os.environ.get("REDIS_URL"):
    os.environ["REDIS_URL"] = own_redis_url(
        os.environ["REDIS_URL"], worker=os.environ.get("PYTEST_XDIST_WORKER", "")
    )


# What these hold has nothing to do with which database it is, and they take long.
NOT_AGAIN = (
    "tests/accounts/test_token_machine.py",
    "tests/conversations/machines/",
    "tests/conversations/test_idempotency.py",
    "tests/conversations/test_rendering.py",
    "tests/faults/test_connecting.py",
    "tests/faults/test_floods.py",
    "tests/faults/test_foreign_answers.py",
    "tests/faults/test_limits.py",
    "tests/faults/test_odd_answers.py",
    "tests/faults/test_postgres_down.py",
    "tests/faults/test_recovery.py",
    "tests/faults/test_silence.py",
    "tests/faults/test_sizes.py",
    "tests/gateway/test_acceptance_answers.py",
    "tests/gateway/test_acceptance_bodies.py",
    "tests/gateway/test_ai_sdk.py",
    "tests/gateway/test_langchain.py",
    "tests/usage/test_machine.py",
)


def touches_a_database(item: pytest.Item) -> bool:
    if item.nodeid.startswith(NOT_AGAIN):
        return False
    return bool(item.get_closest_marker("django_db") or TOUCHING & set(getattr(item, "fixturenames", ())))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if not touches_a_database(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if touches_a_database(item)]


def pytest_configure() -> None:
    """The test database is dropped even while a thread of the last test still holds a connection to it."""
    from django.db.backends.postgresql.creation import DatabaseCreation

    def drop(creation: DatabaseCreation, name: str, verbosity: int) -> None:
        creation.connection.close_pool()
        with creation._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {creation.connection.ops.quote_name(name)} WITH (FORCE)")

    DatabaseCreation._destroy_test_db = drop
