"""What people do with their own accounts and conversations stands in their log, and in nobody else's."""

import pytest
from django.core import mail

from cozechat.audit.models import AuditEvent, Verb
from cozechat.gateway import own_keys
from tests.audit.conftest import PASSWORD, signed_in

pytestmark = pytest.mark.django_db
KNOWN = "Mozilla/5.0 (X11; Linux x86_64) Gecko Firefox/140.0"


def verbs(user):
    return list(AuditEvent.objects.about(user).order_by("pk").values_list("verb", flat=True))


def log_in(client, login, password=PASSWORD):
    return client.post(
        "/accounts/login/", {"login": login, "password": password}, headers={"user-agent": KNOWN}
    )


def test_signing_in_and_out_from_where_and_with_what(client, alice, bob):
    log_in(client, "alice")
    client.post("/accounts/logout/")
    came, went = AuditEvent.objects.about(alice).order_by("pk")
    assert (came.verb, came.actor_id, came.address, came.agent) == (
        Verb.SIGNED_IN, alice.pk, "127.0.0.0/24", "Firefox, Linux",
    )  # fmt: skip
    assert went.verb == Verb.SIGNED_OUT
    assert verbs(bob) == []


@pytest.mark.parametrize("login", ["alice", "ALICE", "alice@example.com"])
def test_a_wrong_password_stands_in_the_log_of_whose_it_was_not(client, alice, login):
    log_in(client, login, "not alice's words")
    event = AuditEvent.objects.about(alice).get()
    assert (event.verb, event.actor_id) == (Verb.SIGN_IN_FAILED, None)


@pytest.mark.parametrize("login", ["nobody", "my-password-typed-into-the-wrong-box", "a\x00b", "x" * 3000])
def test_of_an_unknown_name_nothing_is_kept(client, alice, login):
    log_in(client, login, "whatever")
    assert verbs(alice) == []
    for event in AuditEvent.objects.all():
        assert (event.subject_id, event.object_id, event.detail) == (None, "", "")


def test_a_new_password_and_a_new_address(alice, client):
    log_in(client, "alice")
    new = {"oldpassword": PASSWORD, "password1": "other battery staple", "password2": "other battery staple"}
    client.post("/accounts/password/change/", new)
    client.post("/accounts/reauthenticate/", {"password": "other battery staple"})
    client.post("/accounts/email/", {"action_add": "", "email": "second@example.com"})
    client.post("/accounts/email/", {"action_remove": "", "email": "second@example.com"})
    assert verbs(alice)[1:] == [Verb.PASSWORD_CHANGED, Verb.EMAIL_CHANGED, Verb.EMAIL_CHANGED]
    assert "second@example.com" not in str(list(AuditEvent.objects.values()))


def test_a_password_that_was_forgotten(alice, client):
    client.post("/accounts/password/reset/", {"email": alice.email})
    link = next(word for word in mail.outbox[-1].body.split() if "/reset/key/" in word)
    page = client.get(link.partition("testserver")[2])
    client.post(page["Location"], {"password1": "other battery staple", "password2": "other battery staple"})
    assert Verb.PASSWORD_CHANGED in verbs(alice)


def test_a_conversation_is_renamed_exported_and_deleted(alice, bob, thread):
    client, path = signed_in(alice), f"/api/conversations/{thread.pk}/"
    intruder = signed_in(bob)
    intruder.patch(path, {"title": "bobs"}, content_type="application/json")
    intruder.get(f"{path}export")
    intruder.delete(path)
    client.patch(path, {"title": "zebra plans"}, content_type="application/json")
    client.get(f"{path}export?format=json")
    client.get(f"{path}export?format=rubbish")
    client.delete(path)
    events = AuditEvent.objects.about(alice).exclude(verb=Verb.SIGNED_IN).order_by("pk")
    assert [event.verb for event in events] == [Verb.RENAMED, Verb.EXPORTED, Verb.DELETED]
    assert {(event.actor_id, event.object_id, event.is_staff_act) for event in events} == {
        (alice.pk, str(thread.pk), False)
    }
    assert "zebra" not in str(list(events.values()))
    assert verbs(bob) == [Verb.SIGNED_IN]


def test_a_conversation_is_not_deleted_if_that_cannot_be_written_down(alice, thread, monkeypatch):
    from django.db import DatabaseError

    from conversations.turns import changes

    def broken(*_args, **_kwargs):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(changes, "record", broken)
    client = signed_in(alice)
    client.raise_request_exception = False
    assert client.delete(f"/api/conversations/{thread.pk}/").status_code == 500
    thread.refresh_from_db()
    assert thread.deleted_at is None
    assert thread.messages.count() == 2


def test_an_api_key_from_its_making_to_its_end(alice):
    import uuid
    from datetime import timedelta

    from django.utils import timezone

    now = timezone.now()
    key, _secret = own_keys.create(alice, ticket=uuid.uuid4(), now=now, name="laptop")
    own_keys.change(alice, key.pk, now=now, name="desktop")
    own_keys.switch(alice, key.pk, off=True)
    own_keys.switch(alice, key.pk, off=False)
    own_keys.rotate(alice, key.pk, ticket=uuid.uuid4(), grace=timedelta(days=1), now=now)
    own_keys.revoke(alice, key.pk)
    events = AuditEvent.objects.about(alice).order_by("pk")
    assert [event.verb for event in events] == [
        Verb.KEY_MADE, Verb.KEY_CHANGED, Verb.KEY_CHANGED, Verb.KEY_CHANGED, Verb.KEY_ROTATED, Verb.KEY_REVOKED,
    ]  # fmt: skip
    assert {event.object_id for event in events} == {str(key.pk)}


def test_a_key_that_bob_cannot_revoke_leaves_no_event(alice, bob):
    import uuid

    from django.utils import timezone

    key, _secret = own_keys.create(alice, ticket=uuid.uuid4(), now=timezone.now(), name="laptop")
    with pytest.raises(type(key).DoesNotExist):
        own_keys.revoke(bob, key.pk)
    assert verbs(alice) == [Verb.KEY_MADE]
    assert verbs(bob) == []


@pytest.mark.django_db(transaction=True)
def test_second_factors_come_and_go(alice, client):
    from allauth.mfa.totp.internal import auth

    log_in(client, "alice")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    secret = client.get("/accounts/2fa/totp/activate/").context["form"].secret
    code = auth.format_hotp_value(auth.hotp_value(secret, next(auth.yield_hotp_counters_from_time())))
    client.post("/accounts/2fa/totp/activate/", {"code": code})
    client.post("/accounts/2fa/totp/deactivate/")
    assert Verb.FACTOR_ADDED in verbs(alice)
    assert verbs(alice)[-1] == Verb.FACTOR_REMOVED
