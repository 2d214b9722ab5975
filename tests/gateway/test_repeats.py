"""What is a repetition and what is a new call; what a call leaves behind that could not be let in."""

import pytest

from .running import until

QUESTION = [{"role": "user", "content": "count to 5"}]
RUN = {"model": "summary", "messages": QUESTION}
REPEATED = {"x-stainless-retry-count": "1"}


def ask(site, key, *, status=200, body=RUN, **headers):
    told = site.post("/v1/chat/completions", key=key, json=body, headers=headers)
    assert told.status_code == status, told.text
    return told.json()


def runs(site):
    requests = site.coze.ledger()["requests"]
    return requests.get("POST /v1/workflow/run", 0) + requests.get("POST /v1/workflow/stream_run", 0)


def heard(site):
    """Whether the end of the newest remembered call has reached its client; earlier ones are other tests'."""
    return site.colleague.does("""
from cozechat.gateway.models import StoredCall
newest = StoredCall.objects.order_by("-pk").first()
answer = newest is not None and newest.heard_at is not None
""")


def with_column(site, *, table, name, becomes):
    site.colleague.does(f"""
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("ALTER TABLE {table} RENAME COLUMN {name} TO {becomes}")
""")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_who_was_told_to_come_back_and_has_heard_the_first_answer_gets_a_run_of_its_own(stream, site):
    """The official clients say that they repeat after a 429, too, for which nothing has run."""
    key = site.key(requests_per_minute=1)
    body = RUN | {"stream": stream}
    first = site.post("/v1/chat/completions", key=key, json=body)
    assert first.status_code == 200
    until(lambda: heard(site))
    assert site.post("/v1/chat/completions", key=key, json=body).status_code == 429
    site.colleague.does("""
from cozechat.gateway.models import ApiKey
ApiKey.objects.filter(requests_per_minute=1).update(requests_per_minute=None)
""")
    second = site.post("/v1/chat/completions", key=key, json=body, headers=REPEATED)
    assert second.status_code == 200
    assert runs(site) == 2
    assert [record["status"] for record in site.records(secret=key)].count("completed") == 2


def test_who_has_heard_that_a_run_failed_gets_another(site, key):
    site.coze.arm("error-event", after=1, times=1)
    failed = site.post("/v1/chat/completions", key=key, json=RUN | {"stream": True})
    assert failed.status_code >= 400 or "error" in failed.text
    until(lambda: heard(site))
    again = site.post("/v1/chat/completions", key=key, json=RUN | {"stream": True}, headers=REPEATED)
    assert "[DONE]" in again.text
    assert runs(site) == 2


@pytest.mark.parametrize(
    "headers", [{"Idempotency-Key": "paced"}, REPEATED], ids=["idempotency key", "repeated"]
)
def test_what_is_only_told_again_counts_as_a_request(headers, site):
    key = site.key(requests_per_minute=1)
    ask(site, key, **headers)
    assert ask(site, key, status=429, **headers)["error"]["code"] == "rate_limit_exceeded"
    assert runs(site) == 1


def test_a_rotated_keys_successor_is_told_what_its_predecessor_asked(site, key):
    first = ask(site, key, **{"Idempotency-Key": "rotated"})
    successor = site.colleague.does(f"""
from django.utils import timezone
from cozechat.gateway import keys
from cozechat.gateway.models import ApiKey
answer = keys.rotate(ApiKey.objects.get(digest=keys.digest({key!r})), now=timezone.now())[1]
""")
    assert ask(site, successor, **{"Idempotency-Key": "rotated"})["id"] == first["id"]
    assert runs(site) == 1
    other = {"model": "summary", "messages": [{"role": "user", "content": "count to 6"}]}
    told = ask(site, successor, status=422, body=other, **{"Idempotency-Key": "rotated"})
    assert told["error"]["code"] == "idempotency_key_reused"
    # Bob's same name is nobody's but his.
    assert ask(site, site.key("bob"), **{"Idempotency-Key": "rotated"})["id"] != first["id"]


@pytest.mark.parametrize(
    ("table", "column", "model"),
    [("gateway_slot", "number", "summary"), ("gateway_stickyconversation", "external_id", "gpt-4")],
    ids=["before the money", "after it"],
)
def test_a_database_that_fails_leaves_neither_money_set_aside_nor_a_name_taken(table, column, model, site):
    key, before = site.key(concurrency=2), site.balance()
    headers = {"Idempotency-Key": f"failing-{table}"}
    if model == "gpt-4":
        headers["X-Conversation-Id"] = "new"
    body = {"model": model, "messages": QUESTION}
    with_column(site, table=table, name=column, becomes="elsewhere")
    try:
        told = ask(site, key, status=500, body=body, **headers)
    finally:
        with_column(site, table=table, name="elsewhere", becomes=column)
    assert told["error"]["code"] == "internal_error"
    assert site.holds() == []
    assert site.balance() == before
    assert ask(site, key, body=body, **headers)["choices"][0]["message"]["content"] == "1 2 3 4 5"
    assert site.books() == []
