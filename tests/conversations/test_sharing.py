"""A link shows one conversation as it was, to whoever has it, until it ends; and nothing else."""

import re
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from conversations.models import Conversation, Message, Share, Turn
from tests.conversations.intrusion import signed_in
from tests.tabs import HOST

pytestmark = pytest.mark.django_db


def said(conversation, question, answer, *, status="completed"):
    running = status in {"created", "in_progress"}
    turn = Turn.objects.create(
        conversation=conversation,
        owner=conversation.owner,
        client_id=uuid.uuid4(),
        status=status,
        ended_at=None if running else timezone.now(),
    )
    for role, content in (("user", question), ("assistant", answer)):
        Message.objects.create(conversation=conversation, turn=turn, role=role, content=content)
    return turn


@pytest.fixture
def conversation(alice):
    from cozechat.catalog.environment import default_assistant

    made = Conversation.objects.create(
        owner=alice,
        assistant=default_assistant(),
        title="On zebras",
        coze_conversation_id="7400000000000000009",
    )
    said(made, "what is a <b>zebra</b>?", "A **striped** horse. [x](javascript:alert(1))")
    return made


@pytest.fixture
def anybody():
    return Client(headers={"host": HOST, "accept-language": "en"})


def share(client, conversation, days=7):
    response = client.post(f"/c/{conversation.pk}/share/", {"days": days})
    assert response.status_code == 302, response.content.decode()
    page = client.get(f"/c/{conversation.pk}/share/").content.decode()
    return re.search(r"(/s/[^/]+/)", page)[1]


def test_a_link_shows_the_conversation_as_it_was(alice, conversation, anybody):
    link = share(signed_in(alice), conversation)
    said(conversation, "and a quagga?", "It is extinct.")
    page = anybody.get(link)
    text = page.content.decode()
    assert "On zebras" in text
    assert "&lt;b&gt;zebra&lt;/b&gt;" in text
    assert "<strong>striped</strong>" in text
    assert 'href="javascript' not in text
    assert "quagga" not in text
    assert page["X-Robots-Tag"].startswith("noindex")
    assert page["Referrer-Policy"] == "no-referrer"
    assert "no-store" in page["Cache-Control"]
    assert "script-src 'self'" in page["Content-Security-Policy"]


def test_it_says_nothing_of_its_owner_or_of_ids(alice, conversation, anybody):
    text = anybody.get(share(signed_in(alice), conversation)).content.decode()
    for told in (
        alice.username,
        alice.session_name,
        alice.email,
        str(conversation.pk),
        "7400000000000000009",
    ):
        assert told not in text


def test_what_it_would_show_is_told_before(alice, conversation):
    page = signed_in(alice).get(f"/c/{conversation.pk}/share/").content.decode()
    assert "2 messages" in page
    assert not Share.objects.exists()


def test_an_answer_that_still_runs_is_not_in_it(alice, conversation, anybody):
    said(conversation, "a secret question", "half an ans", status="in_progress")
    text = anybody.get(share(signed_in(alice), conversation)).content.decode()
    assert "half an ans" not in text
    assert "a secret question" not in text


def test_nothing_is_shared_of_an_empty_conversation(alice):
    from cozechat.catalog.environment import default_assistant

    empty = Conversation.objects.create(owner=alice, assistant=default_assistant())
    assert signed_in(alice).post(f"/c/{empty.pk}/share/", {"days": 7}).status_code == 200
    assert not Share.objects.exists()


@pytest.mark.parametrize("ending", ["revoked", "expired", "conversation deleted", "account deleted"])
def test_a_link_that_has_ended_is_like_one_that_never_was(alice, conversation, anybody, ending):
    client = signed_in(alice)
    link = share(client, conversation)
    row = Share.objects.get()
    if ending == "revoked":
        assert client.post(f"/accounts/shares/{row.pk}/revoke/").status_code == 302
    elif ending == "expired":
        Share.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif ending == "conversation deleted":
        assert client.delete(f"/api/conversations/{conversation.pk}/").status_code == 204
    else:
        alice.delete()
    ended, never = anybody.get(link), anybody.get("/s/" + "A" * 32 + "/")
    assert (ended.status_code, never.status_code) == (404, 404)
    mask = re.compile(r'csrf[^>]*value="[^"]+"')
    assert mask.sub("", ended.content.decode()) == mask.sub("", never.content.decode())


