"""Coze's JSON file becomes an app in the admin; what is wrong with it stands at the form, and no key ever comes back."""

import hashlib
import json
import subprocess

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from cozechat.catalog.models import CozeApp
from cozechat.coze import oauth

from .test_admin import ADD, KEY, PKCS8, fields, no_coze, root, shows_key

__all__ = ["no_coze", "root"]
COZES = {
    "client_type": "jwt",
    "client_id": "1150000000000",
    "coze_www_base": "https://www.coze.cn",
    "coze_api_base": "https://api.coze.cn",
    "private_key": PKCS8,
    "public_key_id": "kid-1",
}
GATEWAYS = {"app_id": 1150000000000, "key_id": "kid-1", "private_key": PKCS8, "aud": "api.coze.com"}
EMPTY = {"base_url": "", "client_id": "", "public_key_id": "", "private_key": ""}


def imported(root, text, *, as_file=False, **more):
    """The answer to the form with nothing typed but the app's name."""
    given = (
        {"configuration_file": SimpleUploadedFile("coze.json", text)} if as_file else {"configuration": text}
    )
    return root.post(ADD, fields(**EMPTY, **given, **more))


@pytest.mark.parametrize("as_file", [False, True], ids=["pasted", "file"])
@pytest.mark.parametrize(
    ("configuration", "base_url"),
    [
        (COZES, "https://api.coze.cn"),
        (GATEWAYS, "https://api.coze.com"),
        (GATEWAYS | {"private_key": PKCS8.replace("\n", "\\n")}, "https://api.coze.com"),
    ],
    ids=["Coze's", "other names", "written newlines"],
)
def test_a_file_makes_an_app_that_can_sign(configuration, base_url, as_file, root):
    text = json.dumps(configuration)
    answer = imported(root, b"\xef\xbb\xbf" + text.encode() if as_file else text, as_file=as_file)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    app = CozeApp.objects.get(name="Second")
    assert (app.base_url, app.client_id, app.public_key_id) == (base_url, "1150000000000", "kid-1")
    assert app.audience == ""
    assert oauth.parse_private_key(app.private_key).private_numbers() == KEY.private_numbers()


def test_what_is_typed_wins_over_the_file(root):
    more = {"configuration": json.dumps(COZES | {"aud": "coze.example"})}
    root.post(ADD, fields(**EMPTY | {"client_id": "typed", "base_url": "https://proxy.example"}, **more))
    app = CozeApp.objects.get(name="Second")
    assert (app.client_id, app.base_url, app.public_key_id) == ("typed", "https://proxy.example", "kid-1")
    assert app.audience == "coze.example"


def test_a_new_file_takes_the_place_of_the_old_one(root):
    imported(root, json.dumps(COZES))
    app = CozeApp.objects.get(name="Second")
    page = f"/admin/catalog/cozeapp/{app.pk}/change/"
    form = fields(base_url=app.base_url, client_id=app.client_id, public_key_id="kid-1", private_key="")
    root.post(page, form | {"configuration": json.dumps(COZES | {"public_key_id": "kid-2"})})
    app.refresh_from_db()
    assert (app.public_key_id, app.client_id) == ("kid-2", "1150000000000")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ("[1]", "JSON object"),
        ("[" * 5000, "JSON"),
        (json.dumps({"client_id": "1"}), "public_key_id / key_id, private_key"),
        (json.dumps(COZES | {"client_type": "web"}), "another type"),
        (json.dumps(COZES | {"client_id": ["x"]}), "must be a text"),
        (json.dumps(COZES) + PKCS8, "no JSON"),
    ],
    ids=["cut off", "a list", "deep", "lacking", "another type", "wrong type", "with more behind it"],
)
@pytest.mark.parametrize("as_file", [False, True], ids=["pasted", "file"])
def test_what_is_wrong_with_it_stands_at_the_form(text, says, as_file, root):
    answer = imported(root, text.encode() if as_file else text, as_file=as_file)
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert list(errors) == ["configuration"]
    assert says in errors["configuration"][0]
    assert says in answer.content.decode()
    assert not shows_key(answer.content.decode())
    assert not CozeApp.objects.filter(name="Second").exists()


def test_a_damaged_key_and_a_wrong_address_stand_at_their_fields(root):
    bad = COZES | {"private_key": PKCS8[:200], "coze_api_base": "ftp://x"}
    errors = imported(root, json.dumps(bad)).context["adminform"].form.errors
    assert set(errors) == {"private_key", "base_url"}


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"{" + b" " * 70_000 + b"}"], ids=["no text", "too large"]
)
def test_a_file_that_is_none_is_refused(content, root):
    answer = imported(root, content, as_file=True)
    assert answer.context["adminform"].form.errors["configuration"]


def test_it_is_the_file_or_its_text(root):
    file = SimpleUploadedFile("coze.json", json.dumps(COZES).encode())
    answer = imported(root, json.dumps(COZES), configuration_file=file)
    assert answer.context["adminform"].form.errors["configuration"]


def test_the_page_shows_which_key_it_is_and_never_the_key(root, tmp_path):
    imported(root, json.dumps(COZES))
    app = CozeApp.objects.get(name="Second")
    page = root.get(f"/admin/catalog/cozeapp/{app.pk}/change/").content.decode()
    (tmp_path / "key").write_text(PKCS8)
    command = ["openssl", "rsa", "-in", str(tmp_path / "key"), "-pubout", "-outform", "DER"]
    public = subprocess.run(command, capture_output=True, check=True).stdout
    assert hashlib.sha256(public).hexdigest() in page
    assert not shows_key(page)
