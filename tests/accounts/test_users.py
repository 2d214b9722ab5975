"""What always holds for users, and who hears when a log-in ends."""

import re

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from accounts.models import SessionNameError, User
from accounts.signals import login_ended

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended():
    """Every `login_ended` that is sent, as (user id, session key)."""
    heard = []

    def listen(sender, *, user_id, session_key, **_):
        heard.append((user_id, session_key))

    login_ended.connect(listen)
    yield heard
    login_ended.disconnect(listen)


def test_a_session_name_is_opaque_and_differs_from_everybody_elses(alice, bob):
    names = {user.session_name for user in (alice, bob)}

    assert len(names) == 2
    assert all(re.fullmatch(r"u_[0-9a-f]{32}", name) for name in names)
    assert not any(word in name for name in names for word in ("alice", "bob", "example"))


def test_two_users_cannot_have_one_session_name(alice, bob):
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=bob.pk).update(session_name=alice.session_name)


def test_nobody_is_without_a_session_name(alice):
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=alice.pk).update(session_name="")


def test_a_session_name_is_for_life(alice, bob):
    alice.refresh_from_db()
    alice.session_name = "u_" + "0" * 32

    with pytest.raises(SessionNameError):
        alice.save()


def test_a_deleted_users_name_is_not_given_to_the_next(alice):
    name = alice.session_name
    alice.delete()

    assert User.objects.create_user("alice").session_name != name


def test_a_username_is_taken_in_every_case(alice):
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("ALICE")


def test_a_log_out_ends_one_log_in(alice, ended):
    client = Client()
    client.force_login(alice)
    key = client.session.session_key

    client.logout()

    assert ended == [(alice.pk, key)]


def test_an_anonymous_log_out_is_not_told(ended):
    Client().logout()

    assert ended == []


def test_a_new_password_ends_every_log_in(alice, ended, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        alice.set_password("correct horse battery")
        alice.save()

    assert ended == [(alice.pk, None)]


def test_a_deactivation_ends_every_log_in_and_its_end_does_not(
    alice, ended, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        stored = User.objects.get(pk=alice.pk)
        stored.is_active = False
        stored.save()
    assert ended == [(alice.pk, None)]

    with django_capture_on_commit_callbacks(execute=True):
        stored.is_active = True
        stored.save()
    assert ended == [(alice.pk, None)]


def test_a_deletion_ends_every_log_in(alice, ended, django_capture_on_commit_callbacks):
    pk = alice.pk
    with django_capture_on_commit_callbacks(execute=True):
        alice.delete()

    assert ended == [(pk, None)]


def test_other_changes_end_nothing(alice, ended, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        stored = User.objects.get(pk=alice.pk)
        stored.display_name = "Alice A."
        stored.save()
        User.objects.only("username").get(pk=alice.pk).save()

    assert ended == []


def test_a_change_that_is_rolled_back_ends_nothing(alice, ended, django_capture_on_commit_callbacks):
    with (
        django_capture_on_commit_callbacks(execute=True),
        pytest.raises(ZeroDivisionError),
        transaction.atomic(),
    ):
        alice.set_password("correct horse battery")
        alice.save()
        raise ZeroDivisionError

    assert ended == []


def test_pages_greet_a_user_by_the_display_name(alice):
    assert str(alice) == alice.get_short_name() == alice.get_full_name() == "alice"

    alice.display_name = "爱丽丝"

    assert str(alice) == alice.get_short_name() == alice.get_full_name() == "爱丽丝"
