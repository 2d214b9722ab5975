"""End users of a key: each has a name at Coze of their own, and so a token and conversations of their own."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from cozechat.gateway.errors import bad_request, conversation_not_found, too_many_end_users
from cozechat.gateway.models import ApiKey, EndUser, StickyConversation

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


def known_end_user(key: ApiKey, *, end_user: str) -> User:
    """The row of this end user; one that is not stored yet for somebody who has never been here."""
    names = session_names(key, end_user=end_user)
    found = EndUser.objects.filter(lookup__in=names, user__end_user_of_id=key.owner_id).select_related("user")
    for known in sorted(found, key=lambda row: names.index(row.lookup)):
        if known.come(key, lookup=names[0], now=timezone.now()):
            return known.user
    return _new_user(names[0], owner_id=key.owner_id)


def end_user_of(key: ApiKey, *, end_user: str) -> User:
    """The row of this end user, made on first sight. Raises Refusal."""
    return stored(known_end_user(key, end_user=end_user), key=key)


def stored(user: User, *, key: ApiKey) -> User:
    """The end user with a row, however many make it at once. Raises Refusal."""
    if not user._state.adding:
        return user
    made = _new_user(user.session_name, owner_id=key.owner_id)
    try:
        with transaction.atomic():
            _check_room(key, session_name=made.session_name)
            made.save()
            _note(made, key=key)
    except IntegrityError:
        # Another call was quicker; or the site has gone back to a secret under which this name was made.
        made = User.objects.get(session_name=user.session_name, end_user_of_id=key.owner_id)
        _note(made, key=key)
    return made


def _new_user(session_name: str, *, owner_id: int) -> User:
    user = User(username=session_name, session_name=session_name, end_user_of_id=owner_id, is_active=False)
    user.set_unusable_password()
    return user


def _note(user: User, *, key: ApiKey) -> None:
    facts = {"lookup": user.session_name, "scope": key.scope, "seen_at": timezone.now()}
    EndUser.objects.update_or_create(user=user, defaults=facts)


def _check_room(key: ApiKey, *, session_name: str) -> None:
    """One at a time, or many at once would all find the last place free. The key's own session always has one."""
    if key.most_end_users is None or session_name == session_names(key, end_user="")[0]:
        return
    list(ApiKey.objects.select_for_update().filter(owner_id=key.owner_id, scope=key.scope).order_by("pk")[:1])
    if EndUser.objects.of(key).count() >= key.most_end_users:
        raise too_many_end_users(key.most_end_users)


def sticky_conversation(
    user: User, *, wanted: str, external_id: str, app_id: int
) -> StickyConversation | None:
    """The conversation that a call goes on in, perhaps not stored yet; None if it stands alone. Raises Refusal."""
    mine = StickyConversation.objects.owned_by(user).filter(app_id=app_id)
    if wanted == NEW:
        return StickyConversation(app_id=app_id)
    if wanted:
        found = mine.filter(pk=wanted).first() if "\0" not in wanted else None
        if found is None:
            raise conversation_not_found()
        return found
    if not external_id:
        return None
    # A client's own id is only ever looked up among its end user's conversations.
    hashed = hashlib.sha256(external_id.encode()).hexdigest()
    return mine.filter(external_id=hashed).first() or StickyConversation(app_id=app_id, external_id=hashed)


def begun(conversation: StickyConversation, *, user: User) -> StickyConversation:
    """The conversation with a row, this end user's own."""
    if not conversation._state.adding:
        return conversation
    conversation.user = user
    try:
        with transaction.atomic():
            conversation.save(force_insert=True)
    except IntegrityError:
        # Another call of the same end user was quicker.
        return StickyConversation.objects.owned_by(user).get(
            app_id=conversation.app_id, external_id=conversation.external_id
        )
    return conversation
