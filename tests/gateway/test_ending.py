"""The end of a process: in order, or by force; no money stays set aside and nothing is charged twice."""

import threading
from collections.abc import Iterator

import httpx
import openai
import pytest

from .conftest import client_for, furnished
from .running import Site, manage, until

SLOWLY = [{"role": "user", "content": "slowly count to 300"}]
LAPSE = """
from datetime import timedelta
from django.utils import timezone
from cozechat.usage.models import Hold
from cozechat.gateway.models import StoredCall
Hold.objects.filter(state="open").update(lease_until=timezone.now() - timedelta(seconds=1))
StoredCall.objects.filter(state="running").update(lease_until=timezone.now() - timedelta(seconds=1))
"""


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of its own, for it will be killed."""
    yield from furnished(tmp_path_factory.mktemp("mortal"))


def begin(site, key, **more):
    """A stream whose first words have come, and the id of its request."""
    body = {"model": "gpt-4", "messages": SLOWLY, "stream": True} | more
    client = httpx.Client(trust_env=False, timeout=30)
    request = client.build_request(
        "POST", f"{site.base_url}/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}
    )
    response = client.send(request, stream=True)
    lines = response.iter_lines()
    for _ in range(6):
        next(lines)
    return response.headers["x-request-id"], lines


def test_a_killed_process_leaves_nothing_open_and_charges_what_coze_counted(mortal):
    key = mortal.key()
    mortal.coze.reset_ledger()
    request_id, _lines = begin(mortal, key)
    assert mortal.holds() == [request_id]
    mortal.kill()
    assert mortal.holds() == [request_id]
    mortal.colleague.does(LAPSE)

    def settled():
        manage(mortal.environment, "reconcile")
        return mortal.records(request_id)

    (record,) = until(settled, seconds=60)
    assert (record["status"], record["usage_source"]) == ("completed", "upstream")
    assert record["settled_late"]
    assert mortal.holds() == []
    assert mortal.books() == []
    assert sum(mortal.coze.ledger()["chats"].values()) == 1
    manage(mortal.environment, "reconcile")
    assert mortal.records(request_id) == [record]
    assert mortal.coze.ledger()["requests"]["DELETE /v1/conversations/{conversation_id}"] == 1
    mortal.start()


def test_another_process_fetches_what_a_killed_one_had_begun_in_the_background(mortal):
    key = mortal.key()
    with client_for(mortal, key) as client:
        begun = client.responses.create(
            model="long",
            input="count to 5",
            background=True,
            extra_body={"workflow_parameters": {"seconds": 1}},
        )
    mortal.kill()
    mortal.start()
    mortal.colleague.does(LAPSE)
    # Nobody calls: the new process looks by itself for what is deserted.
    with client_for(mortal, key) as client:

        def done():
            found = client.responses.retrieve(begun.id)
            return found if found.status != "in_progress" else None

        found = until(done, seconds=30)
    assert (found.status, found.output_text.endswith("1 2 3 4 5")) == ("completed", True)
    assert len(mortal.records(secret=key)) == 1
    assert mortal.books() == []


def test_an_orderly_end_lets_calls_finish(mortal):
    key = mortal.key()
    results = []

    def ask():
        with openai.OpenAI(base_url=mortal.base_url, api_key=key, max_retries=0) as client:
            messages = [{"role": "user", "content": "slowly count to 100"}]
            results.append(client.chat.completions.create(model="gpt-4", messages=messages))

    thread = threading.Thread(target=ask)
    thread.start()
    until(mortal.holds)
    assert mortal.stop() == 0
    thread.join(30)
    assert results[0].choices[0].message.content.endswith("100")
    assert [record["status"] for record in mortal.records(secret=key)] == ["completed"]
    assert "Traceback" not in mortal.log.read_text()
    mortal.start()


def test_a_call_that_outlasts_the_orderly_end_is_told_and_settled_later(mortal):
    key = mortal.key()
    mortal.coze.arm("stall", after=5, seconds=40, times=1)
    request_id, lines = begin(mortal, key)
    assert mortal.stop() == 0
    rest = list(lines)
    assert "restarting" in "".join(rest)
    mortal.coze.disarm()
    mortal.start()
    mortal.colleague.does(LAPSE)
    manage(mortal.environment, "reconcile")
    (record,) = until(lambda: mortal.records(request_id), seconds=60)
    assert record["usage_source"] in {"upstream", "estimated"}
    assert mortal.books() == []
