"""The environment, and the secrets that are made once."""

import os
import stat
import threading

import pytest
from environ.fileaware_mapping import FileAwareMapping

from cozechat import env
from cozechat.env import Environment, kept_secret, unknown_coze_names


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch):
    """What was read from a file is kept for the life of the mapping."""
    monkeypatch.setattr(Environment, "ENVIRON", FileAwareMapping())


def test_a_value_may_stand_in_a_file(monkeypatch, tmp_path):
    monkeypatch.setitem(os.environ, "SOME_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.delenv("SOME_KEY", raising=False)
    (tmp_path / "key").write_text("  line one\nline two\n\n")
    assert Environment().text("SOME_KEY") == "line one\nline two"


@pytest.mark.parametrize("value", ["$HOME", "a$b$c", "$$", "${HOME}", "p@ss'\"word#1", "a=b", "密钥", "\\n"])
def test_a_value_is_taken_as_it_stands(value, monkeypatch):
    monkeypatch.setenv("SOME_KEY", f" {value}\n")
    assert Environment().text("SOME_KEY") == value


def test_what_is_not_set_is_the_default_and_what_is_empty_is_empty(monkeypatch):
    monkeypatch.delenv("SOME_KEY", raising=False)
    assert Environment().text("SOME_KEY") == ""
    assert Environment().text("SOME_KEY", "x") == "x"
    monkeypatch.setenv("SOME_KEY", "")
    assert Environment().text("SOME_KEY", "x") == ""


def test_a_list_has_commas_between(monkeypatch):
    monkeypatch.setenv("SOME_KEYS", " a, b,,c ,")
    assert Environment().texts("SOME_KEYS") == ["a", "b", "c"]
    monkeypatch.setenv("SOME_KEYS", "")
    assert Environment().texts("SOME_KEYS") == []


def test_the_environment_wins_over_the_file(monkeypatch, tmp_path):
    for name in ("SOME_FIRST", "SOME_SECOND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(env.Environment, "ENVIRON", {"SOME_FIRST": "set"})
    (tmp_path / ".env").write_text("SOME_FIRST=file\nSOME_SECOND='from $file'\n")
    loaded = env.load(tmp_path)
    assert (loaded.text("SOME_FIRST"), loaded.text("SOME_SECOND")) == ("set", "from $file")


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "var" / "key"
    first = kept_secret(path)
    assert len(first) >= 43
    assert kept_secret(path) == first == path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert kept_secret(tmp_path / "other", make="made") == "made"


def test_a_secret_is_never_readable_by_others_not_even_while_it_is_made(tmp_path, monkeypatch):
    modes = []
    link = os.link

    def watched(source, target):
        modes.append(stat.S_IMODE(source.stat().st_mode))
        link(source, target)

    monkeypatch.setattr(os, "link", watched)
    before = os.umask(0)
    try:
        kept_secret(tmp_path / "key")
    finally:
        os.umask(before)
    assert modes == [0o600]


def test_of_many_that_start_at_once_all_get_the_same_secret(tmp_path):
    path, found, start = tmp_path / "key", [], threading.Barrier(16)

    def get() -> None:
        start.wait()
        found.append(kept_secret(path))

    threads = [threading.Thread(target=get) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert set(found) == {path.read_text()}


def test_only_unknown_coze_names_are_reported(monkeypatch):
    for name in [name for name in os.environ if name.startswith("COZE_")]:
        monkeypatch.delenv(name)
    for name in ("COZE_APP_ID", "COZE_PRIVATE_KEY_FILE", "OTHER_COZE_X"):
        monkeypatch.setenv(name, "1")
    assert unknown_coze_names() == {}
    monkeypatch.setenv("COZE_PRIVAT_KEY", "1")
    monkeypatch.setenv("COZE_Q", "1")
    assert unknown_coze_names() == {"COZE_PRIVAT_KEY": "COZE_PRIVATE_KEY", "COZE_Q": ""}
