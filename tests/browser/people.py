"""Makes members, each with a log-in of their own; run by the fixtures beside the server under test."""

import json
import sys
from typing import Any

import django


def make(count: int) -> list[dict[str, Any]]:
    """Names and session keys of so many new members."""
    from django.contrib.auth.hashers import make_password

    from accounts.models import User
    from tests.tabs import log_in

    # Hashed once: a hash takes a good part of a second, and nobody logs in with the password.
    password = make_password("words-of-a-member")
    people = []
    for number in range(count):
        user = User(username=f"member{number}", email=f"member{number}@example.com", password=password)
        user.save()
        people.append({"name": user.username, "session": log_in(user)})
    return people


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(json.dumps(make(int(sys.argv[1]))))
