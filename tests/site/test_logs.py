"""One line an event, and no token, key or password in it, wherever it stands."""

import io
import json
import logging
import logging.config
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cozechat import logs
from cozechat.logs import LineFormatter, Lines, redact

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
BODY = st.text(LETTERS, min_size=20, max_size=60)
TOKENS = st.builds(str.__add__, st.sampled_from(["czs_", "pat_", "sat_", "czu_"]), BODY)
JWTS = st.builds("eyJ{}.eyJ{}.{}".format, BODY, BODY, BODY)
PEMS = st.builds(
    "-----BEGIN {0}PRIVATE KEY-----{2}{1}{2}-----END {0}PRIVATE KEY-----".format,
    st.sampled_from(["", "RSA "]), BODY, st.sampled_from(["\n", "\\n", " "]),
)  # fmt: skip
SECRETS = TOKENS | JWTS | PEMS


FORMS = ["json", "console"]
ROOT = Path(__file__).resolve().parents[2]


def logged(write, *, form: str = "console", name: str = "test") -> str:
    stream = io.StringIO()
    handler = Lines(stream)
    handler.setFormatter(LineFormatter(form=form))
    logger = logging.Logger(name)  # noqa: LOG001 - of this test alone, so that no other hears of it
    logger.addHandler(handler)
    write(logger)
    return stream.getvalue()


def fail(logger: logging.Logger, secret: str) -> None:
    try:
        try:
            raise ValueError(secret)
        except ValueError as error:
            raise RuntimeError(f"because of {secret}") from error
    except RuntimeError:
        logger.exception("it failed")


def under_an_id(logger: logging.Logger, secret: str) -> None:
    with logs.only(user_id=secret):
        logger.error("got it")


def fail_together(logger: logging.Logger, secret: str) -> None:
    try:
        raise ExceptionGroup("both", [ValueError(secret), OSError(f"at {secret}")])
    except ExceptionGroup:
        logger.exception("they failed")


WAYS = {
    "message": lambda logger, secret: logger.error(f"got {secret}."),  # noqa: G004
    "argument": lambda logger, secret: logger.error("got %s", secret),
    "repr": lambda logger, secret: logger.error("got %r", {"token": secret, "list": [secret]}),
    "header": lambda logger, secret: logger.error("Authorization: Bearer %s", secret),
    "url": lambda logger, secret: logger.error("GET /x?access_token=%s&y=1", secret),
    "exception": fail,
    "bytes": lambda logger, secret: logger.error("got %s", secret.encode()),
    "field": lambda logger, secret: logger.error("got it", extra={"path": f"/x/{secret}"}),
    "nested field": lambda logger, secret: logger.error(
        "got it", extra={"code": [{"a": (secret, {"b": secret})}]}
    ),
    "id": under_an_id,
    "a cause of a cause": fail,
    "group": fail_together,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", sorted(WAYS))
@given(secret=SECRETS)
def test_no_secret_is_logged(way, form, secret):
    text = logged(lambda logger: WAYS[way](logger, secret), form=form)
    assert secret not in text
    assert "[redacted]" in text
    body = secret.split("KEY-----")[1].strip("\\n ")[:20] if "KEY-----" in secret else secret[4:24]
    assert body not in text


@given(before=st.text(max_size=20), secret=SECRETS, after=st.text(" .,;\n中", max_size=3))
def test_what_stands_around_a_secret_does_not_save_it(before, secret, after):
    assert secret not in redact(before + secret + after)


def test_a_key_without_an_end_is_cut_to_the_end():
    assert redact("x -----BEGIN PRIVATE KEY-----\nMIIE\nabc") == "x [redacted]"


@pytest.mark.parametrize(
    "text", ["turn 0b7e1c52-6f0a-4d53-9f0e-1d2c3b4a5968 ended", "path_to/compat_mode", "eyJ", "u_0f3a", ""]
)
def test_what_is_no_secret_stays(text):
    assert redact(text) == text


def test_a_long_line_is_redacted_in_linear_time():
    import time

    started = time.thread_time()
    redact("-----BEGIN PRIVATE KEY-----" * 5_000 + "eyJ" * 50_000 + "czs_" * 50_000)
    assert time.thread_time() - started < 1


PASSWORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12, max_size=30)
HIDING = [
    "Authorization: Bearer {}", "Authorization: Basic {}", "authorization={}", "{{'Authorization': 'Bearer {}'}}",
    "[(b'authorization', b'Bearer {}')]", 'headers {{"Authorization": "{}"}}', "Proxy-Authorization: Digest {}",
    "bearer {}", "Cookie: sessionid={}", "Set-Cookie: a={}; Path=/", "(b'cookie', b'a=b; c={}')", "sessionid={}",
    "postgresql://cozechat:{}@db:5432/x", "redis://:{}@cache/0", "smtp+tls://me:{}@mail:587", "password={}",
    "password='{}'", '"password": "{}"', "{{'password': '{}'}}", "access_token={}&x=1", "POST /x?token={}", "api_key: {}",
    "client_secret={}", "passphrase: {}", "csrfmiddlewaretoken={}", "GET /accounts/password/reset/key/3-{}/",
    "GET /accounts/confirm-email/{}/",
]  # fmt: skip


