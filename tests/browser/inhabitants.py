"""Makes who walks through the site, each with a log-in: a member with a few things, a newcomer, somebody of the staff."""

import json
import sys

import django


def make() -> dict[str, str]:
    """Session keys by name."""
    from django.utils import timezone

    from accounts.models import User
    from cozechat.usage import crediting
    from cozechat.usage.money import CREDIT
    from tests.tabs import log_in

    rights = {"member": {}, "newcomer": {}, "staff": {"is_staff": True, "is_superuser": True}}
    sessions = {}
    for name, given in rights.items():
        user = User.objects.create_user(name, f"{name}@example.com", "words-of-a-walker", **given)
        sessions[name] = log_in(user)
        if name == "member":
            crediting.top_up(user.pk, amount=25 * CREDIT, ref="walk", now=timezone.now())
    return sessions


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(json.dumps(make()))
