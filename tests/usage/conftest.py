"""Every test of money ends with books that agree."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest


@pytest.fixture
def alice(db: None) -> Any:
    return _user("alice")


@pytest.fixture
def bob(db: None) -> Any:
    return _user("bob")


def _user(name: str) -> Any:
    """Nobody logs in with a password here; hashing one would take most of a test's time."""
    from accounts.models import User

    return User.objects.create_user(name)


@pytest.fixture
def cooked_books() -> None:
    """The books are wrong at the end of this test, and that is what it is about."""


@pytest.fixture(autouse=True)
def books_agree(request: pytest.FixtureRequest) -> Iterator[None]:
    touches = "db" in request.fixturenames or "transactional_db" in request.fixturenames
    if touches:
        request.getfixturevalue("db")
    yield
    if touches and "cooked_books" not in request.fixturenames:
        from cozechat.usage.reconciling import audit

        assert audit() == []


@pytest.fixture
def host(settings):
    settings.ALLOWED_HOSTS = ["testserver"]


def client_of(user: Any) -> Any:
    from django.test import Client

    client = Client()
    client.force_login(user)
    return client


@asynccontextmanager
async def at_the_site(*users: Any) -> AsyncIterator[list[Any]]:
    """Browsers of these people, whose answers come as from a server; their thread's connection is closed."""
    from asgiref.sync import sync_to_async
    from django.db import connections
    from django.test import AsyncClient

    browsers = [AsyncClient() for _ in users]
    try:
        for browser, user in zip(browsers, users, strict=True):
            await browser.aforce_login(user)
        yield browsers
    finally:
        await sync_to_async(connections.close_all)()


@pytest.fixture
def root(db, host) -> Any:
    from accounts.models import User

    return client_of(User.objects.create_superuser("root"))


@pytest.fixture
def clerk(db, host) -> Any:
    """May look at everything here, and do nothing."""
    from django.contrib.auth.models import Permission

    from accounts.models import User

    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="usage", codename__startswith="view_")
    )
    return client_of(user)


@pytest.fixture
def busy(alice):
    """A settled call of 13 tokens' worth and a running one."""
    from django.utils import timezone

    from cozechat.usage import settling
    from cozechat.usage.budgets import Budget, Scope
    from cozechat.usage.pricing import Tokens
    from cozechat.usage.settling import Outcome
    from tests.usage.books import fund, price, reserve

    price()
    fund(alice, 1000)
    now = timezone.now()
    reserve(alice, "done", now=now)
    settling.settle("done", outcome=Outcome(tokens=Tokens(3, 5)), now=now)
    budget = Budget(scope=Scope.KEY, scope_id="7", limit=100)
    reserve(alice, "running", now=now, budgets=[budget])
