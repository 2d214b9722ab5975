"""What a server says of its tools and of a call, as far as we take it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from cozechat.kai import errors
from cozechat.kai.tools import described, outcome


def text(words: str) -> Any:
    return SimpleNamespace(type="text", text=words)


def result(*content: Any, structured: Any = None, is_error: bool = False) -> Any:
    return SimpleNamespace(content=list(content), structured_content=structured, is_error=is_error)


def tool(**fields: Any) -> Any:
    return SimpleNamespace(**({"name": "x", "title": None, "description": None, "input_schema": {}} | fields))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(result(text("hello")), {"result": "hello"}, id="words"),
        pytest.param(result(text('{"a": 1}')), {"a": 1}, id="an-object"),
        pytest.param(result(text("[1, 2]")), {"result": [1, 2]}, id="a-list"),
        pytest.param(result(text("a"), text("b")), {"result": "a\nb"}, id="several"),
        pytest.param(result(text("a"), structured={"b": 2}), {"b": 2}, id="structured"),
        pytest.param(result(SimpleNamespace(type="image")), {"result": "[image]"}, id="a-picture"),
        pytest.param(result(), {"result": ""}, id="nothing"),
        pytest.param(
            result(text("[" * 90_000), structured={"a": "\ud800"}), {"a": "?"}, id="half-a-character"
        ),
    ],
)
def test_an_outcome_is_one_json_object(given, expected):
    assert json.loads(outcome(given)) == expected


def test_a_failure_is_raised_with_its_words():
    with pytest.raises(errors.ToolFailed, match="out of beans"):
        outcome(result(text("out of beans"), is_error=True))
    with pytest.raises(errors.ToolFailed, match="without a reason"):
        outcome(result(is_error=True))


def test_the_limit_counts_bytes():
    assert outcome(result(text("豆" * 100)), limit=400)
    with pytest.raises(errors.TooLarge):
        outcome(result(text("豆" * 100)), limit=300)


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb", "a\x00b"], ids=["none", "long", "line", "nul"])
def test_a_tool_that_nobody_could_name_is_passed_over(name):
    assert described(tool(name=name)) is None


def test_what_no_database_holds_is_left_out():
    known = described(tool(title="a\x00b", description="\ud800c", input_schema={"d": "\x00"}))
    assert known is not None
    assert (known.title, known.description, known.schema) == ("ab", "?c", {})
    assert described(tool(input_schema={"d": "\ud800"})).schema == {}  # type: ignore[union-attr]
    assert described(tool(input_schema={"d": "☕🫘"})).schema == {"d": "☕🫘"}  # type: ignore[union-attr]
    long = described(tool(description="x" * 9_000, input_schema={"x": "x" * 20_000}))
    assert long is not None
    assert (len(long.description), long.schema) == (2_000, {})
