"""Alice has talked, Bob is curious, root may look, a clerk may look at some things."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from tests.conversations import rows

PASSWORD = "correct horse battery"
SECRET = "the secret word is zebra"


@pytest.fixture(autouse=True)
def plain_and_quick(settings: Any) -> Any:
    settings.ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    yield
    cache.clear()


def signed_in(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


@pytest.fixture
def alice(db: None) -> User:
    alice = User.objects.create_user("alice", "alice@example.com", PASSWORD)
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    return alice


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", "bob@example.com", PASSWORD)


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", "root@example.com", PASSWORD)


@pytest.fixture
def clerk(db: None) -> User:
    user = User.objects.create_user("clerk", "clerk@example.com", PASSWORD, is_staff=True)
    codenames = ["view_user", "change_user", "view_conversation", "view_message"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def thread(alice: User) -> Any:
    thread = rows.conversation(alice, title="zebras", coze_conversation_id="7400000000000000001")
    rows.turn(thread, SECRET, f"{SECRET}, answered")
    return thread
