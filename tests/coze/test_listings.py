"""Lists and single things of an account: bots of both generations, workspaces, apps, workflows, variables."""

import asyncio
from typing import Any

import pytest

from cozechat.coze import errors
from cozechat.coze.account import AppSummary, CozeUser, WorkflowSummary, Workspace
from cozechat.coze.bots import Bot, BotSummary
from cozechat.coze.listings import MOST_PAGES, Listing, each
from cozechat.coze.variables import Variable
from tests.coze.asking import ask, refusal, unsent
from tests.coze.wire import ALICE, envelope

ITEM = {
    "id": "7",
    "name": "Barista",
    "description": "d",
    "icon_url": "https://x/",
    "is_published": True,
    "updated_at": 1718289297,
    "published_at": "1718289297",
    "owner_user_id": "1",
}
OLD_ITEM = {
    "bot_id": "7",
    "bot_name": "Barista",
    "description": "d",
    "icon_url": "https://x/",
    "publish_time": "1718289297",
}
SUMMARY = BotSummary("7", "Barista", "d", "https://x/", True, 1718289297)


def test_bots_are_listed_in_both_generations():
    found, request = ask(
        lambda client: client.bots.list(ALICE, workspace_id="3", page=2, page_size=1),
        envelope({"items": [ITEM], "total": 3}),
    )
    assert found == Listing((SUMMARY,), True)
    assert request.target == (
        "/v1/bots?workspace_id=3&publish_status=published_online&page_index=2&page_size=1"
    )
    found, request = ask(
        lambda client: client.bots.list_published(ALICE, workspace_id="3", page=3, page_size=1),
        envelope({"space_bots": [OLD_ITEM], "total": 3}),
    )
    assert found == Listing((SUMMARY,), False)
    assert request.target == "/v1/space/published_bots_list?space_id=3&page_index=3&page_size=1"


BOT = {
    "bot_id": "7",
    "name": "Barista",
    "description": "d",
    "icon_url": "https://x/",
    "version": "1718289297",
    "onboarding_info": {"prologue": "Hello!", "suggested_questions": ["What?"]},
    "model_info": {"model_id": "1", "model_name": "m"},
    "bot_mode": 0,
}


def test_a_bot_is_retrieved_in_both_generations_and_most_of_it_may_be_missing():
    whole = Bot("7", "Barista", "d", "https://x/", "1718289297", "Hello!", ("What?",), "m")
    found, request = ask(lambda client: client.bots.retrieve(ALICE, "7"), envelope(BOT))
    assert (found, request.target) == (whole, "/v1/bots/7?is_published=true")
    found, request = ask(lambda client: client.bots.retrieve_online(ALICE, "7"), envelope(BOT))
    assert (found, request.target) == (whole, "/v1/bot/get_online_info?bot_id=7")
    found, request = ask(
        lambda client: client.bots.retrieve(ALICE, "7", published=False), envelope({"bot_id": 7})
    )
    assert (found, request.target) == (Bot("7"), "/v1/bots/7?is_published=false")
    error = refusal(lambda client: client.bots.retrieve(ALICE, "7"), envelope({"name": "x"}))
    assert type(error) is errors.BadResponse


def test_the_account_says_who_it_is():
    me = {"user_id": "1", "user_name": "a", "nick_name": "b", "avatar_url": "https://x/"}
    found, request = ask(lambda client: client.account.me(ALICE), envelope(me))
    assert (found, request.target) == (CozeUser("1", "a", "b", "https://x/"), "/v1/users/me")


def test_workspaces_are_counted_under_a_name_of_their_own():
    row = {"id": "3", "name": "Team", "role_type": "owner", "workspace_type": "team", "enterprise_id": ""}
    found, request = ask(
        lambda client: client.account.workspaces(ALICE, page_size=1),
        envelope({"total_count": 2, "workspaces": [row]}),
    )
    assert found == Listing((Workspace("3", "Team", "owner", "team"),), True)
    assert request.target == "/v1/workspaces?page_num=1&page_size=1"


