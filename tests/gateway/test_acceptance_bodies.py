"""What Coze is really asked for a call of the gateway: read on the wire, between this site and the emulator."""

import pytest

from cozechat.catalog.models import Assistant
from cozechat.emulator import seed
from cozechat.gateway.models import Manners

from .eavesdropping import QUESTION, ask

RUN, LONG = seed.RUN_WORKFLOW_ID, seed.LONG_WORKFLOW_ID
SYSTEM = [{"role": "system", "content": "My name is Zoe."}]


def manners(model, **wanted):
    Manners.objects.create(assistant=Assistant.objects.get(gateway_name=model), **wanted)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("model", "whole", "streamed"),
    [
        ("gpt-4", "POST /v3/chat", "POST /v3/chat"),
        (f"bot:{seed.BOT_ID}", "POST /v3/chat", "POST /v3/chat"),
        (f"workflow:{RUN}", "POST /v1/workflow/run", "POST /v1/workflow/stream_run"),
        (f"workflow-async:{LONG}", "POST /v1/workflow/run", "POST /v1/workflow/run"),
        ("long", "POST /v1/workflow/run", "POST /v1/workflow/run"),
    ],
    ids=["named bot", "bot", "workflow", "workflow-async", "named long run"],
)
async def test_each_kind_of_model_goes_its_own_way(model, whole, streamed, stream, overheard, overheard_key):
    await ask(
        overheard_key, model, stream=stream, workflow_parameters={"seconds": 0} if "gpt" not in model else {}
    )
    first, *rest = overheard.paths()
    assert first == (streamed if stream else whole)
    # A long run alone is looked up, and where Coze keeps its histories.
    looked_up = {path.rpartition("/")[0] for path in rest}
    is_long = model in ("long", f"workflow-async:{LONG}")
    assert looked_up == ({f"GET /v1/workflows/{LONG}/run_histories"} if is_long else set())


async def test_a_long_run_is_asked_for_as_one(overheard, overheard_key):
    await ask(overheard_key, f"workflow-async:{LONG}", workflow_parameters={"seconds": 0})
    assert overheard.body("/v1/workflow/run")["is_async"] is True


async def test_a_run_is_not_asked_for_as_a_long_one(overheard, overheard_key):
    await ask(overheard_key, f"workflow:{RUN}")
    assert not overheard.body("/v1/workflow/run").get("is_async")


@pytest.mark.parametrize("model", ["gpt-4", "demo", "summary"])
async def test_the_session_is_named_in_assertion_and_body_alike(model, overheard, overheard_key):
    await ask(overheard_key, model, user="somebody")
    (assertion,) = overheard.assertions
    name = assertion["session_name"]
    assert name.startswith("gw-")
    bodies = [body for _method, path, body in overheard.requests if body and "oauth2" not in path]
    assert {body["session_name"] for body in bodies} == {name}
    if model == "gpt-4":
        assert overheard.body("/v3/chat")["user_id"] == name
    if model == "demo":
        assert overheard.body("/v1/workflows/chat")["ext"]["user_id"] == name


@pytest.mark.parametrize(
    ("model", "more", "name"),
    [
        (f"workflow:{RUN}", {}, "input"),
        ("summary", {}, "input"),
        ("coze-workflow", {"workflow_id": RUN}, "BOT_USER_INPUT"),
    ],
    ids=["workflow", "named", "coze-workflow"],
)
async def test_the_question_is_the_input_that_the_documents_name(model, more, name, overheard, overheard_key):
    await ask(overheard_key, model, **more)
    assert overheard.body("/v1/workflow/run")["parameters"] == {name: "count to 5"}


@pytest.mark.parametrize("model", ["summary", "coze-workflow"])
async def test_an_assistant_may_name_its_input_itself(model, overheard, overheard_key):
    from cozechat import database

    await database.run(manners, "summary", input_name="query")
    more = {"workflow_id": RUN} if model == "coze-workflow" else {}
    await ask(overheard_key, model, **more)
    assert overheard.body("/v1/workflow/run")["parameters"] == {"query": "count to 5"}


