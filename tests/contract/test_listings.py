"""Bots, apps, workflows, files and variables through the SDK (conformance 4, 19 and 20)."""

import asyncio

import pytest

from .sdk import Sdk, async_coze, cozepy, refusal

WORKSPACE = "7480012345678901003"


def test_there_is_one_workspace(sdk: Sdk) -> None:
    (only,) = sdk.coze().workspaces.list(page_num=1, page_size=20)
    assert (only.id, only.role_type, only.workspace_type) == (WORKSPACE, "owner", "personal")


@pytest.mark.parametrize("version", [1, 2])
def test_published_bots_are_listed_in_both_generations(sdk: Sdk, version: int) -> None:
    coze, known = sdk.coze(), sdk.credentials
    page = coze.bots.list(space_id=WORKSPACE, page_size=1, use_api_version=version)
    assert [bot.bot_id for bot in page] == [known.bot_id, known.tool_bot_id]
    assert page.total == 2
    assert refusal(lambda: coze.bots.list(space_id="1", use_api_version=version)).code == 4200


def test_a_bot_is_described_in_both_generations(sdk: Sdk) -> None:
    coze, bot_id = sdk.coze(), sdk.credentials.bot_id
    for options in ({}, {"is_published": True, "use_api_version": 2}):
        bot = coze.bots.retrieve(bot_id=bot_id, **options)
        assert (bot.bot_id, bot.bot_mode, bot.knowledge.auto_call) == (bot_id, 0, True)
        assert bot.onboarding_info.suggested_questions
        assert refusal(lambda options=options: coze.bots.retrieve(bot_id="1", **options)).code == 4006


def test_drafts_are_shown_to_who_asks_for_them(sdk: Sdk) -> None:
    coze, draft = sdk.coze(), "7480012345678904003"
    assert refusal(lambda: coze.bots.retrieve(bot_id=draft)).code == 4006
    assert coze.bots.retrieve(bot_id=draft, is_published=False, use_api_version=2).bot_id == draft
    listed = coze.bots.list(
        space_id=WORKSPACE, use_api_version=2, publish_status=cozepy.PublishStatus.UNPUBLISHED_DRAFT
    )
    assert [bot.id for bot in listed] == [draft]


def test_apps_and_workflows_are_listed(sdk: Sdk) -> None:
    coze, known = sdk.coze(), sdk.credentials
    assert [app.id for app in coze.apps.list(workspace_id=WORKSPACE)] == [known.app_id]
    listed = coze.workflows.list(workspace_id=WORKSPACE, page_size=2)
    assert {each.workflow_id for each in listed} == {
        known.workflow_id,
        known.question_workflow_id,
        known.reasoning_workflow_id,
        known.run_workflow_id,
        known.long_workflow_id,
        known.trip_workflow_id,
        known.order_workflow_id,
    }
    plain = coze.workflows.list(workspace_id=WORKSPACE, workflow_mode="workflow")
    assert [each.workflow_id for each in plain] == [
        known.run_workflow_id,
        known.long_workflow_id,
        known.trip_workflow_id,
        known.order_workflow_id,
    ]
    # The SDK writes this member's name into the address, not its value.
    misnamed = coze.workflows.list(workspace_id=WORKSPACE, workflow_mode=cozepy.WorkflowMode.WORKFLOW)
    assert len(list(misnamed)) == 7


def test_a_workflow_is_described(sdk: Sdk) -> None:
    coze, workflow_id = sdk.coze(), sdk.credentials.workflow_id
    detail = coze.workflows.retrieve(workflow_id=workflow_id).workflow_detail
    assert (detail.workflow_id, detail.app_id) == (workflow_id, "0")
    assert refusal(lambda: coze.workflows.retrieve(workflow_id="1")).code == 4200


def test_a_file_is_uploaded_and_found_again(sdk: Sdk) -> None:
    coze = sdk.coze()
    sent = coze.files.upload(file=("数据 a.txt", b"abc\r\n--x\r\n\r\n"))
    found = coze.files.retrieve(file_id=sent.id)
    assert (found.id, found.bytes, found.file_name) == (sent.id, 12, "数据 a.txt")
    assert refusal(lambda: coze.files.retrieve(file_id="1")).code == 4200
    assert refusal(lambda: coze.files.upload(file=("a.txt", b""))).code == 4300


def test_variables_belong_to_one_session(sdk: Sdk) -> None:
    alice, bob = sdk.coze(), sdk.coze()
    place = {"connector_uid": "A", "bot_id": sdk.credentials.bot_id}
    alice.variables.update(**place, data=[cozepy.VariableValue(keyword="k", value="v")])
    alice.variables.update(**place, data=[cozepy.VariableValue(keyword="l", value="w")])
    (found,) = alice.variables.retrieve(**place, keywords=["k"])
    assert (found.keyword, found.value) == ("k", "v")
    assert found.update_time >= found.create_time > 0
    assert len(list(alice.variables.retrieve(**place, keywords=["k", "l"]))) == 2
    assert list(bob.variables.retrieve(**place, keywords=["k"])) == []
    assert list(alice.variables.retrieve(**{**place, "connector_uid": "B"}, keywords=["k"])) == []
    wrong = {"connector_uid": "A", "keywords": ["k"]}
    assert refusal(lambda: alice.variables.retrieve(**wrong)).code == 4000


def test_the_async_client_sees_the_same(sdk: Sdk) -> None:
    async def main() -> None:
        async with async_coze(sdk, sdk.token("async lists")) as coze:
            known = sdk.credentials
            assert (await coze.users.me()).user_id
            for page in (
                await coze.workspaces.list(),
                await coze.bots.list(space_id=WORKSPACE),
                await coze.bots.list(space_id=WORKSPACE, use_api_version=2),
                await coze.apps.list(workspace_id=WORKSPACE),
                await coze.workflows.list(workspace_id=WORKSPACE),
            ):
                assert [each async for each in page]
            assert (await coze.bots.retrieve(bot_id=known.bot_id)).bot_id == known.bot_id
            file = await coze.files.upload(file=("a.txt", b"abc"))
            assert (await coze.files.retrieve(file_id=file.id)).bytes == 3
            place = {"connector_uid": "A", "app_id": known.app_id}
            await coze.variables.update(**place, data=[cozepy.VariableValue(keyword="k", value="v")])
            assert (await coze.variables.retrieve(**place, keywords=["k"])).data[0].value == "v"

    asyncio.run(main())
