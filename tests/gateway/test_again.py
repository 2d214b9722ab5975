"""The same call again: told a second time, never made a second time."""

import threading

import openai
import pytest

from .conftest import client_for
from .running import until

QUESTION = [{"role": "user", "content": "count to 5"}]


def ask(client, name, *, question=QUESTION, **more):
    return client.chat.completions.create(
        model="gpt-4", messages=question, extra_headers={"Idempotency-Key": name}, **more
    )


def test_the_same_key_and_body_give_the_same_answer_for_one_charge(site, client, key):
    first, second = ask(client, "a"), ask(client, "a")
    assert first.id == second.id
    assert second.choices[0].message.content == "1 2 3 4 5"
    assert first.usage == second.usage
    assert len(site.records(secret=key)) == 1
    assert sum(site.coze.ledger()["chats"].values()) == 1


def test_a_repeated_stream_has_the_same_text_and_id(client):
    first, second = (list(ask(client, "b", stream=True)) for _ in range(2))
    assert {chunk.id for chunk in first} == {chunk.id for chunk in second}
    texts = ["".join(chunk.choices[0].delta.content or "" for chunk in each) for each in (first, second)]
    assert texts == ["1 2 3 4 5"] * 2


def test_another_body_under_the_same_key_is_refused(client):
    ask(client, "c")
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        ask(client, "c", question=[{"role": "user", "content": "count to 6"}])
    assert refused.value.code == "idempotency_key_reused"


def test_another_owners_same_key_is_another_call(site, client):
    ask(client, "d")
    with client_for(site, site.key("bob")) as bobs:
        ask(bobs, "d")
    assert sum(site.coze.ledger()["chats"].values()) == 2


def test_while_it_runs_the_same_call_is_told_to_wait(site, client, key):
    slow = [{"role": "user", "content": "slowly count to 60"}]
    stream = ask(client, "e", question=slow, stream=True)
    next(iter(stream))
    with pytest.raises(openai.ConflictError) as refused:
        ask(client, "e", question=slow, stream=True)
    assert refused.value.code == "idempotency_in_progress"
    list(stream)


def test_a_call_that_never_reached_coze_may_be_made_again(site, client):
    site.coze.arm("json-error", code=4009, times=1, path="/v3/chat$")
    with pytest.raises(openai.APIStatusError):
        ask(client, "f")
    assert ask(client, "f").choices[0].message.content == "1 2 3 4 5"


def test_a_call_that_failed_at_coze_is_not_made_again(site, client):
    site.coze.arm("error-event", after=2, times=1)
    codes = []
    for _ in range(2):
        with pytest.raises(openai.APIError) as failed:
            ask(client, "g")
        codes.append(failed.value.code)
    assert codes == ["5000", "5000"]
    assert sum(site.coze.ledger()["chats"].values()) == 1


def test_of_many_at_once_one_is_made(site, client, key):
    results = []

    def once():
        try:
            results.append(ask(client, "h").id)
        except openai.ConflictError as error:
            results.append(error.code)

    threads = [threading.Thread(target=once) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(site.coze.ledger()["chats"].values()) == 1
    assert len({each for each in results if each.startswith("chatcmpl")}) == 1


def test_what_was_said_lies_sealed_in_the_database(site, client):
    ask(client, "i", question=[{"role": "user", "content": "count to 7"}])
    stored = site.colleague.does("""
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT outcome FROM gateway_storedcall ORDER BY id DESC LIMIT 1")
    answer = cursor.fetchone()[0]
""")
    assert stored
    assert "1 2 3" not in stored
    assert until(lambda: ask(client, "i", question=[{"role": "user", "content": "count to 7"}]))
