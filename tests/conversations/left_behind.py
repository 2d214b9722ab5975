"""What a process that was killed leaves in the database: an answer that ran, and two questions behind it."""

from datetime import timedelta
from uuid import uuid4

import django


def leave() -> None:
    from django.utils import timezone

    from accounts.models import User
    from conversations import turns
    from conversations.frames import TurnStart
    from conversations.models import Turn

    owner = User.objects.create_user("left-behind")
    conversation = None
    for content in ("hello", "the secret word is zebra", "what is the secret word?"):
        frame = TurnStart(client_id=uuid4(), conversation=conversation, content=content, queue=True)
        conversation = turns.begin(owner, frame=frame).conversation.pk
    Turn.objects.running().update(lease_until=timezone.now() - timedelta(seconds=1))


if __name__ == "__main__":
    django.setup()
    leave()
