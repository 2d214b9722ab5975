"""Users of the bench as rows of the database: `make` writes them, `answers` reads what they were told.

python -m tests.load.people make 100     the session keys, as JSON
python -m tests.load.people answers      turn to SHA-256 of the stored answer, as JSON
"""

import hashlib
import json
import os
import sys

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


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cozechat.settings")
    django.setup()
    result = make(int(sys.argv[2])) if sys.argv[1] == "make" else answers()
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
