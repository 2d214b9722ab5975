"""Bob tries: end users of one key, two keys, two owners; nobody hears of anybody else."""

import openai
import pytest

from .conftest import client_for

TELL = [{"role": "user", "content": "My name is Zoe."}]
ASK = [{"role": "user", "content": "what is my name?"}]
MODELS = ["gpt-4", "flow"]


def answer(client, messages, *, model="gpt-4", **more):
    raw = client.chat.completions.with_raw_response.create(model=model, messages=messages, **more)
    return raw.parse().choices[0].message.content, raw.headers.get("x-conversation-id")


def sessions(site):
    """Under which names Coze was asked."""
    return set(site.coze.ledger()["chats_per_session"])


def sticky(conversation):
    return {"extra_headers": {"X-Conversation-Id": conversation}}


def test_each_end_user_has_a_session_of_their_own(site, client):
    for user in ("1", "2"):
        client.chat.completions.create(model="gpt-4", messages=TELL, user=user)
    client.chat.completions.create(model="gpt-4", messages=TELL, user="1")
    assert len(sessions(site)) == 2
    assert all(name.startswith("gw-") and len(name) == 43 for name in sessions(site))


def test_the_same_name_under_two_owners_is_two_people(site):
    # Keys of one scope: what divides them is their owner alone.
    alices, bobs = (site.key(owner, scope="shared") for owner in ("alice", "bob"))
    with client_for(site, alices) as one, client_for(site, bobs) as other:
        for client in (one, other):
            client.chat.completions.create(model="gpt-4", messages=TELL, user="1")
    assert len(sessions(site)) == 2


def test_the_same_name_under_two_keys_is_two_people(site):
    with client_for(site, site.key()) as one, client_for(site, site.key()) as other:
        for client in (one, other):
            client.chat.completions.create(model="gpt-4", messages=TELL, user="1")
    assert len(sessions(site)) == 2


def test_without_a_name_it_is_the_keys_own_session_and_nobody_elses(site, client):
    client.chat.completions.create(model="gpt-4", messages=TELL)
    client.chat.completions.create(model="gpt-4", messages=TELL)
    assert len(sessions(site)) == 1
    client.chat.completions.create(model="gpt-4", messages=TELL, user="key")
    client.chat.completions.create(model="gpt-4", messages=TELL, user="1")
    assert len(sessions(site)) == 3


@pytest.mark.parametrize(
    "more",
    [
        {"user": "u-1"},
        {"extra_body": {"safety_identifier": "u-1", "user": "other"}},
        {"extra_body": {"user": {"id": "u-1", "name": "Una"}}},
        {"extra_headers": {"X-End-User-Id": "u-1"}, "user": "other"},
    ],
)
def test_an_end_user_is_named_in_several_ways(more, site, client):
    client.chat.completions.create(model="gpt-4", messages=TELL, user="u-1")
    client.chat.completions.create(model="gpt-4", messages=TELL, **more)
    assert len(sessions(site)) == 1


def test_the_headers_of_open_webui_count_only_for_keys_that_trust_them(site):
    headers = {"X-OpenWebUI-User-Id": "u-1"}
    with client_for(site, site.key()) as client:
        client.chat.completions.create(model="gpt-4", messages=TELL)
        client.chat.completions.create(model="gpt-4", messages=TELL, extra_headers=headers)
    assert len(sessions(site)) == 1
    with client_for(site, site.key(trusts_open_webui=True)) as client:
        client.chat.completions.create(model="gpt-4", messages=TELL)
        client.chat.completions.create(model="gpt-4", messages=TELL, extra_headers=headers)
    assert len(sessions(site)) == 3


@pytest.mark.parametrize("model", MODELS)
def test_a_call_stands_alone_unless_it_says_otherwise(model, client):
    answer(client, TELL, model=model, user="1")
    text, conversation = answer(client, ASK, model=model, user="1")
    assert "Zoe" not in text
    assert conversation is None