async def test_what_the_client_names_itself_is_added_and_wins(overheard, overheard_key):
    given = {"BOT_USER_INPUT": "count to 2", "language": "en", "depth": 3, "tags": ["a"]}
    await ask(overheard_key, "coze-workflow", workflow_id=RUN, workflow_parameters=given)
    assert overheard.body("/v1/workflow/run")["parameters"] == given


@pytest.mark.parametrize("drops", [True, False])
async def test_empty_parameters_are_left_out_unless_the_assistant_wants_them(drops, overheard, overheard_key):
    from cozechat import database

    await database.run(manners, "summary", drops_empty=drops)
    empty = {"image": "", "list": [], "object": {}, "nothing": None}
    zero = {"zero": 0, "no": False}
    await ask(overheard_key, "summary", workflow_parameters=empty | zero)
    wanted = {"input": "count to 5"} | zero | ({} if drops else empty)
    assert overheard.body("/v1/workflow/run")["parameters"] == wanted


@pytest.mark.parametrize(
    "messages",
    [
        [*QUESTION, {"role": "assistant", "content": "Well:"}],
        [{"role": "user", "content": "no"}, {"role": "assistant", "content": "Well:"}, *QUESTION],
        [{"role": "user", "content": [{"type": "text", "text": "count"}, {"type": "text", "text": "to 5"}]}],
    ],
    ids=["followed", "preceded", "in parts"],
)
async def test_a_run_is_asked_the_last_message_of_the_user_with_all_its_parts(
    messages, overheard, overheard_key
):
    await ask(overheard_key, "summary", messages=messages)
    assert overheard.body("/v1/workflow/run")["parameters"]["input"].split() == ["count", "to", "5"]


async def test_a_system_message_stands_before_the_first_question(overheard, overheard_key):
    await ask(overheard_key, "gpt-4", messages=[*SYSTEM, *QUESTION])
    (said,) = overheard.body("/v3/chat")["additional_messages"]
    assert (said["role"], said["content"]) == ("user", "[System]\nMy name is Zoe.\n\n[User]\ncount to 5")


async def test_a_system_message_travels_in_the_variable_that_the_assistant_names(overheard, overheard_key):
    from cozechat import database

    for model in ("gpt-4", "summary"):
        await database.run(manners, model, system_messages="variable", system_variable="ROLE")
    await ask(overheard_key, "gpt-4", messages=[*SYSTEM, *QUESTION])
    chat = overheard.body("/v3/chat")
    assert chat["custom_variables"] == {"ROLE": "My name is Zoe."}
    assert [said["content"] for said in chat["additional_messages"]] == ["count to 5"]
    await ask(overheard_key, "summary", messages=[*SYSTEM, *QUESTION])
    asked = overheard.body("/v1/workflow/run")["parameters"]
    assert asked == {"input": "count to 5", "ROLE": "My name is Zoe."}


async def test_the_assistants_part_of_the_history_travels_too(overheard, overheard_key):
    history = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "Hello."}]
    await ask(overheard_key, "gpt-4", messages=[*history, *QUESTION])
    said = [(each["role"], each["content"]) for each in overheard.body("/v3/chat")["additional_messages"]]
    assert said == [("user", "hello"), ("assistant", "Hello."), ("user", "count to 5")]


async def test_the_assertion_is_as_the_documents_ask(overheard, overheard_key):
    await ask(overheard_key, "gpt-4")
    (claims,) = overheard.assertions
    assert {"iss", "aud", "iat", "exp", "jti", "session_name"} <= set(claims)
    assert 0 < claims["exp"] - claims["iat"] <= 3600
    (exchange,) = [body for _method, path, body in overheard.requests if path.endswith("/oauth2/token")]
    assert exchange["duration_seconds"] == 3600
    assert exchange["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"


async def test_one_token_serves_many_calls_of_a_session(overheard, overheard_key):
    for _ in range(3):
        await ask(overheard_key, "gpt-4", user="1")
    assert len(overheard.assertions) == 1
    await ask(overheard_key, "gpt-4", user="2")
    assert len({claims["session_name"] for claims in overheard.assertions}) == 2
