"""The test page of a Coze app: every step with its time, what to mend, and nothing spent unasked."""

import re

import pytest
from django.test import Client

from accounts.models import User
from cozechat.catalog.models import CozeApp
from tests.keys import app_at, private_pem, rotating_coze

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def own_coze(tmp_path, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    with rotating_coze(tmp_path) as running:
        yield running


@pytest.fixture
def app(own_coze):
    return app_at(own_coze)


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def outcome(client, app, **fields) -> str:
    answer = client.post(f"/admin/catalog/cozeapp/{app.pk}/test/", fields)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def test_looking_at_the_page_asks_coze_nothing(staff, own_coze, app):
    assert "Test now" in staff.get(f"/admin/catalog/cozeapp/{app.pk}/test/").content.decode()
    assert own_coze.ledger()["requests"] == {}


def test_without_the_tick_nothing_is_spent(staff, own_coze, app):
    shown = outcome(staff, app)
    assert "Coze answers as it should." in shown
    assert "A conversation" in shown
    assert "A question and its answer" not in shown
    assert own_coze.ledger()["chats"] == {}


def test_with_the_tick_a_question_is_asked_and_its_log_id_shown(staff, own_coze, app):
    shown = outcome(staff, app, turn="on")
    assert "A question and its answer" in shown
    assert "log id" in shown
    assert sum(own_coze.ledger()["chats"].values()) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"public_key_id": "not-ours"}, "Coze does not know this public key id"),
        ({"private_key": private_pem(3)}, "does not belong to this public key id"),
        ({"audience": "api.example.com"}, "The audience (aud) is not the host"),
        ({"client_id": "999"}, "The client id is not that of the OAuth app"),
        ({"base_url": "http://127.0.0.1:9"}, "Nothing answers at the base URL"),
    ],
    ids=["kid", "key", "aud", "client id", "address"],
)
def test_what_is_wrong_is_named_with_what_to_mend(changes, says, staff, app):
    CozeApp.objects.filter(pk=app.pk).update(**changes)
    shown = outcome(staff, app)
    assert "Coze cannot be used like this." in shown
    assert says in shown
    assert "not tried" in shown
    assert "PRIVATE KEY" not in shown


def test_an_app_that_is_switched_off_can_be_outcome(staff, own_coze, app):
    CozeApp.objects.filter(pk=app.pk).update(is_active=False)
    shown = outcome(staff, app, turn="on")
    assert "The app is switched off" in shown
    assert "Coze answers as it should." in shown


def test_the_page_speaks_chinese(staff, app):
    staff.cookies["django_language"] = "zh-hans"
    assert "立即测试" in outcome(staff, app)
    assert "扣子一切正常" in outcome(staff, app)
