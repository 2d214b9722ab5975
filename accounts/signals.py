"""Says when a log-in has ended, so that whoever keeps sockets open can close them."""

from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import Signal
from django.http import HttpRequest

# Sent with `user_id` and `session_key`; a session key of None means every log-in of this user.
login_ended = Signal()

# Sent with `visit_id`, in the transaction that claimed it: its chats are a member's now.
visit_claimed = Signal()


def connect() -> None:
    """Listen to log-outs and deletions; new passwords and deactivations are told by `User.save`."""
    user_logged_out.connect(_logged_out, dispatch_uid="accounts.logged_out")
    post_delete.connect(_deleted, sender=get_user_model(), dispatch_uid="accounts.deleted")


def _logged_out(sender: Any, *, request: HttpRequest, user: Any, **_: Any) -> None:
    # Django sends this for anonymous requests too, and before it forgets the session's key.
    if user is not None and request.session.session_key:
        login_ended.send_robust(sender, user_id=user.pk, session_key=request.session.session_key)


def _deleted(sender: Any, *, instance: Any, **_: Any) -> None:
    transaction.on_commit(partial(login_ended.send_robust, sender, user_id=instance.pk, session_key=None))