@pytest.mark.parametrize("model", MODELS)
def test_a_conversation_goes_on_for_who_began_it_and_for_nobody_else(model, site, client):
    _text, conversation = answer(client, TELL, model=model, user="alice", **sticky("new"))
    assert conversation.startswith("conv_")
    text, again = answer(client, ASK, model=model, user="alice", **sticky(conversation))
    assert "Zoe" in text
    assert again == conversation
    by_metadata, _ = answer(
        client, ASK, model=model, user="alice", metadata={"conversation_id": conversation}
    )
    assert "Zoe" in by_metadata

    def bob_tries(bobs, **more):
        with pytest.raises(openai.NotFoundError) as refused:
            answer(bobs, ASK, model=model, **more, **sticky(conversation))
        assert refused.value.code == "conversation_not_found"
        return refused.value.message

    told = {bob_tries(client, user="bob"), bob_tries(client)}
    with client_for(site, site.key("bob")) as bobs:
        told.add(bob_tries(bobs, user="alice"))
    with client_for(site, site.key("alice")) as others:
        told.add(bob_tries(others, user="alice"))
    with pytest.raises(openai.NotFoundError) as missing:
        answer(client, ASK, model=model, user="alice", **sticky("conv_0"))
    assert told == {missing.value.message}


def test_in_a_conversation_only_what_is_new_is_sent(client):
    _text, conversation = answer(client, TELL, user="1", **sticky("new"))
    history = [{"role": "user", "content": "My name is Max."}, {"role": "assistant", "content": "Noted."}]
    text, _ = answer(client, [*history, *ASK], user="1", **sticky(conversation))
    assert "Zoe" in text


def test_open_webui_names_its_conversations_itself(site):
    with client_for(site, site.key(trusts_open_webui=True)) as client:

        def say(messages, user, chat):
            headers = {"X-OpenWebUI-User-Id": user, "X-OpenWebUI-Chat-Id": chat}
            return answer(client, messages, extra_headers=headers)[0]

        say(TELL, "a", "chat-1")
        assert "Zoe" in say(ASK, "a", "chat-1")
        assert "Zoe" not in say(ASK, "b", "chat-1")
        assert "Zoe" not in say(ASK, "a", "chat-2")


def test_a_conversation_that_is_busy_says_so(client):
    _text, conversation = answer(client, TELL, user="1", **sticky("new"))
    slow = [{"role": "user", "content": "slowly count to 60"}]
    stream = client.chat.completions.create(
        model="gpt-4", messages=slow, stream=True, user="1", **sticky(conversation)
    )
    next(iter(stream))
    with pytest.raises(openai.ConflictError) as refused:
        answer(client, ASK, user="1", **sticky(conversation))
    assert refused.value.code == "conversation_busy"
    list(stream)
    assert "Zoe" in answer(client, ASK, user="1", **sticky(conversation))[0]


def test_a_conversation_that_coze_has_lost_is_told_anew(site, client):
    _text, conversation = answer(client, TELL, user="1", **sticky("new"))
    site.coze.arm("json-error", code=4002, msg="conversation not found", times=1, path="/v3/chat$")
    text, _ = answer(
        client, [*TELL, {"role": "assistant", "content": "ok"}, *ASK], user="1", **sticky(conversation)
    )
    assert "Zoe" in text


def test_end_users_are_nobody_who_could_log_in(site, client):
    client.chat.completions.create(model="gpt-4", messages=TELL, user="somebody")
    found = site.colleague.does("""
from accounts.models import User
rows = User.objects.exclude(end_user_of=None)
answer = [rows.count() > 0, any(row.is_active or row.has_usable_password() for row in rows)]
""")
    assert found == [True, False]


def test_no_file_is_taken_by_its_id(client):
    parts = [{"type": "text", "text": "read this"}, {"type": "file", "file": {"file_id": "123"}}]
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": parts}])


def test_whoever_has_the_answer_may_go_on_at_once(site):
    with client_for(site, site.key(concurrency=1)) as client:
        _text, conversation = answer(client, TELL, user="1", **sticky("new"))
        for number in range(1, 20):
            messages = [{"role": "user", "content": f"count to {number}"}]
            assert answer(client, messages, user="1", **sticky(conversation))[0].endswith(str(number))
            assert answer(client, messages, user="1")[0].endswith(str(number))


def test_an_idempotency_key_is_each_end_users_own(site, client):
    """Many programs make it of the question: two people who ask alike are still two people."""

    def told(user):
        headers = {"X-End-User-Id": user, "Idempotency-Key": "same"}
        return client.chat.completions.create(model="gpt-4", messages=TELL, extra_headers=headers).id

    alices, bobs = told("alice"), told("bob")
    assert alices != bobs
    assert (told("alice"), told("bob")) == (alices, bobs)
    assert len(sessions(site)) == 2