@pytest.mark.parametrize("place", HIDING)
@given(
    password=PASSWORDS,
    before=st.text(max_size=10),
    after=st.sampled_from(["", " ", "\n", ", b", "; c", "中"]),
)
def test_no_password_is_logged_where_passwords_stand(place, password, before, after):
    text = redact(f"{before} {place.format(password)}{after}")
    assert password not in text
    assert "[redacted]" in text


@given(name=st.sampled_from(["password", "Cookie", "authorization", "api_key", "access_token", "token", "secret"]),
       value=st.text(min_size=1))  # fmt: skip
def test_a_field_named_for_a_secret_shows_nothing_of_it(name, value):
    assert logs.redacted({"headers": [{name: value}]}) == {"headers": [{name: "[redacted]"}]}


@given(words=st.text(), more=st.text())
def test_an_event_is_one_line_whatever_is_in_it(words, more):
    def write(logger: logging.Logger) -> None:
        with logs.only(request_id=more):
            logger.info("%s", words, extra={"path": more})

    assert len(logged(write, form="console").splitlines()) == 1
    (line,) = logged(write, form="json").split("\n")[:-1]
    assert json.loads(line)["level"] == "info"


def test_an_exception_is_one_event_with_its_traceback():
    def write(logger: logging.Logger) -> None:
        try:
            raise ValueError("the first line\nDETAIL: Failing row contains (what a person wrote)")
        except ValueError:
            logger.exception("it failed")

    (line,) = logged(write, form="json").splitlines()
    told = json.loads(line)
    assert told["event"] == "it failed"
    assert told["exception"].startswith("Traceback (most recent call last):\n")
    assert told["exception"].endswith("ValueError: the first line")
    first, *rest = logged(write, form="console").splitlines()
    assert "it failed" in first
    assert rest
    assert all(each.startswith("    ") for each in rest)


def test_what_people_wrote_is_cut_from_an_error_of_the_database():
    error = ValueError('null value violates "x" DETAIL:  Failing row contains (7, my secret wish).')
    assert "wish" not in logs.cause_of(error)


def test_the_log_id_of_coze_is_a_field_of_every_line_that_tells_of_its_error():
    from cozechat.coze.errors import TimedOut

    error = TimedOut("silence", log_id="20251110")
    line = logged(lambda logger: logger.info("call %s: %s", 1, error), form="json")
    assert json.loads(line)["log_id"] == "20251110"


def test_what_libraries_add_to_records_stays_out():
    line = logged(lambda logger: logger.info("x", extra={"sql": "SELECT", "params": ("wish",)}), form="json")
    assert set(json.loads(line)) == {"timestamp", "level", "logger", "event", "pid"}


def test_a_line_that_cannot_be_made_shows_none_of_its_arguments():
    text = logged(lambda logger: logger.info("%d", "my secret wish"))
    assert "could not be written (TypeError)" in text
    assert "wish" not in text
    assert len(text.splitlines()) == 1


