"""Whatever the admin shows of anybody's data leaves an event: all its addresses are walked."""

import uuid
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.db import DatabaseError
from django.urls import reverse
from django.utils import timezone

from accounts.models import AccessToken, User
from conversations.models import Conversation, Turn
from cozechat.audit import site
from cozechat.audit.models import AuditEvent, Verb
from cozechat.catalog.models import CozeApp
from cozechat.gateway import keys
from cozechat.gateway.models import ApiKey
from cozechat.usage.models import Account, Hold, LedgerEntry, RedeemCode, TopUpRequest, UsageRecord
from cozechat.webhooks.models import Event, UsageComparison
from tests.audit.conftest import SECRET, signed_in

pytestmark = pytest.mark.django_db

LATER = timezone.now() + timedelta(hours=1)


@pytest.fixture
def everything(alice, thread):
    """One row of Alice's in each table that has rows of people."""
    now, account = timezone.now(), Account.objects.of(alice.pk)
    record = UsageRecord.objects.create(
        request_id="req_1", model="demo", created_at=now, usage_source="coze", status="completed", owner=alice
    )
    return {
        User: alice,
        Conversation: thread,
        Turn: thread.turns.get(),
        EmailAddress: EmailAddress.objects.get(),
        Authenticator: Authenticator.objects.create(user=alice, type="totp", data={}),
        AccessToken: AccessToken.objects.create(
            app=CozeApp.objects.get(), user=alice, session_name=alice.session_name
        ),
        ApiKey: keys.create(alice, name="laptop")[0],
        Account: account,
        LedgerEntry: LedgerEntry.objects.create(account=account, amount=1, kind="top_up", ref="1", created_at=now),
        Hold: Hold.objects.create(
            request_id="h", model="demo", account=account, amount=1, created_at=now, lease_until=LATER,
            expires_at=LATER,
        ),
        UsageRecord: record,
        TopUpRequest: TopUpRequest.objects.create(owner=alice, amount=10**9, created_at=now),
        RedeemCode: RedeemCode.objects.create(
            digest="d", ending="e", amount=10**9, created_at=now, claimed_by=alice, claimed_at=now
        ),
        Event: Event.objects.create(
            source="hook", event_id="e", kind="k", body="{}", due_at=now, received_at=now, conversation=thread
        ),
        UsageComparison: UsageComparison.objects.create(
            root_id="r", first_at=now, compared_at=now, record=record
        ),
    }  # fmt: skip


def addresses(model_admin, row):
    """Every address of a model's pages, filled with the row; without one, those that need none."""
    for pattern in model_admin.get_urls():
        wanted = list(pattern.pattern.converters)
        if pattern.name and (row is not None or not wanted):
            yield pattern.name, reverse(f"admin:{pattern.name}", kwargs=dict.fromkeys(wanted, row and row.pk))


def test_every_page_of_the_admin_leaves_an_event(root, everything, alice):
    client = signed_in(root)
    seen, shown = set(), 0
    for model, model_admin in admin.site._registry.items():
        row = everything.get(model)
        for name, address in addresses(model_admin, row):
            before = AuditEvent.objects.count()
            answer = client.get(address)
            if answer.status_code != 200 or name.endswith("_add"):
                continue
            event = AuditEvent.objects.latest("pk")
            assert AuditEvent.objects.count() == before + 1, address
            assert (event.actor_id, event.is_staff_act) == (root.pk, True)
            assert event.kind == model._meta.label_lower
            if event.object_id:
                assert (event.verb, event.object_id, event.subject_id) == (Verb.OPENED, str(row.pk), alice.pk)
                seen.add(model)
            shown += 1
    assert seen == set(everything)
    assert shown > 60


def test_no_page_can_be_registered_that_does_not(root, alice):
    assert isinstance(admin.site._wrapped, site.AuditedSite)
    for model_admin in admin.site._registry.values():
        assert isinstance(model_admin, site.Audited)
        # Its labels are shown by a view of the site, which no model's pages stand behind.
        assert not model_admin.autocomplete_fields


def test_a_search_is_recorded_without_its_words(root, thread):
    signed_in(root).get("/admin/conversations/conversation/?q=alice&assistant__id__exact=1")
    event = AuditEvent.objects.latest("pk")
    assert (event.verb, event.detail) == (Verb.SEARCHED, "assistant__id__exact, q")


def test_what_is_refused_is_not_recorded_as_seen(clerk, bob, everything):
    pages = [
        page
        for model in (Turn, UsageRecord)
        for _n, page in addresses(admin.site._registry[model], everything[model])
    ]
    before = AuditEvent.objects.exclude(verb=Verb.SIGNED_IN).count()
    for user in (clerk, bob):
        client = signed_in(user)
        assert {client.get(page).status_code for page in pages} <= {302, 403}
    assert AuditEvent.objects.exclude(verb=Verb.SIGNED_IN).count() == before


