"""A client that goes away: the policy of the assistant holds, and the call is settled exactly once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.conf import settings

from .running import until
from .test_completions import manners

SLOW = "slowly count to 40"


def leave_after(site, key, chunks, *, model="gpt-4", question=SLOW):
    """Read so many chunks, then hang up; returns the request's id."""
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": question}]}
    headers = {"Authorization": f"Bearer {key}"}
    with (
        httpx.Client(trust_env=False, timeout=30) as client,
        client.stream("POST", f"{site.base_url}/chat/completions", json=body, headers=headers) as response,
    ):
        lines = response.iter_lines()
        seen = 0
        while seen < chunks:
            seen += next(lines).startswith("data:")
        return response.headers["x-request-id"]


@pytest.fixture
def undisturbed(client, site):
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-4", messages=[{"role": "user", "content": SLOW}]
    )
    (record,) = site.records(raw.headers["x-request-id"])
    return record


@pytest.mark.parametrize("chunks", [0, 1, 20, 40])
def test_a_call_that_is_drained_costs_what_the_undisturbed_one_costs(chunks, site, key, undisturbed):
    request_id = leave_after(site, key, chunks)
    (record,) = until(lambda: site.records(request_id))
    assert (record["status"], record["usage_source"]) == ("completed", "upstream")
    assert record["cost"] == undisturbed["cost"]
    assert site.holds() == []
    assert site.books() == []


@pytest.mark.parametrize("chunks", [1, 20])
def test_a_call_that_is_cancelled_costs_at_most_that(chunks, site, key, undisturbed):
    manners(site, "gpt-4", on_disconnect="cancel")
    try:
        request_id = leave_after(site, key, chunks)
        (record,) = until(lambda: site.records(request_id))
    finally:
        manners(site, "gpt-4", on_disconnect="drain")
    assert (record["status"], record["error_code"]) == ("canceled", "client_left")
    assert record["cost"] <= undisturbed["cost"]
    assert site.coze.ledger()["requests"]["POST /v3/chat/cancel"] == 1
    assert site.holds() == []
    assert site.books() == []


def test_who_leaves_before_cozes_first_word_has_the_chat_cancelled_and_pays_for_it(site, key):
    """The request is out: Coze works, though nobody knows the chat's id yet."""
    manners(site, "gpt-4", on_disconnect="cancel")
    site.coze.arm("slow-first-byte", seconds=1.5, times=1, path="/v3/chat$")
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": "slowly count to 300"}]}
    try:
        with httpx.Client(trust_env=False, timeout=0.6) as client, pytest.raises(httpx.ReadTimeout):
            client.post(
                f"{site.base_url}/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}
            )
        (record,) = until(lambda: site.records(secret=key))
    finally:
        manners(site, "gpt-4", on_disconnect="drain")
    assert (record["status"], record["error_code"]) == ("canceled", "client_left")
    assert record["coze_chat_id"]
    assert record["cost"] > 0
    ledger = site.coze.ledger()
    assert (sum(ledger["chats"].values()), ledger["requests"]["POST /v3/chat/cancel"]) == (1, 1)
    assert site.holds() == []
    assert site.books() == []


def test_a_run_is_finished_whatever_the_policy_says(site, key):
    request_id = leave_after(site, key, 1, model="summary", question="count to 300")
    (record,) = until(lambda: site.records(request_id))
    assert (record["status"], record["usage_source"]) == ("completed", "upstream")


def test_a_client_that_leaves_a_whole_answer_pays_for_it_once(site, key):
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": SLOW}]}
    with httpx.Client(trust_env=False, timeout=0.2) as client, pytest.raises(httpx.ReadTimeout):
        client.post(
            f"{site.base_url}/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}
        )
    (record,) = until(lambda: site.records(secret=key))
    assert record["status"] == "completed"
    assert site.holds() == []


def test_a_slot_is_free_again_once_the_call_has_ended(site):
    key = site.key(concurrency=1)
    leave_after(site, key, 1, question="slowly count to 10")
    until(lambda: site.records(secret=key))
    leave_after(site, key, 1, question="slowly count to 10")


def test_of_many_who_leave_at_once_the_last_are_cancelled(site, key):
    """Each owner may leave so many chats behind; nobody else's are touched by that."""
    crowd = settings.GATEWAY_DRAINS_OF_OWNER + 6
    bobs = site.key("bob")
    # Nobody's answer ends before everybody has come.
    site.coze.arm("stall", after=2, seconds=20)
    body = {"model": "gpt-4", "stream": True, "messages": [{"role": "user", "content": "count to 9"}]}

    def come(secret):
        """A client with the first word in its hands, that will leave."""
        client = httpx.Client(trust_env=False, timeout=60)
        headers = {"Authorization": f"Bearer {secret}"}
        request = client.build_request(
            "POST", f"{site.base_url}/chat/completions", json=body, headers=headers
        )
        response = client.send(request, stream=True)
        next(response.iter_raw())
        return client, response

    with ThreadPoolExecutor(crowd + 1) as pool:
        for client, response in list(pool.map(come, [key] * crowd + [bobs])):
            response.close()
            client.close()
    records = until(lambda: len(found := site.records(secret=key)) == crowd and found, seconds=60)
    ends = Counter((record["status"], record["error_code"]) for record in records)
    assert ends == {("completed", ""): settings.GATEWAY_DRAINS_OF_OWNER, ("canceled", "client_left"): 6}
    (bobs_record,) = until(lambda: site.records(secret=bobs))
    assert bobs_record["status"] == "completed"
    assert site.coze.ledger()["requests"]["POST /v3/chat/cancel"] == 6
    assert site.holds() == []
    assert site.books() == []
