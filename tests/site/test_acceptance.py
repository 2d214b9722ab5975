"""docs/gateway-acceptance.md: every requirement has a line, and every test that is named there exists."""

import re

import pytest

from tests.site.named_tests import ROOT, TEST, missing

PAGE = ROOT / "docs" / "gateway-acceptance.md"
LAST = {"R": 63, "C": 13, "A": 32, "I": 24}
ROW = re.compile(r"^\| ([RCAI]\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
OPEN = ("not held", "in another room")

ROWS = ROW.findall(PAGE.read_text())


def test_every_requirement_has_its_line_and_every_test_that_is_named_exists():
    expected = [f"{kind}{number}" for kind, last in LAST.items() for number in range(1, last + 1)]
    assert [name for name, _what, _held in ROWS] == expected
    assert {name: found for name, _what, held in ROWS if (found := missing(held))} == {}


def test_a_line_names_a_test_or_says_that_none_holds_it():
    assert [name for name, _what, held in ROWS if not TEST.search(held) and held not in OPEN] == []


@pytest.mark.parametrize(
    ("held_by", "found"),
    [
        ("`site/test_acceptance.py::test_a_missing_test_is_noticed`", []),
        ("`site/test_acceptance.py::test_nothing`", ["site/test_acceptance.py::test_nothing"]),
        ("`site/test_nowhere.py::test_nothing`", ["site/test_nowhere.py::test_nothing"]),
    ],
    ids=["here", "no such test", "no such file"],
)
def test_a_missing_test_is_noticed(held_by, found):
    assert missing(held_by) == found
