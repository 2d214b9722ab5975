"""End users by the thousand: who gets a row, who finds theirs again, and who is forgotten."""

from datetime import timedelta

import openai
import pytest
from django.utils import timezone

from accounts.models import AccessToken, User
from cozechat.catalog.environment import default_assistant
from cozechat.gateway import keys, sessions
from cozechat.gateway.errors import Refusal
from cozechat.gateway.models import ApiKey, EndUser, StoredCall
from cozechat.usage import crediting, reserving
from cozechat.usage.models import Price

from .conftest import client_for
from .test_slots import together

QUESTION = [{"role": "user", "content": "count to 3"}]
COUNT = """
from accounts.models import User
from cozechat.gateway.models import StickyConversation
answer = [User.objects.exclude(end_user_of=None).count(), StickyConversation.objects.count()]
"""


def ask(client, user, *, model="gpt-4", **more):
    return client.chat.completions.create(model=model, messages=QUESTION, user=user, **more)


def refused(client, user, **more):
    with pytest.raises(openai.APIStatusError) as refusal:
        ask(client, user, **more)
    return refusal.value


@pytest.mark.parametrize("model", ["gpt-4", "summary"])
@pytest.mark.parametrize("limit", ["pace", "money", "budget"])
def test_whoever_is_turned_away_leaves_no_row(limit, model, site):
    site.colleague.does("""
from accounts.models import User
User.objects.get_or_create(username="penniless")
""")
    wanted = {"pace": {"requests_per_minute": 1}, "money": {}, "budget": {"limit": 1}}[limit]
    with client_for(site, site.key("penniless" if limit == "money" else "bob", **wanted)) as client:
        if limit == "pace":
            ask(client, "first")
        before = site.colleague.does(COUNT)
        for number in range(5):
            more = {"extra_headers": {"X-Conversation-Id": "new"}} if model == "gpt-4" else {}
            assert refused(client, f"new-{number}", model=model, **more).status_code == 429
    assert site.colleague.does(COUNT) == before


def test_a_key_serves_so_many_end_users_and_those_it_knows_for_ever(site):
    key = site.key(most_end_users=3)
    before = site.balance()
    with client_for(site, key, max_retries=2) as client:
        # The key's own session takes nobody's place.
        ask(client, openai.omit)
        for user in ("a", "b"):
            ask(client, user)
        spent = site.balance()
        refusal = refused(client, "c")
        assert (refusal.status_code, refusal.code, refusal.param) == (403, "too_many_end_users", "user")
        assert refusal.response.headers["x-should-retry"] == "false"
        assert refused(client, "d", extra_headers={"X-Conversation-Id": "new"}).code == "too_many_end_users"
        assert site.balance() == spent
        ask(client, "a")
    ends = [
        (record["status"], record["error_code"], record["cost"] > 0) for record in site.records(secret=key)
    ]
    assert ends[3:5] == [("failed", "too_many_end_users", False)] * 2
    assert before["available"] > spent["available"]
    assert site.holds() == []
    assert site.books() == []
    with client_for(site, site.key(most_end_users=3)) as another:
        ask(another, "c")


def test_the_limit_holds_however_many_come_at_once(alice):
    key, _secret = keys.create(alice, name="a", most_end_users=4)
    successor, _secret = keys.rotate(key, now=timezone.now())

    def come(number):
        try:
            return sessions.end_user_of((key, successor)[number % 2], end_user=str(number)).pk
        except Refusal as refusal:
            return refusal.code

    assert together(12, come).count("too_many_end_users") == 8
    assert EndUser.objects.of(key).count() == User.objects.filter(end_user_of=alice).count() == 4


def test_only_staff_decide_how_many(alice):
    assert ApiKey(owner=alice).most_end_users == 10_000


def test_an_end_user_keeps_their_session_when_the_sites_secret_is_replaced_for_good(alice, settings):
    key, _secret = keys.create(alice, name="a")
    first = settings.SECRET_KEY
    before = sessions.end_user_of(key, end_user="1")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [first]
    assert sessions.end_user_of(key, end_user="1") == before
    settings.SECRET_KEY_FALLBACKS = []
    assert sessions.end_user_of(key, end_user="1").session_name == before.session_name
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a third", ["another"]
    assert sessions.end_user_of(key, end_user="1") == before
    # Back to where it began, and nobody remembers what came between.
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = first, []
    assert sessions.end_user_of(key, end_user="1") == before
    assert User.objects.filter(end_user_of=alice).count() == EndUser.objects.count() == 1


def test_bob_finds_nobodys_row_by_another_keys_name(alice, bob, settings):
    alices, _secret = keys.create(alice, name="a")
    bobs, _secret = keys.create(bob, name="b", scope=alices.scope)
    theirs = sessions.end_user_of(alices, end_user="1")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert sessions.end_user_of(bobs, end_user="1") != theirs
    assert sessions.end_user_of(alices, end_user="1") == theirs


def test_who_owns_nothing_and_does_not_come_is_forgotten_with_their_tokens(alice, coze, settings):
    settings.COZE_EMULATED = True
    app = default_assistant().app
    now = timezone.now()
    key, _secret = keys.create(alice, name="a")
    names = ("gone", "talks", "remembered", "runs", "recent", "returns")
    users = {name: sessions.end_user_of(key, end_user=name) for name in names}
    for user in users.values():
        AccessToken.objects.create(app=app, user=user, session_name=user.session_name)
    talk = sessions.sticky_conversation(users["talks"], wanted="new", external_id="", app_id=app.pk)
    sessions.begun(talk, user=users["talks"])
    StoredCall.objects.create(
        request_id="r", api_key=key, end_user=users["remembered"].session_name, model="m", body_digest="d",
        lease_until=now, created_at=now, expires_at=now,
    )  # fmt: skip
    Price.objects.create(
        scope="app", app=app, valid_from=now - timedelta(days=1), input_price=1, completion_ratio=1
    )
    crediting.top_up(alice.pk, amount=10**9, ref="first", now=now)
    call = reserving.Call(
        request_id="s", owner_id=alice.pk, model="m", app_id=app.pk, end_user=users["runs"].session_name
    )
    reserving.reserve(call, now=now)
    since = now - timedelta(days=90)
    EndUser.objects.exclude(user=users["recent"]).update(seen_at=since - timedelta(days=1))
    assert sessions.end_user_of(key, end_user="returns") == users["returns"]
    assert EndUser.objects.forget_unused(since=since) == 1
    left = set(User.objects.filter(end_user_of=alice).values_list("session_name", flat=True))
    assert left == {user.session_name for name, user in users.items() if name != "gone"}
    assert AccessToken.objects.count() == 5
    # Whoever comes back is whom Coze remembers.
    assert sessions.end_user_of(key, end_user="gone").session_name == users["gone"].session_name


def test_nobody_is_forgotten_twice_or_while_they_come(alice):
    key, _secret = keys.create(alice, name="a")
    since = timezone.now() - timedelta(days=90)
    for number in range(20):
        sessions.end_user_of(key, end_user=str(number))
    EndUser.objects.update(seen_at=since - timedelta(days=1))

    def act(number):
        if number < 4:
            return EndUser.objects.forget_unused(since=since)
        return sessions.end_user_of(key, end_user=str(number)).pk

    found = together(12, act)
    assert User.objects.filter(pk__in=found[4:]).count() == 8
    assert User.objects.filter(end_user_of=alice).count() == EndUser.objects.count()
