"""One part's log is opened while the site runs, closes by itself, and no part that is not ours can be opened."""

import asyncio
import json
import logging
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from cozechat.logs import levels

PART = "cozechat.logs.a_part_of_this_test"


@pytest.fixture
def home(tmp_path, settings):
    settings.VAR_DIR = tmp_path
    yield tmp_path
    logging.getLogger(PART).setLevel(logging.NOTSET)


def log_level(*arguments: str) -> str:
    out = StringIO()
    call_command("log_level", *arguments, stdout=out)
    return out.getvalue()


def test_a_part_is_opened_and_closes_by_itself(home):
    follower = levels.Levels(home / levels.FILE)
    levels.write(home / levels.FILE, {PART: ("DEBUG", 1000.0)})
    follower.look(now=900)
    assert logging.getLogger(PART).level == logging.DEBUG
    follower.look(now=1001)
    assert logging.getLogger(PART).level == logging.NOTSET


def test_it_becomes_what_it_was_before_even_if_it_was_changed_twice(home):
    logging.getLogger(PART).setLevel(logging.ERROR)
    follower = levels.Levels(home / levels.FILE)
    for level in ("DEBUG", "INFO"):
        levels.write(home / levels.FILE, {PART: (level, 1000.0)})
        follower.look(now=900)
        assert logging.getLevelName(logging.getLogger(PART).level) == level
    levels.write(home / levels.FILE, {})
    follower.look(now=901)
    assert logging.getLogger(PART).level == logging.ERROR


def test_the_command_says_opens_and_closes(home):
    assert "Nothing is open" in log_level()
    assert f"{PART}: from DEBUG on, for 30 minutes" in log_level(PART, "debug", "--minutes", "30")
    assert PART in log_level()
    assert "Nothing is open" in log_level(PART, "reset")
    assert {line.split(":")[0] for line in log_level("all").splitlines()} == {
        "cozechat", "accounts", "conversations",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("part", "level"),
    [("django.db", "DEBUG"), ("mcp", "DEBUG"), ("cozechatx", "DEBUG"), ("", "DEBUG"), (PART, "LOUD")],
)
def test_no_other_part_can_be_opened(home, part, level):
    if part:
        with pytest.raises(CommandError):
            log_level(part, level)
    (home / levels.FILE).write_text(json.dumps({part: [level, 1e12]}))
    before = logging.getLogger(part or None).level
    levels.Levels(home / levels.FILE).look(now=1)
    assert logging.getLogger(part or None).level == before


RUBBISH = [
    "",
    "[]",
    "null",
    "{",
    "\x00",
    '{"cozechat": 1}',
    '{"cozechat": ["DEBUG"]}',
    '{"cozechat": [1, "x"]}',
]


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_in_the_file_changes_nothing(home, rubbish):
    (home / levels.FILE).write_text(rubbish)
    assert levels.read(home / levels.FILE, now=0) == {}


async def test_a_running_process_follows(home, monkeypatch):
    monkeypatch.setattr(levels, "LOOK_EVERY", 0.02)
    levels.follow(home)
    levels.follow(home)
    log_level(PART, "DEBUG")
    for _each in range(100):
        await asyncio.sleep(0.02)
        if logging.getLogger(PART).level == logging.DEBUG:
            break
    assert logging.getLogger(PART).isEnabledFor(logging.DEBUG)
