"""Half a configuration refuses to start, and says what to mend."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from cozechat import checks
from cozechat.env import Misfit

ROOT = Path(__file__).resolve().parents[2]
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
WHOLE = {
    "COZE_API_BASE": "https://api.coze.cn", "COZE_CLIENT_ID": "115", "COZE_PUBLIC_KEY_ID": "kid",
    "COZE_PRIVATE_KEY": KEY.decode(), "COZE_WORKFLOW_ID": "7301", "COZE_APP_ID": "7302", "COZE_BOT_ID": "",
    "COZE_EMULATED": False, "COZE_TOKEN_TTL": 3600,
}  # fmt: skip


@pytest.fixture
def whole(settings, monkeypatch):
    for name in [name for name in os.environ if name.startswith("COZE_")]:
        monkeypatch.delenv(name)
    for name, value in WHOLE.items():
        setattr(settings, name, value)
    return settings


def found() -> dict[str, str]:
    return {message.id: f"{message.msg} {message.hint}" for message in run_checks(tags=[checks.TAG])}


def test_a_whole_configuration_passes(whole):
    assert found() == {}
    checks.refuse_broken_configuration()


@pytest.mark.parametrize(
    ("url", "key", "code"),
    [
        pytest.param("", "", "", id="neither"),
        pytest.param("https://tools.example.com/mcp", "k", "", id="both"),
        pytest.param("http://127.0.0.1:9091/mcp", "k", "", id="loopback"),
        pytest.param("https://tools.example.com/mcp", "", "cozechat.E040", id="no-key"),
        pytest.param("", "k", "cozechat.E040", id="no-address"),
        pytest.param("tools.example.com", "k", "cozechat.E041", id="not-an-address"),
        pytest.param("ftp://tools.example.com/mcp", "k", "cozechat.E041", id="not-http"),
        pytest.param("http://[::1", "k", "cozechat.E041", id="half-an-address"),
        pytest.param("http://tools.example.com/mcp", "k", "cozechat.E042", id="unencrypted"),
    ],
)
def test_half_a_tool_server_is_refused(whole, url, key, code):
    whole.KAI_MCP_URL, whole.KAI_API_KEY = url, key
    assert set(found()) == ({code} if code else set())


TOKEN = "pat_" + "x" * 40
ALONE = {"COZE_ACCESS_TOKEN": TOKEN, "COZE_CLIENT_ID": "", "COZE_PUBLIC_KEY_ID": "", "COZE_PRIVATE_KEY": "",
         "ALLOW_SIGNUP": False, "ALLOW_VISITORS": False}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"COZE_PUBLIC_KEY_ID_NEXT": "kid-2"}, "E007", ["COZE_PRIVATE_KEY_NEXT is not set"]),
        ({"COZE_PRIVATE_KEY_NEXT": KEY.decode()}, "E007", ["COZE_PUBLIC_KEY_ID_NEXT is not set"]),
        (
            {"COZE_PUBLIC_KEY_ID_NEXT": "k", "COZE_PRIVATE_KEY_NEXT": "rubbish"},
            "E005",
            ["COZE_PRIVATE_KEY_NEXT cannot be read"],
        ),
        (ALONE | {"COZE_CLIENT_ID": "115"}, "E008", ["COZE_CLIENT_ID", "two ways"]),
        (ALONE | {"COZE_ACCESS_TOKEN": "czs_" + "x" * 40}, "E009", ["pat_"]),
        (ALONE | {"ALLOW_SIGNUP": True}, "E010", ["ALLOW_SIGNUP=off"]),
        (ALONE | {"ALLOW_VISITORS": True}, "E010", ["ALLOW_VISITORS=off"]),
    ],
)
def test_half_a_next_key_and_a_token_beside_others_are_refused(whole, db, changes, code, words):
    for name, value in changes.items():
        setattr(whole, name, value)
    said = found()
    assert set(said) == {f"cozechat.{code}"}
    assert all(word in said[f"cozechat.{code}"] for word in words)
    assert TOKEN not in str(said)


def test_a_whole_next_key_passes_and_so_does_a_token_alone(whole, db):
    whole.COZE_PUBLIC_KEY_ID_NEXT, whole.COZE_PRIVATE_KEY_NEXT = "kid-2", KEY.decode()
    assert found() == {}
    whole.COZE_PUBLIC_KEY_ID_NEXT = whole.COZE_PRIVATE_KEY_NEXT = ""
    for name, value in ALONE.items():
        setattr(whole, name, value)
    assert found() == {}


def test_no_configuration_passes(settings, monkeypatch):
    for name in [name for name in os.environ if name.startswith("COZE_")]:
        monkeypatch.delenv(name)
    settings.COZE_EMULATED = True
    assert found() == {}


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"COZE_API_BASE": ""}, "E001", ["COZE_API_BASE", "api.coze.cn"]),
        ({"COZE_CLIENT_ID": ""}, "E001", ["COZE_CLIENT_ID"]),
        ({"COZE_PUBLIC_KEY_ID": ""}, "E001", ["COZE_PUBLIC_KEY_ID", "kid"]),
        ({"COZE_PRIVATE_KEY": ""}, "E001", ["COZE_PRIVATE_KEY", "COZE_PRIVATE_KEY_FILE"]),
        ({"COZE_WORKFLOW_ID": ""}, "E001", ["COZE_WORKFLOW_ID"]),
        ({"COZE_APP_ID": ""}, "E002", ["Neither", "COZE_APP_ID", "COZE_BOT_ID"]),
        ({"COZE_BOT_ID": "1"}, "E002", ["Both"]),
        ({"COZE_API_BASE": "api.coze.cn"}, "E003", ["https://api.coze.cn"]),
        ({"COZE_API_BASE": "ftp://api.coze.cn"}, "E003", ["no address"]),
        ({"COZE_API_BASE": "https://"}, "E003", ["no address"]),
        ({"COZE_API_BASE": "http://[::1"}, "E003", ["no address"]),
        ({"COZE_API_BASE": "http://api.coze.cn"}, "E004", ["https://"]),
        ({"COZE_PRIVATE_KEY": "rubbish"}, "E005", ["BEGIN", "\\n"]),
        ({"COZE_PRIVATE_KEY": KEY.decode()[:300]}, "E005", ["BEGIN"]),
        ({"COZE_TOKEN_TTL": 86_400}, "E006", ["86399"]),
        ({"COZE_TOKEN_TTL": 0}, "E006", ["86399"]),
        ({"TOKEN_ENCRYPTION_KEYS": ["rubbish"]}, "E020", ["Fernet"]),
        ({"COZE_WEBHOOK_TOKENS": ["x" * 32, "x" * 15]}, "E030", ["16", "token_urlsafe"]),
    ],
)
def test_each_mistake_is_named_with_what_to_do(changes, code, words, whole):
    for name, value in changes.items():
        setattr(whole, name, value)
    messages = found()
    assert set(messages) == {f"cozechat.{code}"}
    for word in words:
        assert word in messages[f"cozechat.{code}"]
    with pytest.raises(checks.ImproperlyConfigured) as refused:
        checks.refuse_broken_configuration()
    assert f"cozechat.{code}" in str(refused.value)


def test_a_loopback_needs_no_https(whole):
    for base in ("http://127.0.0.1:9090", "http://localhost:9090", "http://[::1]:9090"):
        whole.COZE_API_BASE = base
        assert found() == {}


def test_a_key_is_never_shown_in_a_message(whole):
    body = KEY.decode().splitlines()[3]
    whole.COZE_PRIVATE_KEY = KEY.decode().replace("-----END PRIVATE KEY-----", body)
    whole.TOKEN_ENCRYPTION_KEYS = ["secret-that-is-no-fernet-key"]
    assert not [text for text in found().values() if body in text or "secret-that" in text]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("COZE_APP_IDD", "COZE_APP_ID"), ("COZE_WORKFLOWID", "COZE_WORKFLOW_ID"), ("COZE_XYZZY_QQ", "README"),
     ("COZE_PRIVATE_KEYS_FILE", "COZE_PRIVATE_KEY")],
)  # fmt: skip
def test_an_unknown_name_is_a_warning_with_the_nearest_known_one(name, hint, whole, monkeypatch):
    monkeypatch.setenv(name, "1")
    (text,) = found().values()
    assert name in text
    assert hint in text
    checks.refuse_broken_configuration()


def run(*arguments: str, tmp_path, **more: str) -> subprocess.CompletedProcess:
    env = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")}
    env |= {"VAR_DIR": str(tmp_path / "var"), "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": "cozechat.settings"}  # fmt: skip
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=env | more, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "start", [["manage.py", "check"], ["-c", "import cozechat.asgi"]], ids=["check", "asgi"]
)
def test_half_a_configuration_refuses_to_start(start, tmp_path):
    half = run(*start, tmp_path=tmp_path, COZE_CLIENT_ID="115")
    assert half.returncode != 0
    for word in ("cozechat.E001", "cozechat.E002", "COZE_PRIVATE_KEY", "HINT"):
        assert word in half.stderr
    assert run(*start, tmp_path=tmp_path).returncode == 0


def test_the_whole_configuration_comes_from_the_environment_and_from_files(tmp_path):
    (tmp_path / "key.pem").write_bytes(KEY)
    given = {
        name: str(value) for name, value in WHOLE.items() if name not in {"COZE_PRIVATE_KEY", "COZE_EMULATED"}
    }
    done = run(
        "manage.py", "check", tmp_path=tmp_path, COZE_PRIVATE_KEY_FILE=str(tmp_path / "key.pem"), **given
    )
    assert done.returncode == 0, done.stderr


def test_a_deployment_behind_https_has_nothing_to_complain_of(tmp_path):
    done = run(
        "manage.py", "check", "--deploy", "--fail-level", "WARNING", tmp_path=tmp_path,
        HTTPS="on", SECRET_KEY="k" * 20 + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", ALLOWED_HOSTS="chat.example",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_models_and_migrations_agree(tmp_path):
    done = run("manage.py", "makemigrations", "--check", "--dry-run", tmp_path=tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_receiver_that_is_switched_off_says_so_where_a_deployment_is_checked(whole):
    told = {
        message.id: message.msg for message in run_checks(tags=[checks.TAG], include_deployment_checks=True)
    }
    assert set(told) == {"cozechat.I030", "cozechat.I031"}
    assert "/webhook/coze answers 404" in told["cozechat.I030"]
    assert "/callbacks/coze answers 404" in told["cozechat.I031"]
    whole.COZE_WEBHOOK_TOKENS, whole.COZE_CALLBACK_VERIFY_TOKENS = ["x" * 16], ["y"]
    assert run_checks(tags=[checks.TAG], include_deployment_checks=True) == []


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("TURNS_PER_MINUTE", "sixty"),
        ("TURNS_PER_MINUTE", "-1"),
        ("TURNS_PER_MINUTE", "1.5"),
        ("TURNS_BURST", "0"),
        ("TURNS_PER_DAY", "∞"),
        ("TURN_CONTENT_LIMIT", "100000"),
        ("TURNS_AT_ONCE", "0"),
        ("API_PER_MINUTE", "nan"),
        ("COZE_POOL_SIZE", "0"),
        ("COZE_CONNECT_TIMEOUT", "-2"),
        ("COZE_SILENCE_SECONDS", "inf"),
        ("COZE_CONTENT_SECONDS", "nan"),
        ("COZE_POOL_TIMEOUT", "a while"),
    ],
)
def test_a_number_that_is_none_refuses_to_start_and_says_what_would_be_one(whole, monkeypatch, name, given):
    monkeypatch.setenv(name, given)
    whole.MISFIT_SETTINGS = misfits_of_the_settings()
    (said,) = found().values()
    assert name in said
    assert repr(given) in said
    assert "Set a number from" in said
    with pytest.raises(ImproperlyConfigured, match=name):
        checks.refuse_broken_configuration()


def misfits_of_the_settings() -> list[Misfit]:
    """The settings read anew, from the environment as it is."""
    return runpy.run_path(str(ROOT / "cozechat" / "settings.py"))["MISFIT_SETTINGS"]


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("TURNS_PER_MINUTE", "0", 0),
        ("TURNS_BURST", " 3\n", 3),
        ("COZE_CONNECT_TIMEOUT", "0.5", 0.5),
        ("TURNS_PER_DAY", "", 0),
    ],
)
def test_a_number_is_taken_as_it_is_meant(whole, monkeypatch, name, given, value):
    monkeypatch.setenv(name, given)
    read = runpy.run_path(str(ROOT / "cozechat" / "settings.py"))
    assert (read[name], read["MISFIT_SETTINGS"]) == (value, [])


def test_rubbish_in_a_number_stops_every_way_of_starting(tmp_path):
    for start in (["manage.py", "check"], ["-c", "import cozechat.asgi"]):
        done = run(*start, tmp_path=tmp_path, TURNS_PER_MINUTE="sixty")
        assert done.returncode != 0
        for word in ("cozechat.E050", "TURNS_PER_MINUTE cannot be 'sixty'", "HINT"):
            assert word in done.stderr


def test_the_limits_that_are_promised_are_the_defaults(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("COZE_", "TURN", "API_"))]:
        monkeypatch.delenv(name)
    read = runpy.run_path(str(ROOT / "cozechat" / "settings.py"))
    assert (read["TURNS_PER_MINUTE"], read["TURNS_BURST"], read["TURNS_PER_DAY"]) == (60, 10, 0)
    assert (read["COZE_POOL_SIZE"], read["COZE_CONNECT_TIMEOUT"]) == (100, 2.5)
    assert (read["TURN_CONTENT_LIMIT"], read["TURNS_AT_ONCE"]) == (32_768, 8)


@pytest.mark.parametrize(
    ("origins", "visitors", "code"),
    [
        (["https://www.example.com", "http://127.0.0.1:8191", "https://[::1]:8443"], True, ""),
        ([], False, ""),
        (["https://www.example.com"], False, "cozechat.W060"),
        (["www.example.com"], True, "cozechat.E060"),
        (["https://www.example.com/"], True, "cozechat.E060"),
        (["https://www.example.com/shop"], True, "cozechat.E060"),
        (["https://*.example.com"], True, "cozechat.E060"),
        (["*"], True, "cozechat.E060"),
        (["'self'"], True, "cozechat.E060"),
        (["https://"], True, "cozechat.E060"),
        (["https://a.example; script-src *"], True, "cozechat.E060"),
    ],
)
def test_sites_that_may_show_the_chat_are_named_one_by_one(whole, origins, visitors, code):
    whole.WIDGET_ORIGINS, whole.ALLOW_VISITORS = origins, visitors
    assert set(found()) == ({code} if code else set())
