"""Keys of a Coze app in the admin: add, test, use, remove; by staff who may, and nothing secret comes back."""

import json
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from cozechat.catalog.models import CozeApp
from tests.keys import app_at, private_pem, public_pem, rotating_coze

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "".join(private_pem(2).splitlines()[1:-1])[40:80]


@pytest.fixture
def own_coze(tmp_path, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    with rotating_coze(tmp_path) as running:
        yield running


@pytest.fixture
def app(own_coze):
    return app_at(own_coze)


def client_of(name: str, *permissions: str, **more) -> Client:
    user = User.objects.create_user(name, is_staff=True, **more)
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def staff() -> Client:
    return client_of("root", is_superuser=True)


def page(app, act: str = "") -> str:
    return f"/admin/catalog/cozeapp/{app.pk}/keys/{act and act + '/'}"


def words(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def next_pair(own_coze) -> dict[str, str]:
    return {"public_key_id": own_coze.second_kid, "private_key": private_pem(2)}


def test_a_key_is_added_tested_used_and_the_old_one_removed(staff, own_coze, app):
    first = own_coze.credentials.public_key_id
    assert "Add the next key" in words(staff.get(page(app)))
    shown = words(staff.post(page(app), next_pair(own_coze), follow=True))
    assert "The next key is kept" in shown
    assert own_coze.second_kid in shown
    assert "Coze takes this key." in words(staff.post(page(app, "test"), {"key": "other"}, follow=True))

    used = words(staff.post(page(app, "promote"), {"public_key_id": own_coze.second_kid}, follow=True))
    assert "This key is in use now" in used
    assert "The former key" in used
    app.refresh_from_db()
    assert (app.public_key_id, app.other_public_key_id, app.other_is_former) == (
        own_coze.second_kid,
        first,
        True,
    )

    own_coze.delete_key(first)
    assert "kid not been registred" in words(staff.post(page(app, "test"), {"key": "other"}, follow=True))
    assert "The key is removed here." in words(
        staff.post(page(app, "remove"), {"public_key_id": first}, follow=True)
    )
    app.refresh_from_db()
    assert (app.public_key_id, app.other_public_key_id, app.other_private_key) == (
        own_coze.second_kid,
        "",
        "",
    )
    assert LogEntry.objects.filter(object_id=str(app.pk)).count() == 3


def test_a_key_that_coze_refuses_does_not_come_into_use(staff, own_coze, app):
    staff.post(page(app), next_pair(own_coze))
    own_coze.delete_key(own_coze.second_kid)
    refused = words(staff.post(page(app, "promote"), {"public_key_id": own_coze.second_kid}, follow=True))
    assert "kid not been registred" in refused
    assert "Compare it with the fingerprint" in refused
    app.refresh_from_db()
    assert app.public_key_id == own_coze.credentials.public_key_id


def test_a_page_that_is_out_of_date_moves_nothing(staff, own_coze, app):
    staff.post(page(app), next_pair(own_coze))
    staff.post(page(app, "promote"), {"public_key_id": "another"})
    staff.post(page(app, "promote"))
    staff.post(page(app, "remove"), {"public_key_id": ""})
    staff.post(page(app, "remove"), {"public_key_id": "another"})
    app.refresh_from_db()
    assert app.public_key_id == own_coze.credentials.public_key_id
    assert app.other_public_key_id == own_coze.second_kid


def test_the_next_key_may_come_as_cozes_file_of_the_same_app(staff, own_coze, app):
    file = {"client_id": app.client_id, "public_key_id": own_coze.second_kid, "private_key": private_pem(2)}
    staff.post(page(app), {"public_key_id": "", "private_key": json.dumps(file)})
    app.refresh_from_db()
    assert (app.other_public_key_id, app.other_private_key) == (own_coze.second_kid, private_pem(2).strip())
    wrong = staff.post(page(app), {"private_key": json.dumps(file | {"client_id": "999"})})
    assert "another OAuth app (999)" in words(wrong)


@pytest.mark.parametrize(
    ("kid", "pem", "says"),
    [
        ("", private_pem(2), "Coze shows it beside the key"),
        ("kid", "rubbish", "This key cannot be read"),
        ("kid", "", "This key cannot be read"),
        ("kid", private_pem(2)[:300], "This key cannot be read"),
        ("kid", public_pem(2), "This key cannot be read"),
        ("kid", "{", "This is no JSON"),
        ("kid" * 100, private_pem(2), "128"),
    ],
    ids=["no kid", "rubbish", "none", "cut off", "public half", "broken JSON", "long kid"],
)
def test_what_is_no_pair_is_refused_with_the_reason(kid, pem, says, staff, app):
    answer = staff.post(page(app), {"public_key_id": kid, "private_key": pem})
    assert answer.status_code == 200
    assert says in words(answer)
    assert SECRET not in words(answer)
    app.refresh_from_db()
    assert app.other_public_key_id == ""


def test_the_key_in_use_is_not_its_own_successor(staff, own_coze, app):
    answer = staff.post(page(app), {"public_key_id": app.public_key_id, "private_key": private_pem(2)})
    assert "This is the key in use." in words(answer)


def test_no_page_shows_a_key(staff, own_coze, app):
    staff.post(page(app), next_pair(own_coze))
    for path in (page(app), f"/admin/catalog/cozeapp/{app.pk}/change/", "/admin/catalog/cozeapp/",
                 f"/admin/catalog/cozeapp/{app.pk}/history/"):  # fmt: skip
        shown = staff.get(path).content.decode()
        assert SECRET not in shown
        assert "BEGIN PRIVATE" not in shown


def test_a_refused_key_is_told_on_every_page_of_the_app(staff, app):
    CozeApp.objects.filter(pk=app.pk).update(
        key_refusal="invalid jwt: kid not been registred", key_refused_at="2026-01-01T00:00Z"
    )
    for path in (
        page(app),
        f"/admin/catalog/cozeapp/{app.pk}/change/",
        f"/admin/catalog/cozeapp/{app.pk}/test/",
    ):
        assert "Coze refuses the key in use." in words(staff.get(path))
    assert "the key in use is refused" in words(staff.get("/admin/catalog/cozeapp/"))


def test_whoever_may_only_look_can_look_and_change_nothing(own_coze, app):
    onlooker = client_of("looker", "view_cozeapp")
    shown = words(onlooker.get(page(app)))
    assert own_coze.credentials.public_key_id in shown
    assert "<button" not in shown.split("coze-page")[1].split("</main>")[0]
    assert onlooker.post(page(app), next_pair(own_coze)).status_code == 403
    for act in ("test", "promote", "remove"):
        assert onlooker.post(page(app, act), {"key": "current"}).status_code == 403
    app.refresh_from_db()
    assert app.other_public_key_id == ""


def test_bob_and_staff_of_another_trade_see_nothing(app):
    trader = client_of("trader", "change_assistant")
    bob = Client()
    bob.force_login(User.objects.create_user("bob"))
    for client, status in ((trader, 403), (bob, 302), (Client(), 302)):
        for path in (page(app), page(app, "test"), f"/admin/catalog/cozeapp/{app.pk}/test/"):
            assert client.get(path).status_code in {status, 405}
            assert client.post(path, {}).status_code == status
    assert trader.get("/admin/catalog/cozeapp/999999/keys/").status_code == 403


def test_acts_are_posted_with_a_token_of_the_form(staff, app):
    for act in ("test", "promote", "remove"):
        assert staff.get(page(app, act)).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="root"))
    for path in (page(app), page(app, "test"), f"/admin/catalog/cozeapp/{app.pk}/test/"):
        assert strict.post(path, {}).status_code == 403


def test_the_environments_keys_are_tested_here_and_changed_there(staff, own_coze, settings):
    from cozechat.catalog.environment import default_assistant
    from tests.operators import configure

    configure(settings, own_coze)
    settings.COZE_PUBLIC_KEY_ID_NEXT, settings.COZE_PRIVATE_KEY_NEXT = own_coze.second_kid, private_pem(2)
    app = default_assistant().app
    shown = words(staff.get(page(app)))
    assert "COZE_PUBLIC_KEY_ID_NEXT" in shown
    assert "/promote/" not in shown
    assert "Coze takes this key." in words(staff.post(page(app, "test"), {"key": "other"}, follow=True))
    staff.post(page(app, "promote"), {"public_key_id": own_coze.second_kid})
    staff.post(page(app, "remove"), {"public_key_id": own_coze.second_kid})
    app.refresh_from_db()
    assert app.public_key_id == own_coze.credentials.public_key_id
    assert app.other_public_key_id == ""
