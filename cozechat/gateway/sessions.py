"""End users of a key: each has a name at Coze of their own, and so a token and conversations of their own."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from django.conf import settings
from django.db import IntegrityError

from accounts.models import User
from cozechat.gateway.errors import bad_request, conversation_not_found
from cozechat.gateway.models import ApiKey, StickyConversation

_LENGTH = 40
_LONGEST_NAME = 512
NEW = "new"


def end_user_named(key: ApiKey, *, headers: Mapping[str, str], in_body: str) -> str:
    """What the client calls its user; empty if it does not say."""
    named = headers.get("x-end-user-id") or in_body
    if not named and key.trusts_open_webui:
        named = headers.get("x-openwebui-user-id", "")
    if len(named) > _LONGEST_NAME:
        raise bad_request("The name of an end user is too long.", param="user")
    return named


def session_names(key: ApiKey, *, end_user: str) -> list[str]:
    """The name at Coze, by today's secret and by those before it.

    The owner is in it, or two owners whose clients both say "1" would share a session; so is the key's scope.
    Without an end user it is the key's own: a random one would forget everything from call to call.
    """
    who = ["user", end_user] if end_user else ["key"]
    told = json.dumps([key.owner_id, key.scope, *who]).encode()
    names = []
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        sealed = hmac.new(f"gateway session {secret}".encode(), told, hashlib.sha256).digest()
        names.append("gw-" + base64.b32encode(sealed).decode().lower()[:_LENGTH])
    return names


def end_user_of(key: ApiKey, *, end_user: str) -> User:
    """The row of this end user, made on first sight."""
    names = session_names(key, end_user=end_user)
    found = User.objects.filter(end_user_of_id=key.owner_id, session_name__in=names)
    known = sorted(found, key=lambda user: names.index(user.session_name))
    return known[0] if known else _made(names[0], owner_id=key.owner_id)


def _made(session_name: str, *, owner_id: int) -> User:
    user = User(username=session_name, session_name=session_name, end_user_of_id=owner_id, is_active=False)
    user.set_unusable_password()
    try:
        user.save()
    except IntegrityError:
        # Another call of the same end user was quicker.
        return User.objects.get(session_name=session_name, end_user_of_id=owner_id)
    return user


def sticky_conversation(
    user: User, *, wanted: str, external_id: str, app_id: int
) -> StickyConversation | None:
    """The conversation that a call goes on in; None for a call that stands alone. Raises Refusal."""
    mine = StickyConversation.objects.owned_by(user).filter(app_id=app_id)
    if wanted == NEW:
        return StickyConversation.objects.create(user=user, app_id=app_id)
    if wanted:
        found = mine.filter(pk=wanted).first() if "\0" not in wanted else None
        if found is None:
            raise conversation_not_found()
        return found
    if not external_id:
        return None
    # A client's own id is only ever looked up among its end user's conversations.
    hashed = hashlib.sha256(external_id.encode()).hexdigest()
    found, _created = mine.get_or_create(external_id=hashed, defaults={"user": user, "app_id": app_id})
    return found
