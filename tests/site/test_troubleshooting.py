"""The table of docs/operating.md that helps when Coze refuses: what it says is what our client knows."""

import re
from pathlib import Path

import pytest

from cozechat.coze import codes, errors

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text()
SECTION = PAGE.partition("## When Coze refuses\n")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (.+?) \| (.+) \|$", SECTION, re.MULTILINE)[1:]
CODES = [int(code) for said, _where in ROWS for code in re.findall(r"\b\d{4,}\b", said)]
STAND_IN = (ROOT / "cozechat" / "emulator" / "assertions.py").read_text()


@pytest.mark.parametrize("code", CODES)
def test_every_code_in_the_table_has_a_meaning_of_its_own(code):
    assert type(codes.error_for("", code=code)) is not errors.UpstreamFailed


def test_what_is_quoted_of_a_refused_sign_in_is_what_coze_and_its_stand_in_say():
    quoted = [words for said, _where in ROWS for words in re.findall(r"`([a-z ]+(?:API endpoint)?)`", said)]
    assert len(quoted) == 7
    assert [words for words in quoted if words not in STAND_IN and words != errors.Unreachable.kind] == []


@pytest.mark.parametrize(
    "subject",
    ["COZE_CLIENT_ID", "COZE_PUBLIC_KEY_ID", "private key", "COZE_API_BASE", "workflow", "line ends"],
)
def test_the_table_helps_with_what_is_mostly_wrong(subject):
    assert subject in SECTION
