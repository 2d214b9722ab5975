"""What the environment says about Coze stands in the database, once, and follows the settings."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cozechat.catalog import environment
from cozechat.catalog.environment import credentials_of, default_assistant, emulator
from cozechat.catalog.models import Assistant, CozeApp

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def emulated(settings, tmp_path, db):
    settings.COZE_EMULATED, settings.COZE_API_BASE = True, ""
    settings.COZE_EMULATOR_DIR, settings.COZE_EMULATOR_PORT = tmp_path, 0
    return settings


@pytest.fixture
def real(settings, db):
    settings.COZE_EMULATED, settings.COZE_API_BASE = False, "https://api.coze.cn"
    settings.COZE_CLIENT_ID, settings.COZE_PUBLIC_KEY_ID, settings.COZE_PRIVATE_KEY = "115", "kid", "pem"
    settings.COZE_WORKFLOW_ID, settings.COZE_APP_ID, settings.COZE_BOT_ID = "7301", "7302", ""
    return settings


def test_with_nothing_set_the_emulators_demo_is_offered(emulated):
    assistant = default_assistant()
    assert assistant.name == "Demo"
    assert assistant.app.source == "environment"
    assert assistant.app.name == "Emulator"
    assert credentials_of(assistant.app).client_id
    assert assistant == default_assistant()
    assert CozeApp.objects.count() == 1
    assert list(Assistant.objects.offered().values_list("name", "kind")) == [
        ("Demo", "chat_workflow"),
        ("Barista", "bot"),
        ("Trip planner", "workflow_run"),
        ("Report", "long_workflow_run"),
        ("Order", "workflow_run"),
    ]


def test_the_emulators_bot_is_not_offered_at_coze(emulated):
    default_assistant()
    emulated.COZE_EMULATED, emulated.COZE_API_BASE = False, "https://api.coze.cn"
    emulated.COZE_WORKFLOW_ID, emulated.COZE_APP_ID, emulated.COZE_BOT_ID = "7301", "7302", ""
    default_assistant()
    assert [assistant.name for assistant in Assistant.objects.offered()] == ["Demo"]


def test_the_settings_app_and_assistant_are_offered(real):
    assistant = default_assistant()
    assert (assistant.workflow_id, assistant.coze_app_id, assistant.bot_id) == ("7301", "7302", "")
    assert assistant.app.private_key == ""
    assert credentials_of(assistant.app).private_key == "pem"
    assert credentials_of(assistant.app).base_url == "https://api.coze.cn"


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"COZE_WORKFLOW_ID": "8"}, ("8", "7302", "")),
        ({"COZE_APP_ID": "", "COZE_BOT_ID": "9"}, ("7301", "", "9")),
    ],
)
def test_a_changed_workflow_is_followed(changes, ids, real):
    first = default_assistant()
    for name, value in changes.items():
        setattr(real, name, value)
    again = default_assistant()
    assert again.pk == first.pk
    assert (again.workflow_id, again.coze_app_id, again.bot_id) == ids


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [("COZE_API_BASE", "https://api.coze.com", "base_url"), ("COZE_CLIENT_ID", "2", "client_id"),
     ("COZE_TOKEN_TTL", 900, "token_ttl"), ("COZE_SEND_SESSION_NAME_IN_BODY", False, "send_session_name_in_body")],
)  # fmt: skip
def test_a_changed_setting_is_followed(name, value, field, real):
    default_assistant()
    setattr(real, name, value)
    assert getattr(default_assistant().app, field) == value
    assert CozeApp.objects.count() == 1


def test_what_the_admin_named_and_described_stays(real):
    first = default_assistant()
    Assistant.objects.update(name="Barista", description="Knows coffee", position=5)
    CozeApp.objects.update(name="Ours")
    real.COZE_WORKFLOW_ID = "8"
    again = default_assistant()
    assert (again.pk, again.name, again.description, again.position) == (
        first.pk,
        "Barista",
        "Knows coffee",
        5,
    )
    assert again.app.name == "Ours"


def test_an_app_of_the_same_name_is_no_hindrance(real):
    CozeApp.objects.create(name="Coze")
    assert default_assistant().app.name == "Coze (environment)"


def test_what_is_switched_off_is_not_offered_and_stays_off(real):
    assistant = default_assistant()
    Assistant.objects.update(is_active=False)
    assert default_assistant() is None
    Assistant.objects.update(is_active=True)
    CozeApp.objects.update(is_active=False)
    assert default_assistant() is None
    other = Assistant.objects.create(
        app=CozeApp.objects.create(name="x"), name="x", workflow_id="1", bot_id="1"
    )
    assert default_assistant() == other
    assert assistant.app_id != other.app_id


def test_when_all_is_in_line_two_questions_are_enough(real, django_assert_max_num_queries):
    default_assistant()
    with django_assert_max_num_queries(3):
        default_assistant()


_MAKE = """
import django, sys
django.setup()
from cozechat.catalog.environment import default_assistant
print(default_assistant().pk)
"""


@pytest.mark.slow
def test_several_processes_that_start_at_once_make_one_of_each(tmp_path):
    import os

    env = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")} | {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'site.sqlite3'}", "VAR_DIR": str(tmp_path / "var"),
        "DJANGO_SETTINGS_MODULE": "cozechat.settings", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True)
    processes = [
        subprocess.Popen([sys.executable, "-c", _MAKE], cwd=ROOT, env=env, stdout=-1, stderr=-1, text=True)
        for _ in range(5)
    ]
    answers = [process.communicate(timeout=60) for process in processes]
    assert {out.strip() for out, _error in answers} == {"1"}, answers


def test_the_emulator_runs_inside_its_block_and_not_after_it(emulated):
    with emulator() as base_url:
        assert base_url == emulated.COZE_API_BASE
        assert httpx.get(base_url, trust_env=False).status_code < 500
        with emulator() as again:
            assert again == base_url
        assert httpx.get(base_url, trust_env=False).status_code < 500
    assert emulated.COZE_API_BASE == ""
    with pytest.raises(httpx.ConnectError):
        httpx.get(base_url, trust_env=False)


def test_with_a_real_coze_no_emulator_is_started(real):
    with emulator() as base_url:
        assert base_url == "https://api.coze.cn"


def test_a_port_that_somebody_else_has_is_not_insisted_on(settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings.COZE_EMULATOR_PORT = taken.getsockname()[1]
        assert environment._emulator_port() == 0
    assert environment._emulator_port() == settings.COZE_EMULATOR_PORT
