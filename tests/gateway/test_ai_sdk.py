"""Vercel's AI SDK against the gateway, unchanged: OpenAI's provider by both endpoints, and the compatible one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.packages import error, npm, outcomes_of, value

from .running import Site

ANSWER = "1 2 3 4 5"
KINDS = ["chat", "responses", "compatible"]
PENNILESS = 'from accounts.models import User\nUser.objects.get_or_create(username="penniless")'


@pytest.fixture(scope="module")
def keys(running_site: Site) -> dict[str, Any]:
    running_site.colleague.does(PENNILESS)
    return {
        "alice": running_site.key(),
        "penniless": running_site.key("penniless"),
        "hasty": {kind: running_site.key(requests_per_minute=1) for kind in KINDS},
    }


@pytest.fixture(scope="module")
def found(running_site: Site, keys: dict[str, Any]) -> Iterator[Any]:
    """Every check's value, or the error that it ended with; and under which names Coze was asked."""
    coze = running_site.coze
    coze.reset_ledger()
    coze.arm("reasoning")
    try:
        given = {"baseURL": running_site.base_url, "keys": keys}
        outcomes = outcomes_of(
            ["node", "ai_sdk.mjs"], place=npm(Path(__file__).parent / "ai_sdk"), given=given
        )
    finally:
        coze.disarm()
    yield outcomes | {"ledger": coze.ledger()}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_an_answer_comes_whole_and_counted(kind: str, found: Any) -> None:
    whole = value(found, f"{kind}: whole")
    assert (whole["text"], whole["finishReason"]) == (ANSWER, "stop")
    usage = whole["usage"]
    assert usage["inputTokens"] > 0 < usage["outputTokens"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]


@pytest.mark.parametrize("call", ["stream", "workflow"])
def test_an_answer_comes_in_pieces_and_counted(kind: str, call: str, found: Any) -> None:
    streamed = value(found, f"{kind}: {call}")
    assert (streamed["text"], streamed["finishReason"]) == (ANSWER, "stop")
    assert streamed["kinds"].count("text-delta") > 1
    assert streamed["usage"] == value(found, f"{kind}: whole")["usage"]


def test_what_the_bot_thought_is_heard_where_the_provider_listens(found: Any) -> None:
    assert value(found, "compatible: stream")["reasoning"]
    assert value(found, "chat: stream")["reasoning"] == ""


@pytest.mark.parametrize(
    ("call", "status", "code", "again"),
    [
        ("wrong key", 401, "invalid_api_key", False),
        ("unknown model", 404, "model_not_found", False),
        ("no money", 429, "insufficient_quota", True),  # the SDK goes by the status alone
        ("no money, streamed", 429, "insufficient_quota", True),
        ("too fast", 429, "rate_limit_exceeded", True),
    ],
)
def test_a_refusal_is_an_error_with_its_code(
    kind: str, call: str, status: int, code: str, again: bool, found: Any
) -> None:
    refused = error(found, f"{kind}: {call}")
    assert refused["called"]
    assert (refused["statusCode"], refused["code"], refused["isRetryable"]) == (status, code, again)
    assert refused["message"]


def test_a_failure_in_the_stream_is_an_error_and_no_end(kind: str, found: Any) -> None:
    assert "workflow" in error(found, f"{kind}: cut short")["message"].lower()


def test_refusals_cost_nothing_and_are_recorded(running_site: Site, keys: dict[str, Any], found: Any) -> None:
    records = running_site.records(secret=keys["penniless"])
    assert {(record["status"], record["error_code"], record["cost"]) for record in records} == {
        ("refused", "insufficient_quota", 0)
    }
    assert len(records) == 2 * len(KINDS)


def test_each_user_has_a_session_of_their_own_by_every_way(
    running_site: Site, keys: dict[str, Any], found: Any
) -> None:
    for kind in KINDS:
        assert value(found, f"{kind}: alice")["text"] == value(found, f"{kind}: bob")["text"] == ANSWER
    # Alice, Bob, and each key that named nobody.
    assert len(found["ledger"]["chats_per_session"]) == 3 + len(KINDS)
    assert found["ledger"]["session_name_mismatches"] == []
    people = {record["end_user"] for record in running_site.records(secret=keys["alice"])}
    assert len(people) == 3


@pytest.mark.parametrize("kind", ["chat", "compatible"])
def test_a_conversation_goes_on_for_who_began_it_and_for_nobody_else(kind: str, found: Any) -> None:
    talk = value(found, f"{kind}: conversation")
    assert "Zoe" in talk["text"]
    hers, nobodys = talk["bobs"]
    assert hers == nobodys
    assert hers[0] == 404