def test_apps_are_counted_by_index():
    found, request = ask(
        lambda client: client.account.apps(ALICE, workspace_id="3"), envelope({"items": [ITEM], "total": 1})
    )
    assert found == Listing((AppSummary("7", "Barista", "d", True),), False)
    assert request.target == "/v1/apps?workspace_id=3&page_index=1&page_size=20"


FLOW = {"workflow_id": "9", "workflow_name": "f", "description": "d", "icon_url": "https://x/", "app_id": "0"}


def test_workflows_say_themselves_whether_there_are_more():
    found, request = ask(
        lambda client: client.account.workflows(ALICE, workspace_id="3", mode="chatflow"),
        envelope({"items": [FLOW, {**FLOW, "app_id": "5"}], "has_more": True}),
    )
    flow = WorkflowSummary("9", "f", "d", "https://x/", "")
    assert found == Listing((flow, WorkflowSummary("9", "f", "d", "https://x/", "5")), True)
    assert request.target == (
        "/v1/workflows?workspace_id=3&workflow_mode=chatflow&publish_status=published_online&page_num=1&page_size=20"
    )
    found, request = ask(
        lambda client: client.account.workflow(ALICE, "9"), envelope({"workflow_detail": FLOW})
    )
    assert (found, request.target) == (flow, "/v1/workflows/9")


@pytest.mark.parametrize("data", [{"items": None, "total": 0}, {"total": 500}, {"items": []}, {}])
def test_a_list_that_is_left_out_is_empty_and_has_an_end(data: Any):
    found, _ = ask(lambda client: client.bots.list(ALICE, workspace_id="3"), envelope(data))
    assert found == Listing((), False)


@pytest.mark.parametrize("data", [{"items": {}}, {"items": ["x"]}, None, []])
def test_a_list_that_is_none_is_a_bad_response(data: Any):
    error = refusal(lambda client: client.bots.list(ALICE, workspace_id="3"), envelope(data))
    assert type(error) is errors.BadResponse


def gathered(*, last: int) -> tuple[list[int], list[int]]:
    """The items of a list of `last` pages, and the pages that were asked for."""
    asked: list[int] = []

    async def page(number: int) -> Listing[int]:
        asked.append(number)
        return Listing((number * 10, number * 10 + 1), number < last)

    async def main() -> list[int]:
        return [item async for item in each(page)]

    return asyncio.run(main()), asked


def test_a_list_is_followed_page_by_page_but_not_for_ever():
    assert gathered(last=2) == ([10, 11, 20, 21], [1, 2])
    assert gathered(last=10**9)[1] == list(range(1, MOST_PAGES + 1))


def test_variables_are_the_callers_own():
    row = {"keyword": "city", "value": "杭州", "create_time": "1", "update_time": 2}
    found, request = ask(
        lambda client: client.variables.retrieve(ALICE, bot_id="7", keywords=["city", "a b"]),
        envelope({"items": [row]}),
    )
    assert found == (Variable("city", "杭州", 1, 2),)
    assert request.target == "/v1/variables?bot_id=7&connector_uid=u_alice&keywords=city%2Ca+b"
    found, request = ask(lambda client: client.variables.update(ALICE, {"city": "x"}, app_id="5"), envelope())
    assert (found, request.method, request.target) == (None, "PUT", "/v1/variables")
    assert request.json == {
        "app_id": "5",
        "connector_uid": "u_alice",
        "data": [{"keyword": "city", "value": "x"}],
        "session_name": "u_alice",
    }


@pytest.mark.parametrize("place", [{}, {"bot_id": "1", "app_id": "2"}])
def test_variables_belong_to_one_thing(place: dict[str, str]):
    assert isinstance(unsent(lambda client: client.variables.retrieve(ALICE, **place)), errors.BadRequest)
    assert isinstance(unsent(lambda client: client.variables.update(ALICE, {}, **place)), errors.BadRequest)
