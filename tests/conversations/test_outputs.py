"""What a run has put out, as a person reads it."""

import json

import pytest

from conversations.rendering import render
from conversations.turns.outputs import as_markdown
from cozechat.coze.outputs import RunOutput


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("plain words", "plain words"),
        ('{"output":"# Title\\n\\ntext"}', "# Title\n\ntext"),
        ('{"output":{"a":1}}', "- **a**: 1"),
        ('{"a":"x","n":2.5,"ok":true,"no":null}', "- **a**: x\n- **n**: 2.5\n- **ok**: true\n- **no**: null"),
        ('["x","y"]', "- x\n- y"),
        ("", ""),
    ],
)
def test_an_output_is_readable(output, shown):
    assert as_markdown(RunOutput(output)) == shown


def test_what_is_nested_is_a_block_of_json_that_nothing_breaks_out_of():
    value = {"text": "a\nb", "deep": {"code": "```js\nalert(1)\n```"}}
    shown = as_markdown(RunOutput(json.dumps(value)))
    assert "#### text\n\na\nb" in shown
    assert "````json" in shown
    assert "<script" not in render(as_markdown(RunOutput('{"a":{"b":"<script>x</script>"},"c":"<b>"}')))


def test_pictures_are_links_and_nothing_else_becomes_one():
    shown = as_markdown(
        RunOutput('{"image":"https://example.com/a/cat.png?x=1","bad":"javascript:alert(1)"}')
    )
    assert "[cat.png](<https://example.com/a/cat.png?x=1>)" in shown
    assert "](<javascript" not in shown
    html = render(shown)
    assert 'href="https://example.com/a/cat.png?x=1"' in html
    assert "<img" not in html


def test_names_of_an_object_are_no_markup():
    assert "<h" not in render(as_markdown(RunOutput('{"# x\\n# y":1,"b":2}'))).replace("<hr", "")