def test_a_revoked_link_keeps_nothing_of_what_it_showed(alice, conversation):
    client = signed_in(alice)
    share(client, conversation)
    row = Share.objects.get()
    client.post(f"/accounts/shares/{row.pk}/revoke/")
    row.refresh_from_db()
    assert (row.messages, row.token) == ([], "")
    assert "revoked" in client.get("/accounts/shares/").content.decode()


def test_an_expired_link_is_emptied_in_time(alice, conversation):
    share(signed_in(alice), conversation)
    assert Share.objects.all().forget_closed(now=timezone.now()) == 0
    assert Share.objects.all().forget_closed(now=timezone.now() + timedelta(days=8)) == 1
    assert Share.objects.get().messages == []


def test_the_database_alone_opens_no_link(alice, conversation):
    link = share(signed_in(alice), conversation)
    token = link.strip("/").split("/")[1]
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select * from conversations_share")
        assert token not in str(cursor.fetchall())


def test_bob_cannot_make_list_or_revoke_alices_links(alice, conversation, intruder, anybody):
    link = share(signed_in(alice), conversation)
    row, bobs = Share.objects.get(), signed_in(intruder)
    never = uuid.uuid4()
    wanted = 403 if intruder.is_visitor else 404
    for path, missing in (
        (f"/c/{conversation.pk}/share/", f"/c/{never}/share/"),
        (f"/accounts/shares/{row.pk}/revoke/", f"/accounts/shares/{never}/revoke/"),
    ):
        assert bobs.post(path, {"days": 7}).status_code == wanted
        assert bobs.post(missing, {"days": 7}).status_code == wanted
    listed = bobs.get("/accounts/shares/")
    assert listed.status_code == (403 if intruder.is_visitor else 200)
    assert "zebras" not in listed.content.decode()
    assert anybody.get(link).status_code == 200
    assert Share.objects.count() == 1


@pytest.mark.parametrize("days", ["", "-1", "3", "x", "9" * 30, "1e9"])
def test_rubbish_days_make_no_link(alice, conversation, days):
    assert signed_in(alice).post(f"/c/{conversation.pk}/share/", {"days": days}).status_code == 200
    assert not Share.objects.exists()


@pytest.mark.parametrize(
    "token", ["x", "%00", "é", "A" * 5000, "..", "%F0%9F%A6%93", "\ud800".encode("utf-8", "replace").decode()]
)
def test_rubbish_links_are_not_found(anybody, token):
    assert anybody.get(f"/s/{token}/").status_code == 404


def test_the_site_may_limit_how_long_links_work(alice, conversation, settings):
    settings.SHARE_MAX_DAYS = 5
    client = signed_in(alice)
    assert client.post(f"/c/{conversation.pk}/share/", {"days": 0}).status_code == 200
    assert client.post(f"/c/{conversation.pk}/share/", {"days": 7}).status_code == 200
    share(client, conversation, days=1)
    assert Share.objects.get().expires_at < timezone.now() + timedelta(days=1, minutes=1)


def test_a_site_may_want_a_log_in(alice, bob, conversation, anybody, settings):
    link = share(signed_in(alice), conversation)
    settings.SHARE_PUBLIC = False
    assert anybody.get(link).status_code == 302
    assert signed_in(bob).get(link).status_code == 200


def test_the_looks_of_others_are_counted(alice, bob, conversation, anybody):
    link = share(signed_in(alice), conversation)
    anybody.get(link)
    signed_in(bob).get(link)
    signed_in(alice).get(link)
    assert Share.objects.get().views == 2


def test_there_is_an_end_to_how_many_links_one_may_have(alice, conversation, monkeypatch):
    from conversations.sharing import snapshots

    monkeypatch.setattr(snapshots, "MOST_SHARES", 2)
    client = signed_in(alice)
    share(client, conversation)
    share(client, conversation)
    refused = client.post(f"/c/{conversation.pk}/share/", {"days": 7})
    assert refused.status_code == 200
    assert "Revoke one first" in refused.content.decode()


def test_forms_without_the_csrf_token_are_refused(alice, conversation):
    client = Client(headers={"host": HOST}, enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(f"/c/{conversation.pk}/share/", {"days": 7}).status_code == 403


def test_what_a_deleted_conversation_has_shown_is_deleted_with_it_though_coze_has_still_to_be_told(
    alice, conversation, anybody
):
    client = signed_in(alice)
    link = share(client, conversation)
    assert client.delete(f"/api/conversations/{conversation.pk}/").status_code == 204
    assert Conversation.objects.filter(pk=conversation.pk).exists()
    assert not Share.objects.exists()
    assert anybody.get(link).status_code == 404
