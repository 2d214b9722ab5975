"""What the staff see of users and tokens."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts import visits
from accounts.models import AccessToken, User, Visit
from cozechat.catalog.models import CozeApp

pytestmark = pytest.mark.django_db

TOKEN = "czs_canary0001secretsecretsecretsecret9876"


@pytest.fixture
def staff(settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def row(alice):
    now = timezone.now()
    return AccessToken.objects.create(
        app=CozeApp.objects.create(name="Test"),
        user=alice,
        session_name=alice.session_name,
        token=TOKEN,
        issued_at=now,
        expires_at=now + timedelta(hours=1),
    )


def test_a_token_is_shown_masked(staff, row):
    for page in ("/admin/accounts/accesstoken/", f"/admin/accounts/accesstoken/{row.pk}/change/"):
        text = staff.get(page).content.decode()
        assert "czs_…9876" in text
        assert TOKEN not in text
        assert TOKEN[8:20] not in text


def test_a_short_token_is_not_shown_at_all(row):
    row.token = "short-token"

    assert row.masked() == "…"


def test_tokens_are_neither_made_nor_changed_by_hand(staff, row):
    assert staff.get("/admin/accounts/accesstoken/add/").status_code == 403
    assert staff.post(f"/admin/accounts/accesstoken/{row.pk}/change/", {"token": "x"}).status_code == 403
    row.refresh_from_db()
    assert row.token == TOKEN


def test_revoking_deletes_the_row(staff, row):
    staff.post("/admin/accounts/accesstoken/", {"action": "revoke", "_selected_action": [row.pk]})

    assert not AccessToken.objects.exists()


def test_staff_who_may_only_look_cannot_revoke(row, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    helper = User.objects.create_user("helper", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_accesstoken"))
    client = Client()
    client.force_login(helper)

    client.post("/admin/accounts/accesstoken/", {"action": "revoke", "_selected_action": [row.pk]})

    assert AccessToken.objects.exists()


def test_a_session_name_is_shown_found_and_not_changed(staff, alice, bob):
    page = f"/admin/accounts/user/{alice.pk}/change/"
    text = staff.get(page).content.decode()
    assert alice.session_name in text
    assert 'name="session_name"' not in text

    found = staff.get("/admin/accounts/user/", {"q": alice.session_name}).content.decode()
    assert "alice@example.com" in found
    assert "bob@example.com" not in found


def test_a_user_can_be_made_in_the_admin(staff):
    form = {"username": "erin", "password1": "correct horse battery", "password2": "correct horse battery"}

    staff.post("/admin/accounts/user/add/", {**form, "usable_password": "true"})

    assert User.objects.get(username="erin").session_name.startswith("u_")


def test_staff_see_visitors_and_remove_those_whose_visit_is_over(staff, alice):
    living, over = visits.begin(), visits.begin()
    Visit.objects.filter(visitor=over.visitor).update(ends_at=timezone.now() - timedelta(seconds=1))
    names = {visit: visit.visitor.username for visit in (living, over)}

    assert names[over] not in staff.get("/admin/accounts/user/?visit=living").content.decode()
    page = staff.get("/admin/accounts/user/?visit=over").content.decode()
    assert names[over] in page and names[living] not in page and living.shown not in page
    assert staff.get("/admin/accounts/user/?visit=rubbish").status_code == 200
    chosen = [living.visitor.pk, over.visitor.pk, alice.pk]
    staff.post(
        "/admin/accounts/user/",
        {"action": "remove_visitors_whose_visit_is_over", "_selected_action": chosen},
    )
    assert set(User.objects.filter(pk__in=chosen)) == {living.visitor, alice}
    assert staff.get(f"/admin/accounts/user/{living.visitor.pk}/change/").status_code == 200
