"""Alice, Bob, a Coze app with a token endpoint, and a loop that ends tidily."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.cache import cache
from page_steps import PASSWORD
from token_endpoint import TokenEndpoint

from accounts import tokens
from accounts.models import User
from cozechat.catalog.clients import close_clients
from cozechat.catalog.models import CozeApp


@pytest.fixture(scope="session")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, layout = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, layout, serialization.NoEncryption()).decode()


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", "alice@example.com")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", "bob@example.com")


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def app(transactional_db: None, endpoint: TokenEndpoint, private_key: str) -> CozeApp:
    return CozeApp.objects.create(
        name="Test",
        base_url=endpoint.base_url,
        client_id="1234567890",
        public_key_id="kid",
        private_key=private_key,
        token_ttl=3600,
    )


@pytest.fixture
def drive() -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Run a coroutine function in a loop of its own and close what it opened."""

    async def whole(main: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await main()
        finally:
            await tokens.aclose()
            await close_clients()

    return lambda main: asyncio.run(whole(main))


@pytest.fixture(autouse=True)
def no_counts_of_other_tests() -> Iterator[None]:
    """allauth counts attempts in the cache."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def over_plain_http(settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def member(alice):
    """Alice with a password and a confirmed address."""
    alice.set_password(PASSWORD)
    alice.save()
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    return alice
