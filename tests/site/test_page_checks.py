"""docs/page-checks.md: every line of the checklist is there, and every test that it names exists."""

import re

from tests.site.named_tests import ROOT, TEST, missing

PAGE = ROOT / "docs" / "page-checks.md"
LAST = 92
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
LACKS = re.compile(r"\*\*(?:missing|not seen)\*\*")
# Lines that are not wholly held yet. This list only shrinks.
OPEN = {
    6, 8, 13, 17, 18, 20, 21, 22, 27, 43, 48, 49, 55, 56, 70, 73, 75, 76, 77, 80, 85, 90, 91,
}  # fmt: skip

ROWS = [(int(number), what, held) for number, what, held in ROW.findall(PAGE.read_text())]


def test_every_line_is_there_once_and_every_test_that_is_named_exists():
    assert [number for number, _what, _held in ROWS] == list(range(1, LAST + 1))
    assert {number: found for number, _what, held in ROWS if (found := missing(held))} == {}


def test_a_line_that_is_not_wholly_held_says_so_and_is_listed_here():
    assert {number for number, _what, held in ROWS if LACKS.search(held)} == OPEN
    assert [number for number, _what, held in ROWS if number not in OPEN and not TEST.search(held)] == []
