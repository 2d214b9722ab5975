"""What a run waits for, in every form that Coze has for it."""

import json

import pytest

from cozechat.coze.interrupts import asked_back, words_and_options
from cozechat.coze.run_records import Interrupt

OPTIONS = {"question": "Which size?", "options": [{"name": "Small"}, {"name": "Large"}]}


@pytest.mark.parametrize(
    "data",
    [
        {"content_type": "option", "content": json.dumps(OPTIONS)},
        {"content_type": "option", "content": OPTIONS},
        {"messages": [{"type": "question", "content_type": "option", "content": OPTIONS, "id": "q_0"}]},
        OPTIONS,
        {"question": "Which size?", "options": ["Small", {"name": "Large"}, {"name": ""}, 3, None]},
    ],
)
def test_options_are_found_in_every_wrapping(data):
    asked = asked_back(Interrupt("1/2", 2, json.dumps(data)))
    assert (asked.question, asked.options) == ("Which size?", ("Small", "Large"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What would you like?", "What would you like?"),
        ('{"content_type":"text","content":"Your name?"}', "Your name?"),
        ('{"messages":[{"type":"question","content_type":"text","content":"And now?"}]}', "And now?"),
        ("[1, 2", "[1, 2"),
        ('"just words"', "just words"),
        ('{"a": 1}', '{"a": 1}'),
        ("", ""),
        ("{" * 5000, "{" * 5000),
    ],
)
def test_words_are_the_question_and_rubbish_is_words(text, words):
    assert words_and_options(text) == (words, ())


def test_an_input_node_names_what_it_wants():
    wanted = {
        "name": {"type": "string", "required": True, "description": "Whom to call"},
        "photo": {"type": "image", "default_value": 7},
        "": {"type": "string"},
        "odd": None,
    }
    data = '{"content_type":"text","content":"[{\\"type\\":\\"string\\",\\"name\\":\\"name\\",\\"required\\":true}]"}'
    asked = asked_back(Interrupt("1/2", 5, data, required_parameters=wanted))
    assert asked.question == ""
    assert [(each.name, each.type, each.is_required) for each in asked.inputs] == [
        ("name", "string", True),
        ("photo", "image", False),
        ("odd", "string", False),
    ]
    assert asked_back(Interrupt("1/2", 5, data)).inputs[0].name == "name"


@pytest.mark.parametrize("wanted", ["x", ["name"], 5, {"n": []}])
def test_rubbish_where_inputs_belong_harms_nobody(wanted):
    assert asked_back(Interrupt("1/2", 2, "Hm?", required_parameters=wanted)).question == "Hm?"


def test_no_list_is_endless():
    many = {"question": "?", "options": [str(number) for number in range(1000)]}
    assert len(asked_back(Interrupt("1/2", 2, json.dumps(many))).options) == 50
