"""What the isolation check tries on the gateway: one end user's session and conversation for another's."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from accounts import probes
from accounts.models import User
from cozechat import database
from cozechat.catalog.models import CozeApp
from cozechat.gateway import keys, sessions
from cozechat.gateway.errors import Refusal
from cozechat.gateway.models import ApiKey

_DONE = "done"


def register() -> None:
    """Both attempts are made here; what Coze makes of two session_names the check proves without us."""
    probes.register("gateway: one name under two owners and two keys", attempt=_one_name)
    probes.register("gateway: another end user's conversation", attempt=_foreign_conversation)


@contextmanager
def _keys() -> Iterator[tuple[ApiKey, ApiKey, ApiKey]]:
    """Two keys of one owner and one of another's in the scope of the first; all gone afterwards."""
    owners = [_owner(number) for number in range(2)]
    try:
        first, _secret = keys.create(owners[0], name="isolation check")
        second, _secret = keys.create(owners[0], name="isolation check")
        foreign, _secret = keys.create(owners[1], name="isolation check", scope=first.scope)
        yield first, second, foreign
    finally:
        for owner in owners:
            owner.delete()


def _owner(number: int) -> User:
    owner = User(username=f"isolation-check-owner-{number}-{uuid.uuid4().hex[:12]}", is_active=False)
    owner.set_unusable_password()
    owner.save()
    return owner


async def _one_name(_app: CozeApp) -> str:
    return await database.run(_sessions_of_one_name)


def _sessions_of_one_name() -> str:
    with _keys() as found:
        users = [sessions.end_user_of(key, end_user=name) for key in found for name in ("1", "2", "")]
        names = {user.session_name for user in users}
    return "" if len(names) == len(users) else f"{len(users)} end users share {len(names)} sessions"


async def _foreign_conversation(app: CozeApp) -> str:
    return await database.run(_try_conversations, app.pk)


def _try_conversations(app_id: int) -> str:
    """Not yours and not there answer alike."""
    with _keys() as (first, second, foreign):
        owner = sessions.end_user_of(first, end_user="1")
        new = sessions.sticky_conversation(owner, wanted=sessions.NEW, external_id="", app_id=app_id)
        made = sessions.begun(new, user=owner) if new else None
        strangers = [
            sessions.end_user_of(key, end_user=name)
            for key, name in ((first, "2"), (first, ""), (second, "1"), (foreign, "1"))
        ]
        for stranger in strangers:
            theirs = _answer(stranger, wanted=made.pk if made else "", app_id=app_id)
            missing = _answer(stranger, wanted="conv_missing", app_id=app_id)
            if theirs != missing:
                return f"a foreign conversation answers {theirs!r}, a missing one {missing!r}"
    return ""


def _answer(user: User, *, wanted: str, app_id: int) -> str:
    try:
        sessions.sticky_conversation(user, wanted=wanted, external_id="", app_id=app_id)
    except Refusal as refusal:
        return f"{refusal.status} {refusal.code} {refusal.message}"
    return _DONE
