"""No token and no key in a log line, wherever it stands."""

import io
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cozechat.logs import RedactingFormatter, redact

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
BODY = st.text(LETTERS, min_size=20, max_size=60)
TOKENS = st.builds(str.__add__, st.sampled_from(["czs_", "pat_", "sat_", "czu_"]), BODY)
JWTS = st.builds("eyJ{}.eyJ{}.{}".format, BODY, BODY, BODY)
PEMS = st.builds(
    "-----BEGIN {0}PRIVATE KEY-----{2}{1}{2}-----END {0}PRIVATE KEY-----".format,
    st.sampled_from(["", "RSA "]), BODY, st.sampled_from(["\n", "\\n", " "]),
)  # fmt: skip
SECRETS = TOKENS | JWTS | PEMS


def logged(write) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter("{message}", style="{"))
    logger = logging.Logger("test")  # noqa: LOG001 - of this test alone, so that no other hears of it
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


WAYS = {
    "message": lambda logger, secret: logger.error(f"got {secret}."),  # noqa: G004
    "argument": lambda logger, secret: logger.error("got %s", secret),
    "repr": lambda logger, secret: logger.error("got %r", {"token": secret, "list": [secret]}),
    "header": lambda logger, secret: logger.error("Authorization: Bearer %s", secret),
    "url": lambda logger, secret: logger.error("GET /x?access_token=%s&y=1", secret),
    "exception": fail,
    "bytes": lambda logger, secret: logger.error("got %s", secret.encode()),
}


@pytest.mark.parametrize("way", sorted(WAYS))
@given(secret=SECRETS)
def test_no_secret_is_logged(way, secret):
    text = logged(lambda logger: WAYS[way](logger, secret))
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


def test_the_site_logs_through_it(settings):
    assert settings.LOGGING["formatters"]["line"]["()"] == "cozechat.logs.RedactingFormatter"
    assert settings.LOGGING["root"]["handlers"] == ["console"]
