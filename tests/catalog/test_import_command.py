"""`import_coze_config`: Coze's file becomes an app from a shell, and every error says what to mend."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import CozeApp
from tests.keys import private_pem

FILE = {
    "client_type": "jwt", "client_id": "1150000", "coze_api_base": "https://api.coze.cn", "public_key_id": "kid-1",
    "private_key": private_pem(1),
}  # fmt: skip

pytestmark = pytest.mark.django_db


@pytest.fixture
def given(tmp_path):
    def write(content=FILE) -> str:
        path = tmp_path / "coze.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return str(path)

    return write


def imported(*arguments: str) -> str:
    out = io.StringIO()
    call_command("import_coze_config", *arguments, stdout=out)
    return out.getvalue()


def test_a_file_makes_an_app_and_the_key_stays_inside(given):
    said = imported(given(), "--name", "Second")
    app = CozeApp.objects.get(name="Second")
    assert (app.client_id, app.public_key_id, app.base_url) == ("1150000", "kid-1", "https://api.coze.cn")
    assert app.private_key == private_pem(1).strip()
    assert "PRIVATE KEY" not in said
    assert "fingerprint" in said


def test_the_same_name_again_changes_the_app(given):
    imported(given())
    imported(given(FILE | {"public_key_id": "kid-2", "private_key": private_pem(2)}))
    app = CozeApp.objects.get(client_id="1150000")
    assert (app.name, app.public_key_id) == ("1150000", "kid-2")


def test_a_next_key_waits_beside_the_one_in_use(given):
    imported(given(), "--name", "Second")
    following = FILE | {"public_key_id": "kid-2", "private_key": private_pem(2)}
    assert "the next key is kept" in imported(given(following), "--name", "Second", "--next")
    app = CozeApp.objects.get(name="Second")
    assert (app.public_key_id, app.other_public_key_id) == ("kid-1", "kid-2")
    for wrong, says in ((FILE, "in use already"), (following | {"client_id": "2"}, "another OAuth app")):
        with pytest.raises(CommandError, match=says):
            imported(given(wrong), "--name", "Second", "--next")
    with pytest.raises(CommandError, match="no such app"):
        imported(given(), "--name", "Third", "--next")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "no JSON"),
        (b"\xff\xfe\x00", "no text"),
        (b" " * 70_000, "too large"),
        ({"client_id": "1"}, "public_key_id / key_id, private_key"),
        (FILE | {"private_key": private_pem(1)[:200]}, "private key in the file cannot be read"),
        (FILE | {"coze_api_base": "ftp://x"}, "base_url"),
        ({name: value for name, value in FILE.items() if name != "coze_api_base"}, "coze_api_base"),
    ],
    ids=["broken", "binary", "huge", "lacking", "damaged key", "address", "no address"],
)
def test_what_is_wrong_is_said_without_the_key_and_nothing_is_stored(content, says, given):
    with pytest.raises(CommandError, match=says) as refused:
        imported(given(content))
    assert private_pem(1)[40:80] not in str(refused.value)
    assert not CozeApp.objects.filter(source="admin").exists()


def test_a_file_that_is_not_there_and_the_environments_app(given, settings, tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        imported(str(tmp_path / "nowhere.json"))
    settings.COZE_EMULATOR_DIR = tmp_path
    name = default_assistant().app.name
    with pytest.raises(CommandError, match="environment's app"):
        imported(given(), "--name", name)
