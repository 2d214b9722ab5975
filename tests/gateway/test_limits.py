"""Limits while many call at once, and keys that end while their calls run."""

import threading

import openai

from .conftest import client_for
from .running import until

QUESTION = [{"role": "user", "content": "count to 5"}]


def together(count, act):
    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_many_calls_at_once_no_more_pass_than_the_minute_allows(site):
    key, passed = site.key(requests_per_minute=5), []

    def ask():
        with client_for(site, key) as client:
            try:
                client.chat.completions.create(model="gpt-4", messages=QUESTION)
            except openai.RateLimitError:
                passed.append(False)
            else:
                passed.append(True)

    together(15, ask)
    assert (passed.count(True), len(passed)) == (5, 15)
    statuses = [record["status"] for record in site.records(secret=key)]
    assert (statuses.count("completed"), statuses.count("refused")) == (5, 10)


def test_of_many_calls_at_once_no_more_pass_than_the_balance_allows(site):
    site.colleague.does("""
from django.utils import timezone
from accounts.models import User
from cozechat.usage import crediting
user, _made = User.objects.get_or_create(username="thrifty")
crediting.top_up(user.pk, amount=4_000_000, ref="thrifty", now=timezone.now())
""")
    key, answers = site.key("thrifty"), []

    def ask():
        with client_for(site, key) as client:
            try:
                # About 1.5 million are set aside for each, so that two fit at the same time.
                stream = client.chat.completions.create(
                    model="gpt-4", messages=[{"role": "user", "content": "slowly count to 40"}], stream=True
                )
                answers.append(len(list(stream)) > 40)
            except openai.RateLimitError as error:
                answers.append(error.code)

    together(8, ask)
    assert answers.count(True) == 2
    assert answers.count("insufficient_quota") == 6
    balance = site.balance("thrifty")
    assert balance["held"] == balance["debt"] == 0
    assert 0 < balance["available"] < 4_000_000
    assert site.books() == []


def test_a_revoked_key_stops_at_once_and_its_running_stream_is_finished(site):
    key = site.key()
    with client_for(site, key) as client:
        slow = [{"role": "user", "content": "slowly count to 60"}]
        stream = client.chat.completions.create(model="gpt-4", messages=slow, stream=True)
        chunks = [next(iter(stream))]
        site.colleague.does(f"""
from cozechat.gateway import keys
from cozechat.gateway.models import ApiKey
ApiKey.objects.filter(digest=keys.digest({key!r})).update(is_active=False)
""")
        try:
            client.models.list()
        except openai.AuthenticationError:
            pass
        else:
            raise AssertionError("a revoked key still opens")
        chunks += list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).endswith("60")
    (record,) = until(lambda: site.records(secret=key))
    assert record["status"] == "completed"
