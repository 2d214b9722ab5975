"""Users of the bench as rows of the database: `make` writes them, `answers` reads what they were told.

python -m tests.load.people make 100     the session keys, as JSON
python -m tests.load.people answers      turn to SHA-256 of the stored answer, as JSON
python -m tests.load.people key          a gateway key of somebody with money, for a model `bench` with a price
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import django


def make(count: int) -> list[str]:
    """New users, each with a session; returns the session keys."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command
    from django.db import transaction

    from accounts.models import User

    call_command("migrate", verbosity=0)
    keys = []
    with transaction.atomic():
        for number in range(count):
            user = User(username=f"bench-{number}")
            user.set_unusable_password()
            user.save()
            session = SessionStore()
            session[SESSION_KEY] = str(user.pk)
            session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
            session[HASH_SESSION_KEY] = user.get_session_auth_hash()
            session.create()
            keys.append(session.session_key)
    return keys


def answers() -> dict[str, str]:
    """Every turn that the database calls completed, with the SHA-256 of its answer."""
    from conversations.models import Message, Turn

    rows = Message.objects.filter(role=Message.Role.ASSISTANT, turn__status=Turn.Status.COMPLETED)
    found = rows.values_list("turn_id", "content")
    return {str(turn_id): hashlib.sha256(content.encode()).hexdigest() for turn_id, content in found}


def key() -> str:
    """The secret of a new key."""
    from datetime import timedelta

    from django.core.management import call_command
    from django.utils import timezone

    from accounts.models import User
    from cozechat.catalog.environment import default_assistant
    from cozechat.catalog.models import Assistant
    from cozechat.gateway import keys
    from cozechat.usage import crediting
    from cozechat.usage.models import Price

    call_command("migrate", verbosity=0)
    assistant = default_assistant()
    assert assistant
    Assistant.objects.filter(pk=assistant.pk).update(gateway_name="bench")
    since = timezone.now() - timedelta(days=1)
    Price.objects.create(scope="assistant", assistant=assistant, valid_from=since, input_price=1_000_000,
                         completion_ratio="1.5")  # fmt: skip
    owner = User.objects.create_user("owner", "owner@example.com")
    crediting.top_up(owner.pk, amount=10**15, ref="bench", now=timezone.now())
    return keys.create(owner, name="bench")[1]


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cozechat.settings")
    django.setup()
    acts: dict[str, Callable[[], Any]] = {
        "make": lambda: make(int(sys.argv[2])),
        "answers": answers,
        "key": key,
    }
    sys.stdout.write(json.dumps(acts[sys.argv[1]]()))


if __name__ == "__main__":
    main()
