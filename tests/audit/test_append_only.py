"""What stands in the trail stays there: the classes refuse, and so does the database, whoever speaks SQL to it."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from cozechat.audit.models import AppendOnly, AuditEvent, Verb
from cozechat.audit.recording import record, record_claim, record_each, record_softly
from tests.audit.conftest import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def event(alice):
    return record(Verb.OPENED, subject_id=alice.pk, kind="conversations.conversation", object_id="7")


def test_the_classes_refuse(event):
    rows = AuditEvent.objects.filter(pk=event.pk)
    event.verb = Verb.LISTED
    for act in (
        event.save,
        event.delete,
        rows.delete,
        lambda: rows.update(verb="listed"),
        lambda: rows.bulk_update([event], ["verb"]),
        AuditEvent.objects.get(pk=event.pk).delete,
    ):
        with pytest.raises(AppendOnly):
            act()
    assert rows.get().verb == Verb.OPENED


@pytest.mark.parametrize("statement", [
    "UPDATE audit_auditevent SET verb = 'listed'",
    "UPDATE audit_auditevent SET kept_until = '2000-01-01'",
    "DELETE FROM audit_auditevent",
])  # fmt: skip
def test_the_database_refuses(event, statement):
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert AuditEvent.objects.filter(verb=Verb.OPENED, kept_until__gt=timezone.now()).count() == 1


def test_raw_deletion_through_the_orm_is_refused_as_well(event):
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        AuditEvent.objects.all()._raw_delete("default")


def test_a_bulk_that_ignores_or_updates_conflicts_changes_nothing(event):
    again = AuditEvent(pk=event.pk, verb=Verb.LISTED, subject_id=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEvent.objects.bulk_create(
            [again], update_conflicts=True, update_fields=["verb"], unique_fields=["id"]
        )
    assert AuditEvent.objects.get(pk=event.pk).verb == Verb.OPENED


def test_only_what_is_over_is_swept(event, alice):
    yesterday = timezone.now() - timedelta(days=1)
    old = record(Verb.SIGNED_IN, subject_id=alice.pk, kept_until=yesterday)
    assert AuditEvent.objects.sweep(now=timezone.now()) == 1
    assert not AuditEvent.objects.filter(pk=old.pk).exists()
    assert AuditEvent.objects.filter(pk=event.pk).exists()


def test_a_clock_that_lies_sweeps_nothing_before_its_time(event):
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        AuditEvent.objects.sweep(now=timezone.now() + timedelta(days=10_000))
    assert AuditEvent.objects.filter(pk=event.pk).exists()


def test_the_setting_of_the_day_holds_for_the_event(alice, settings):
    settings.AUDIT_DAYS = 30
    event = record(Verb.OPENED, subject_id=alice.pk)
    settings.AUDIT_DAYS = 1
    event = AuditEvent.objects.get(pk=event.pk)
    assert timedelta(days=29) < event.kept_until - timezone.now() < timedelta(days=31)


def test_the_admin_shows_the_trail_and_changes_nothing(event, root):
    client = signed_in(root)
    listed = client.get("/admin/audit/auditevent/").content.decode()
    assert "alice (" in listed
    assert "delete_selected" not in listed
    page = f"/admin/audit/auditevent/{event.pk}"
    assert client.get(f"{page}/change/").status_code == 200
    assert client.post(f"{page}/change/", {"verb": "listed"}).status_code == 403
    assert client.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [event.pk], "post": "yes"}
    client.post("/admin/audit/auditevent/", chosen)
    assert client.post("/admin/audit/auditevent/add/", {"verb": "listed"}).status_code == 403
    assert AuditEvent.objects.get(pk=event.pk).verb == Verb.OPENED


def test_bob_and_a_clerk_without_the_right_do_not_see_it(event, bob, clerk):
    for user, status in ((bob, 302), (clerk, 403)):
        for path in ("/admin/audit/auditevent/", f"/admin/audit/auditevent/{event.pk}/change/"):
            assert signed_in(user).get(path).status_code == status


def test_filters_of_the_list_work_and_rubbish_does_no_harm(event, root):
    client = signed_in(root)
    for query in ("is_staff_act__exact=0", "verb__exact=opened", "kind=conversations.conversation", "q=7"):
        assert client.get(f"/admin/audit/auditevent/?{query}").status_code == 200
    for query in ("verb__exact=%00", "created_at__year=rubbish", "q=%00'", "p=-7", "kind__gt=x"):
        assert client.get(f"/admin/audit/auditevent/?{query}").status_code in {200, 302, 400}


def test_a_deleted_user_leaves_numbers_and_no_name(root, bob):
    pk = bob.pk
    signed_in(root).post(f"/admin/accounts/user/{pk}/change/", {"first_name": "x"})
    record(Verb.OPENED, subject_id=pk, kind="accounts.user", object_id=str(pk))
    signed_in(root).post(f"/admin/accounts/user/{pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=pk).exists()
    events = AuditEvent.objects.filter(subject_id=pk)
    assert events.filter(verb=Verb.DELETED, kind="accounts.user", is_staff_act=True).exists()
    assert "bob" not in str(list(events.values()))
    assert f"deleted user {pk}" in signed_in(root).get("/admin/audit/auditevent/").content.decode()


def test_what_the_admin_keeps_of_a_deleted_user_has_no_name_either(root, bob):
    from django.contrib.admin.models import LogEntry

    signed_in(root).post(f"/admin/accounts/user/{bob.pk}/delete/", {"post": "yes"})
    assert "bob" not in str(list(LogEntry.objects.values()))


def test_a_soft_record_that_fails_is_said_in_the_log_and_breaks_nothing(alice, monkeypatch, caplog):
    from django.db import DatabaseError

    def broken(*_args, **_kwargs):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(AuditEvent, "save", broken)
    record_softly(Verb.SIGNED_IN, subject_id=alice.pk)
    assert "could not be written into the audit trail: signed_in" in caplog.text
    assert User.objects.filter(pk=alice.pk).exists()
    with pytest.raises(DatabaseError):
        record(Verb.SIGNED_IN, subject_id=alice.pk)


def test_an_act_on_many_rows_is_a_statement_or_two(alice, django_assert_max_num_queries):
    with django_assert_max_num_queries(2):
        record_each(Verb.ACTED, objects=[(str(number), alice.pk) for number in range(100)], kind="x")
    assert AuditEvent.objects.count() == 100


def test_texts_are_cut_to_their_columns(alice):
    event = record(Verb.ACTED, subject_id=alice.pk, detail="x" * 1000, reason="y" * 1000)
    assert (len(event.detail), len(event.reason)) == (200, 300)


def test_a_visitors_claim_stands_in_the_members_log(alice):
    record_claim(visitor_id=77, member_id=alice.pk)
    assert AuditEvent.objects.about(alice).get(verb=Verb.CLAIMED).object_id == "77"