def test_a_bad_request_of_djangos_is_told_without_a_traceback():
    text = logged(fail_plainly, form="json", name="django.security.DisallowedHost")
    assert "exception" not in json.loads(text)


def fail_plainly(logger: logging.Logger) -> None:
    try:
        raise ValueError("x")
    except ValueError:
        logger.exception("Invalid HTTP_HOST header")


def test_a_library_that_uses_structlog_is_logged_alike(caplog):
    import structlog

    structlog.get_logger("some.library").warning("it is so", password="my secret wish")
    (record,) = caplog.records
    line = json.loads(LineFormatter(form="json").format(record))
    assert (line["event"], line["logger"], line["password"]) == ("it is so", "some.library", "[redacted]")


@pytest.mark.parametrize(
    ("terminal", "debug", "form"),
    [(False, False, "json"), (False, True, "console"), (True, False, "console"), (True, True, "console")],
)
def test_the_form_is_for_whoever_reads_it(terminal, debug, form, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert logs.form_for_readers(debug=debug) == form


def test_colours_are_for_terminals(monkeypatch):
    line = logs.configuration(level="INFO", form="console")["formatters"]["line"]
    assert line["colours"] is sys.stderr.isatty()


@pytest.mark.parametrize(("name", "value"), [("LOG_LEVEL", "LOUD"), ("LOG_FORMAT", "xml")])
def test_a_setting_that_nobody_knows_is_named_with_what_it_can_be(name, value, tmp_path):
    import os

    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "VAR_DIR": str(tmp_path), name: value},
    )  # fmt: skip
    assert done.returncode == 1
    assert f"{name} is {value}; it can be one of" in done.stderr
    assert "Traceback" not in done.stderr


def test_at_debug_only_what_is_ours_is_open():
    made = logs.configuration(level="DEBUG")
    assert made["root"]["level"] == "INFO"
    assert {name for name, each in made["loggers"].items() if each.get("level") == "DEBUG"} == {
        "cozechat", "accounts", "conversations",
    }  # fmt: skip


def test_the_site_logs_through_it(settings):
    assert settings.LOGGING["formatters"]["line"]["()"] == "cozechat.logs.LineFormatter"
    assert settings.LOGGING["root"]["handlers"] == ["console"]


class OperationalError(Exception):
    """As Django and the drivers name theirs."""


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("no such table: conversations_turn", "script/setup"),
        ('relation "conversations_turn" does not exist', "script/setup"),
        ("database is locked", "SQLite"),
        ("unable to open database file", "DATABASE_URL"),
        ("attempt to write a readonly database", "writable"),
        ("database or disk is full", "make room"),
        (
            'connection failed: connection to server at "127.0.0.1", port 1 failed: Connection refused',
            "DATABASE_URL",
        ),
    ],
)
def test_a_failure_that_is_known_is_one_line_with_its_cause_and_what_mends_it(said, mend):
    def write(logger: logging.Logger) -> None:
        try:
            try:
                raise OperationalError(said)
            except OperationalError as error:
                raise RuntimeError("in between") from error
        except RuntimeError:
            logger.exception("a chore failed: look")

    text = logged(write)
    assert len(text.splitlines()) == 1
    assert "a chore failed: look: " in text
    assert mend in text


def test_a_redis_that_is_away_is_told_so():
    from redis.exceptions import ConnectionError as RedisAway

    def write(logger: logging.Logger) -> None:
        try:
            raise RedisAway("Error 111 connecting to 127.0.0.1:1.")
        except RedisAway:
            logger.exception("tries cannot be counted")

    assert "REDIS_URL" in logged(write)
    assert "Traceback" not in logged(write)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("DATABASE_URL", "oracle-thing"),
        ("VAR_DIR", "/proc/nope"),
        ("COZE_PRIVATE_KEY_FILE", "/no/file"),
    ],
)
def test_a_start_on_a_broken_configuration_says_in_a_line_what_is_wrong(name, value, tmp_path):
    import os

    done = subprocess.run(
        [sys.executable, "manage.py", "serve"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "VAR_DIR": str(tmp_path), name: value},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"CozeChat cannot start: {name}")
    assert len(done.stderr.splitlines()) == 1
