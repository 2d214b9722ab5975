"""Coze apps in the admin: a key goes in, in whatever shape, and never comes out."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.db import connection
from django.test import Client

from accounts.models import User
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.coze import oauth

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PKCS8, PKCS1 = (
    KEY.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
)
CURVE = ec.generate_private_key(ec.SECP256R1())
ADD = "/admin/catalog/cozeapp/add/"


@pytest.fixture(autouse=True)
def no_coze(settings, tmp_path):
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.COZE_EMULATOR_DIR = tmp_path


@pytest.fixture
def root(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def fields(**more) -> dict:
    return {
        "name": "Second", "base_url": "https://api.coze.cn", "client_id": "115", "public_key_id": "kid",
        "private_key": PKCS8, "audience": "", "token_ttl": "3600", "send_session_name_in_body": "on", "is_active": "on",
    } | more  # fmt: skip


def shows_key(text: str) -> bool:
    body = "".join(PKCS8.splitlines()[1:-1])
    return "PRIVATE KEY" in text.replace("BEGIN … PRIVATE KEY", "") or any(
        body[start : start + 24] in text for start in range(0, len(body) - 24, 24)
    )


@pytest.mark.parametrize(
    "pem",
    [
        PKCS8,
        PKCS1,
        PKCS8.replace("\n", "\\n"),
        PKCS8.replace("\n", "\r\n"),
        PKCS8.replace("\n", " "),
        f"  \n{PKCS1}\n\n",
    ],
    ids=["PKCS#8", "PKCS#1", "written newlines", "CRLF", "blanks", "surrounded"],
)
def test_a_key_is_taken_in_every_shape_and_can_sign(pem, root):
    answer = root.post(ADD, fields(private_key=pem), follow=True)
    app = CozeApp.objects.get(name="Second")
    assert oauth.parse_private_key(app.private_key).private_numbers() == KEY.private_numbers()
    assert app.source == CozeApp.Source.ADMIN
    assert not shows_key(answer.content.decode())


@pytest.mark.parametrize(
    "pem",
    ["rubbish", PKCS8[:200], PKCS8.replace("A", "B"), "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
     CURVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), ""],
    ids=["rubbish", "cut off", "damaged", "empty", "not RSA", "none"],
)  # fmt: skip
def test_a_key_that_cannot_sign_is_refused_and_not_repeated(pem, root):
    answer = root.post(ADD, fields(private_key=pem))
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["private_key"]
    assert not CozeApp.objects.filter(name="Second").exists()
    shown = answer.content.decode().split("<textarea")[1].split("</textarea>")[0]
    assert shown.endswith(">\n")
    assert "-----BEGIN PRIVATE KEY" not in answer.content.decode()


def test_a_good_key_is_not_repeated_when_another_field_is_wrong(root):
    answer = root.post(ADD, fields(token_ttl="5"))
    assert answer.status_code == 200
    assert not shows_key(answer.content.decode())


def test_the_key_never_comes_out(root):
    root.post(ADD, fields())
    app = CozeApp.objects.get(name="Second")
    for path in ("/admin/catalog/cozeapp/", f"/admin/catalog/cozeapp/{app.pk}/change/",
                 f"/admin/catalog/cozeapp/{app.pk}/history/", f"/admin/catalog/cozeapp/{app.pk}/delete/"):  # fmt: skip
        assert not shows_key(root.get(path).content.decode()), path
    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key FROM catalog_cozeapp WHERE id = %s", [app.pk])
        assert not shows_key(cursor.fetchone()[0])


def test_an_empty_key_field_keeps_the_stored_key_and_a_new_key_takes_its_place(root):
    root.post(ADD, fields())
    app = CozeApp.objects.get(name="Second")
    path = f"/admin/catalog/cozeapp/{app.pk}/change/"
    root.post(path, fields(name="Renamed", private_key=""))
    app.refresh_from_db()
    assert app.name == "Renamed"
    assert oauth.parse_private_key(app.private_key)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    root.post(path, fields(private_key=pem))
    app.refresh_from_db()
    assert oauth.parse_private_key(app.private_key).private_numbers() == other.private_numbers()


def test_a_key_that_todays_encryption_keys_cannot_open_is_asked_for_again(root, settings):
    from cryptography.fernet import Fernet

    root.post(ADD, fields())
    app = CozeApp.objects.get(name="Second")
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    path = f"/admin/catalog/cozeapp/{app.pk}/change/"
    assert root.get(path).status_code == 200
    assert root.post(path, fields(private_key="")).status_code == 200
    assert root.post(path, fields()).status_code == 302


@pytest.mark.parametrize(
    ("field", "value"),
    [("base_url", "ftp://x"), ("base_url", "rubbish"), ("token_ttl", "59"), ("token_ttl", "86400")],
)
def test_what_coze_would_not_take_is_refused(field, value, root):
    assert root.post(ADD, fields(**{field: value})).status_code == 200
    assert not CozeApp.objects.filter(name="Second").exists()


def test_the_environments_app_is_shown_and_can_only_be_named_and_switched_off(root):
    default_assistant()
    app = CozeApp.objects.get(source="environment")
    path = f"/admin/catalog/cozeapp/{app.pk}"
    page = root.get(f"{path}/change/").content.decode()
    assert 'name="private_key"' not in page
    assert 'name="client_id"' not in page
    assert root.post(f"{path}/change/", fields(name="Ours", client_id="stolen")).status_code == 302
    app.refresh_from_db()
    assert (app.name, app.client_id, app.private_key) == ("Ours", "", "")
    # As the page sends it: there is no field for a key.
    assert root.post(f"{path}/change/", {"name": "Theirs"}).status_code == 302
    app.refresh_from_db()
    assert (app.name, app.is_active) == ("Theirs", False)
    assert root.get(f"{path}/delete/").status_code == 403
    assert root.post(f"{path}/delete/", {"post": "yes"}).status_code == 403


def test_an_assistant_has_an_app_id_or_a_bot_id_and_not_both(root):
    app = CozeApp.objects.create(name="x")
    assistant = {
        "app": app.pk,
        "name": "A",
        "kind": "chat_workflow",
        "workflow_id": "1",
        "position": "1",
        "suggestions": "[]",
    }
    path = "/admin/catalog/assistant/add/"
    assert root.post(path, assistant | {"coze_app_id": "1", "bot_id": "2"}).status_code == 200
    assert root.post(path, assistant | {"coze_app_id": "", "bot_id": ""}).status_code == 200
    assert root.post(path, assistant | {"coze_app_id": "1", "bot_id": ""}).status_code == 302
    assert Assistant.objects.get(app=app).coze_app_id == "1"


TOKEN = "pat_" + "x" * 40
ALONE = {"private_key": "", "client_id": "", "public_key_id": "", "personal_token": TOKEN}


@pytest.fixture
def closed(settings):
    settings.ALLOW_SIGNUP = settings.ALLOW_VISITORS = False
    return settings


def test_a_personal_token_takes_the_keys_place_and_a_key_takes_its(root, closed):
    root.post(ADD, fields(**ALONE))
    app = CozeApp.objects.get(name="Second")
    assert (app.personal_token, app.private_key, app.client_id) == (TOKEN, "", "")
    path = f"/admin/catalog/cozeapp/{app.pk}/change/"
    assert TOKEN not in root.get(path).content.decode()
    assert TOKEN not in root.get("/admin/catalog/cozeapp/").content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SELECT personal_token FROM catalog_cozeapp WHERE id = %s", [app.pk])
        assert TOKEN not in cursor.fetchone()[0]
    root.post(path, fields(name="Renamed", private_key="", client_id="", public_key_id=""))
    app.refresh_from_db()
    assert (app.name, app.personal_token) == ("Renamed", TOKEN)
    root.post(path, fields())
    app.refresh_from_db()
    assert (app.personal_token, app.client_id) == ("", "115")
    assert app.private_key
    CozeApp.objects.filter(pk=app.pk).update(other_public_key_id="kid-2", other_private_key=PKCS1)
    root.post(path, fields(**ALONE))
    app.refresh_from_db()
    assert (app.personal_token, app.private_key, app.other_private_key) == (TOKEN, "", "")


@pytest.mark.parametrize(
    "more",
    [ALONE | {"personal_token": "rubbish"}, ALONE | {"personal_token": "pat_x"},
     ALONE | {"personal_token": "czs_" + "x" * 40},
     ALONE | {"private_key": PKCS8}, ALONE | {"personal_token": "pat_" + "é" * 40}],
    ids=["rubbish", "short", "another kind", "beside a key", "no ASCII"],
)  # fmt: skip
def test_what_is_no_personal_token_is_refused_and_not_repeated(more, root, closed):
    answer = root.post(ADD, fields(**more))
    assert answer.status_code == 200
    assert more["personal_token"] not in answer.content.decode() or more["personal_token"] == "rubbish"
    assert not CozeApp.objects.filter(name="Second").exists()


def test_a_personal_token_is_refused_where_others_may_come(root, closed):
    closed.ALLOW_SIGNUP = True
    answer = root.post(ADD, fields(**ALONE))
    assert "ALLOW_SIGNUP=off" in answer.content.decode()
    assert not CozeApp.objects.filter(name="Second").exists()


def test_a_key_without_its_id_or_app_is_refused(root):
    answer = root.post(ADD, fields(client_id="", public_key_id=""))
    assert set(answer.context["adminform"].form.errors) == {"client_id", "public_key_id"}


@pytest.mark.parametrize("suggestions", ['{"a": 1}', "5", '"text"', "[1, 2]", "null", ""])
def test_questions_to_try_of_any_shape_never_break_the_page(suggestions, root):
    app = CozeApp.objects.create(name="x")
    root.post("/admin/catalog/assistant/add/", {
        "app": app.pk, "name": "A", "kind": "chat_workflow", "workflow_id": "1", "position": "0", "coze_app_id": "1",
        "suggestions": suggestions, "is_active": "on",
    })  # fmt: skip
    assert root.get("/").status_code == 200
