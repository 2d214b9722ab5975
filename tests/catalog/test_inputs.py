"""The declared inputs of a run: what an administrator may write, and what people's values come to."""

import json

import pytest
from django.test import Client

from cozechat.catalog import inputs
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.inputs import BadDeclaration, BadValues, declared, read, written
from cozechat.catalog.models import Assistant

CITY = {"name": "city", "type": "text", "required": True}


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("x", "list"),
        ({"name": "x"}, "list"),
        ([CITY] * 51, "50"),
        ([CITY, CITY], "city"),
        (["city"], "Input 1"),
        ([{"type": "text"}], "Input 1"),
        ([CITY | {"name": "two words"}], "Input 1"),
        ([CITY | {"name": "x" * 65}], "Input 1"),
        ([CITY | {"type": "color"}], "text, long_text"),
        ([CITY | {"type": ["text"]}], "text, long_text"),
        ([CITY | {"requird": True}], "requird"),
        ([CITY | {"required": "yes"}], "required"),
        ([CITY | {"label": 5}], "label"),
        ([CITY | {"help": "x" * 301}], "help"),
        ([CITY | {"choices": ["a"]}], "choices"),
        ([{"name": "size", "type": "choice"}], "choices"),
        ([{"name": "size", "type": "choice", "choices": ["a", "a"]}], "choices"),
        ([{"name": "size", "type": "choice", "choices": ["a"], "default": "b"}], "default"),
        ([{"name": "days", "type": "integer", "default": "two"}], "default"),
    ],
)
def test_a_declaration_that_cannot_be_says_where_and_why(listed, said):
    with pytest.raises(BadDeclaration, match=said):
        declared(listed)
    assert inputs.known(listed) == ()


EVERY = declared(
    [
        {"name": "text", "type": "text"},
        {"name": "long", "type": "long_text"},
        {"name": "number", "type": "number"},
        {"name": "whole", "type": "integer"},
        {"name": "flag", "type": "boolean"},
        {"name": "size", "type": "choice", "choices": ["S", "M"]},
        {"name": "list", "type": "list"},
        {"name": "object", "type": "object"},
        {"name": "file", "type": "file"},
    ]
)


def test_values_keep_their_types_and_what_is_empty_is_left_out():
    values = {
        "text": " a ", "long": " b\n", "number": 1.5, "whole": 3.0, "flag": False, "size": "M",
        "list": ["x", 1], "object": {"a": [None]}, "file": "https://example.com/a.pdf",
    }  # fmt: skip
    assert read(EVERY, values) == values | {"text": "a", "whole": 3}
    assert read(EVERY, dict.fromkeys(values, "")) == {}
    assert read(EVERY, {"list": [], "object": {}, "text": None}) == {}


@pytest.mark.parametrize(
    "values",
    [
        {"text": 1},
        {"text": ["a"]},
        {"number": "1"},
        {"number": 1e300},
        {"number": True},
        {"whole": 1.5},
        {"flag": "true"},
        {"flag": 1},
        {"size": "XL"},
        {"size": ["S"]},
        {"list": "a"},
        {"list": [{"a": 1}]},
        {"list": ["a"] * 201},
        {"object": [1]},
        {"object": "{}"},
        {"file": "javascript:alert(1)"},
        {"file": "file:///etc/passwd"},
        {"file": "https://"},
        {"file": "http://[oops"},
        {"file": 7},
        {"nobody": 1},
    ],
)
def test_a_value_that_does_not_fit_is_named(values):
    with pytest.raises(BadValues) as raised:
        read(EVERY, values)
    assert set(raised.value.problems) == set(values)


def test_people_read_the_labels():
    listed = declared([CITY | {"label": "City"}, {"name": "flag", "type": "boolean"}])
    assert written(listed, {"city": "Oslo", "flag": True}) == "City: Oslo\nflag: yes"


@pytest.fixture
def staff(admin_user):
    client = Client()
    client.force_login(admin_user)
    return client


def form_of(assistant, **changes):
    names = ("name", "kind", "workflow_id", "coze_app_id", "position")
    values = {name: getattr(assistant, name) for name in names} | {"app": assistant.app_id}
    return {
        **values, "suggestions": "[]", "inputs": json.dumps(assistant.inputs), "is_streamed": "on", "is_active": "on",
        **changes,
    }  # fmt: skip


def test_the_admin_takes_a_good_list_and_refuses_a_bad_one(coze, staff):
    default_assistant()
    trip = Assistant.objects.get(name="Trip planner")
    path = f"/admin/catalog/assistant/{trip.pk}/change/"
    bad = staff.post(path, form_of(trip, inputs=json.dumps([{"name": "city", "type": "color"}])))
    assert "text, long_text" in bad.content.decode()
    assert staff.post(path, form_of(trip, inputs=json.dumps([CITY]))).status_code == 302
    trip.refresh_from_db()
    assert trip.inputs == [CITY]
    assert [each.name for each in trip.wanted] == ["city"]


def test_only_runs_have_inputs(coze, staff):
    chat = default_assistant()
    refused = staff.post(
        f"/admin/catalog/assistant/{chat.pk}/change/", form_of(chat, inputs=json.dumps([CITY]))
    )
    assert "Only workflow runs have inputs; a chat workflow may have one file." in refused.content.decode()