@pytest.mark.parametrize("rubbish", ["x", "0", "_00", "%00", uuid.UUID(int=0), "9" * 40])
def test_what_does_not_exist_is_not_recorded_as_opened(root, thread, rubbish):
    client = signed_in(root)
    for model in ("conversations/conversation", "conversations/turn", "accounts/user"):
        for page in ("change", "history", "delete"):
            assert client.get(f"/admin/{model}/{rubbish}/{page}/").status_code in {302, 403, 404}
    assert not AuditEvent.objects.filter(verb=Verb.OPENED).exists()


def test_a_conversation_is_not_shown_if_that_cannot_be_written_down(root, thread, monkeypatch):
    def broken(*_args, **_kwargs):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(site, "record", broken)
    client = signed_in(root)
    client.raise_request_exception = False
    answer = client.get(f"/admin/conversations/conversation/{thread.pk}/change/")
    assert answer.status_code == 500
    assert SECRET not in answer.content.decode()


def test_a_user_is_not_changed_if_that_cannot_be_written_down(root, alice, monkeypatch):
    def broken(*_args, **_kwargs):
        raise DatabaseError("the disk is full")

    client = signed_in(root)
    client.raise_request_exception = False
    monkeypatch.setattr(site, "record", broken)
    assert client.post(f"/admin/accounts/user/{alice.pk}/change/", changed(alice)).status_code == 500
    alice.refresh_from_db()
    assert not alice.is_staff


def changed(user, **more):
    joined = timezone.localtime(user.date_joined)
    return {
        "username": user.username, "email": user.email, "language": "", "is_active": "on", "is_staff": "on",
        "display_name": "", "first_name": "", "last_name": "", "date_joined_0": f"{joined:%Y-%m-%d}",
        "date_joined_1": f"{joined:%H:%M:%S}", **more,
    }  # fmt: skip


def test_a_change_of_rights_names_the_fields_and_no_values(root, alice):
    answer = signed_in(root).post(
        f"/admin/accounts/user/{alice.pk}/change/", changed(alice, email="new@example.com")
    )
    assert answer.status_code == 302
    event = AuditEvent.objects.get(verb=Verb.CHANGED)
    assert (event.subject_id, event.object_id) == (alice.pk, str(alice.pk))
    assert "Staff status" in event.detail
    assert "new@example.com" not in str(vars(event))


def test_a_password_that_staff_sets_is_recorded(root, alice):
    form = {
        "password1": "another horse battery",
        "password2": "another horse battery",
        "usable_password": "true",
    }
    signed_in(root).post(f"/admin/accounts/user/{alice.pk}/password/", form)
    event = AuditEvent.objects.get(verb=Verb.CHANGED)
    assert (event.subject_id, event.detail) == (alice.pk, "password")


def test_revoking_a_token_is_recorded_for_its_owner(root, alice, everything):
    chosen = {"action": "revoke", "_selected_action": [everything[AccessToken].pk]}
    signed_in(root).post("/admin/accounts/accesstoken/", chosen)
    event = AuditEvent.objects.get(verb=Verb.ACTED)
    assert (event.kind, event.detail, event.subject_id) == ("accounts.accesstoken", "revoke", alice.pk)


def test_handling_an_event_once_more_is_recorded(root, alice, everything):
    chosen = {"action": "replay", "_selected_action": [everything[Event].pk]}
    signed_in(root).post("/admin/webhooks/event/", chosen)
    event = AuditEvent.objects.get(verb=Verb.ACTED)
    assert (event.kind, event.detail, event.subject_id) == ("webhooks.event", "replay", alice.pk)


def test_the_key_of_a_coze_app_is_named_and_never_written_down(root, everything):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    form = {
        "name": "Test", "base_url": "https://coze.example", "client_id": "1", "public_key_id": "2", "private_key": pem,
        "audience": "", "token_ttl": "3600", "is_active": "on",
    }  # fmt: skip
    app = CozeApp.objects.get()
    assert signed_in(root).post(f"/admin/catalog/cozeapp/{app.pk}/change/", form).status_code == 302
    event = AuditEvent.objects.get(verb=Verb.CHANGED)
    assert "private key" in event.detail
    assert "PRIVATE KEY" not in str(vars(event))


def test_deleting_accounts_from_the_list_is_recorded_one_by_one(root, alice, bob):
    chosen = {"action": "delete_selected", "_selected_action": [alice.pk, bob.pk], "post": "yes"}
    signed_in(root).post("/admin/accounts/user/", chosen)
    deleted = AuditEvent.objects.filter(verb=Verb.DELETED, kind="accounts.user")
    assert set(deleted.values_list("subject_id", flat=True)) == {alice.pk, bob.pk}
