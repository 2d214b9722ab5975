"""`check_coze` and `/diagnostics/coze`: what is wrong, what to mend, and no secret."""

import io
import json
import socket

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import call_command
from django.test import AsyncClient

from tests.operators import configure

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def configured(coze, settings):
    configure(settings, coze)
    return coze


def check(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    with pytest.raises(SystemExit) as left:
        call_command("check_coze", *arguments, stdout=out, stderr=out, no_color=True)
    return int(left.value.code or 0), out.getvalue()


def found(*arguments: str) -> tuple[int, list[dict]]:
    code, out = check("--json", *arguments)
    return code, json.loads(out)["apps"][0]["findings"]


def test_a_coze_that_works_is_tried_to_the_end_and_left_as_it_was(configured):
    code, findings = found()

    assert code == 0
    assert [finding["step"] for finding in findings] == ["configuration", "token", "conversation", "turn"]
    assert all(finding["ok"] for finding in findings)
    assert findings[-1]["log_id"]
    assert "characters" in findings[-1]["detail"]
    assert sum(configured.ledger()["chats"].values()) == 1


def test_it_can_spend_nothing(configured):
    code, findings = found("--no-turn")
    assert code == 0
    assert [finding["step"] for finding in findings] == ["configuration", "token", "conversation"]
    assert not configured.ledger()["chats"]


def test_people_get_a_verdict_and_a_name(configured):
    code, out = check()
    assert code == 0
    assert "Coze answers as it should." in out
    assert check("--app", "nobody")[0] == 1
    assert "Is it named right" in check("--app", "nobody")[1]


def test_a_key_id_that_does_not_belong_is_found_at_the_token(configured, settings):
    settings.COZE_PUBLIC_KEY_ID = "not-ours"
    code, findings = found()

    assert code == 1
    assert [finding["ok"] for finding in findings] == [True, False, None, None]
    assert "does not know this public key id" in findings[1]["hint"]
    assert findings[1]["log_id"]


def test_somebody_elses_key_is_found_at_the_token(configured, settings):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    settings.COZE_PRIVATE_KEY = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    code, out = check()

    assert code == 1
    assert "token          FAILED" in out
    assert settings.COZE_PRIVATE_KEY.splitlines()[1] not in out


def test_a_damaged_key_is_found_before_anything_is_sent(configured, settings):
    settings.COZE_PRIVATE_KEY = settings.COZE_PRIVATE_KEY[:200]
    _code, findings = found()
    assert findings[0]["ok"] is False
    assert "PEM" in findings[0]["hint"]
    assert settings.COZE_PRIVATE_KEY[60:100] not in json.dumps(findings)


def test_nothing_at_the_base_url(configured, settings):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    settings.COZE_API_BASE = f"http://127.0.0.1:{port}"
    _code, findings = found()
    assert findings[1]["ok"] is False
    assert "base URL" in findings[1]["hint"]


def test_a_workflow_that_is_not_there_is_found_at_the_turn(configured, settings):
    settings.COZE_WORKFLOW_ID = "7000000000000000001"
    code, findings = found()

    assert code == 1
    assert [finding["ok"] for finding in findings] == [True, True, True, False]
    assert findings[-1]["hint"]
    assert findings[-1]["code"]


@pytest.mark.parametrize("seconds", [-7200, 7200], ids=["behind", "ahead"])
def test_a_clock_that_is_wrong_is_named(configured, seconds):
    configured.arm("clock-skew", seconds=seconds)
    code, findings = found("--no-turn")
    assert (code, findings[1]["ok"]) == (1, False)
    assert "This machine's clock differs from Coze's." in findings[1]["hint"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("COZE_JWT_AUDIENCE", "api.example.com", "The audience (aud) is not the host"),
        ("COZE_CLIENT_ID", "999", "The client id is not that of the OAuth app"),
    ],
)
def test_a_wrong_audience_and_a_wrong_client_id_are_told_apart(configured, settings, name, value, says):
    setattr(settings, name, value)
    _code, findings = found("--no-turn")
    assert says in findings[1]["hint"]


def test_a_missing_permission_is_found_at_the_conversation(configured):
    configured.arm("json-error", path="/v1/conversation/create", code=4101, msg="no permission")
    code, findings = found("--no-turn")
    assert (code, findings[2]["code"], findings[2]["ok"]) == (1, 4101, False)
    assert "Give it the permissions" in findings[2]["hint"]


def test_a_workflow_that_was_never_published_is_to_be_published(configured, settings):
    from cozechat.emulator import seed

    settings.COZE_WORKFLOW_ID = seed.UNPUBLISHED_WORKFLOW_ID
    code, findings = found()
    assert (code, findings[3]["ok"]) == (1, False)
    assert "Publish the workflow or bot" in findings[3]["hint"]


@pytest.mark.parametrize("lost", ["", " ", "\\n"], ids=["one line", "blanks", "written"])
def test_a_pem_that_has_lost_its_newlines_works_all_the_same(configured, settings, lost):
    settings.COZE_PRIVATE_KEY = settings.COZE_PRIVATE_KEY.replace("\n", lost)
    assert found("--no-turn")[0] == 0


def test_another_key_is_tried_alone_and_does_not_keep_the_rest_from_being_tried(configured, settings):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    settings.COZE_PUBLIC_KEY_ID_NEXT = "not-there-yet"
    settings.COZE_PRIVATE_KEY_NEXT = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    code, findings = found("--no-turn")
    assert [(finding["step"], finding["ok"]) for finding in findings] == [
        ("configuration", True),
        ("token", True),
        ("other key", False),
        ("conversation", True),
    ]
    assert code == 1
    assert "does not know this public key id" in findings[2]["hint"]
    assert "[log" not in findings[2]["detail"]


async def get(user=None, **headers: str):
    client = AsyncClient()
    if user is not None:
        await client.aforce_login(user)
    return await client.get("/diagnostics/coze", headers=headers, HTTP_HOST="localhost")


async def test_staff_and_the_token_are_let_in_and_nobody_else(configured, settings, alice, bob):
    from accounts.models import User

    settings.DIAGNOSTICS_TOKEN = "let-me-in"
    alice.is_staff = True
    await User.objects.filter(pk=alice.pk).aupdate(is_staff=True)

    assert (await get()).status_code == 401
    assert (await get(bob)).status_code == 403
    assert (await get(Authorization="Bearer wrong")).status_code == 401
    assert (await get(bob, Authorization="Bearer wrong")).status_code == 401
    for answer in (await get(alice), await get(Authorization="Bearer let-me-in")):
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
    settings.DIAGNOSTICS_TOKEN = ""
    assert (await get(Authorization="Bearer ")).status_code == 401


async def test_the_page_tells_the_same_without_a_turn_and_without_secrets(configured, settings, alice):
    from asgiref.sync import sync_to_async

    from accounts.models import User
    from cozechat.catalog.environment import default_assistant

    await sync_to_async(default_assistant)()
    await User.objects.filter(pk=alice.pk).aupdate(is_staff=True)
    body = json.loads((await get(alice)).content)

    assert body["ok"] is True
    assert [finding["step"] for finding in body["apps"][0]["findings"]] == [
        "configuration",
        "token",
        "conversation",
    ]
    assert "czs_" not in json.dumps(body)
    assert settings.COZE_PUBLIC_KEY_ID not in json.dumps(body)
    assert not configured.ledger()["chats"]
