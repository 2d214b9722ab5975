"""Who tries too often over HTTP sees when to come back; with many processes, and with Redis away."""

import asyncio
import re
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import caches
from django.test import Client
from django.utils import translation

from accounts import haste
from cozechat import buckets, counters
from cozechat.buckets import Memory
from tests.private_redis import private_redis
from tests.processes import site

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_counted(monkeypatch, settings):
    monkeypatch.setattr(buckets, "_memory", Memory())
    settings.REDIS_URL = ""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    caches["default"].clear()


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


# --- /api/ ----------------------------------------------------------------------------------------------

PATHS = [
    "/api/conversations/",
    "/api/search?q=x",
    "/api/conversations/3f0e4c9e-0000-4000-8000-000000000000/",
    "/api/conversations/3f0e4c9e-0000-4000-8000-000000000000/messages",
    "/api/conversations/3f0e4c9e-0000-4000-8000-000000000000/export",
    "/api/me/usage",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_script_that_asks_too_fast_is_told_when_to_come_back(alice, settings, path):
    settings.API_PER_MINUTE, settings.API_BURST = 3, 60
    client = signed_in(alice)
    before = counters.counted().get("limits_refused:api", 0)
    assert 429 not in {client.get(path).status_code for _each in range(3)}
    refused = client.get(path)
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 20
    error = refused.json()["error"]
    assert error == {
        "code": "rate_limited", "message": "Too many requests.", "retry_after": int(refused["Retry-After"]),
    }  # fmt: skip
    assert counters.counted()["limits_refused:api"] == before + 1


def test_all_paths_share_one_bucket_and_posting_counts_as_well(alice, settings):
    settings.API_PER_MINUTE, settings.API_BURST = 2, 60
    client = signed_in(alice)
    client.get("/api/search?q=x")
    client.post("/api/conversations/", "{}", content_type="application/json")
    assert client.post("/api/conversations/", "{}", content_type="application/json").status_code == 429


def test_bobs_and_a_visitors_requests_are_their_own(alice, bob, visitor, settings):
    settings.API_PER_MINUTE, settings.API_BURST = 1, 1
    for _each in range(3):
        signed_in(alice).get("/api/conversations/")
    assert signed_in(bob).get("/api/conversations/").status_code == 200
    assert signed_in(visitor).get("/api/conversations/").status_code == 200
    assert signed_in(visitor).get("/api/conversations/").status_code == 429


def test_a_stranger_is_told_to_sign_in_however_often(settings):
    settings.API_PER_MINUTE, settings.API_BURST = 1, 1
    assert [Client().get("/api/conversations/").status_code for _each in range(3)] == [401] * 3


def test_with_no_limit_nothing_is_counted(alice, settings):
    settings.API_PER_MINUTE = 0
    client = signed_in(alice)
    assert {client.get("/api/conversations/").status_code for _each in range(70)} == {200}
    assert buckets._memory._full_at == {}


# --- Pages ----------------------------------------------------------------------------------------------


def wrong(client: Client, name: str = "nobody", **more: str):
    return client.post("/accounts/login/", {"login": name, "password": "wrong"}, **more)


def test_too_many_log_ins_from_one_address_get_a_page_that_says_when_to_come_back():
    client = Client()
    answers = [wrong(client, f"name-{number}") for number in range(31)]
    assert {answer.status_code for answer in answers[:30]} == {200}
    refused = answers[30]
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 60
    page = refused.content.decode()
    assert re.search(r"Try again in \d+ seconds?\.", page)
    assert re.search(r"css/entrance\.[0-9a-f.]*css", page)
    assert wrong(client, REMOTE_ADDR="198.51.100.1").status_code == 200


def test_too_many_sign_ups_as_well_in_chinese():
    client = Client(headers={"accept-language": "zh-CN"})
    answers = [client.post("/accounts/signup/", {}) for _each in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    page = answers[20].content.decode()
    assert "尝试次数过多" in page
    assert re.search(r"\d+ 秒后", page)


def test_after_too_many_wrong_passwords_the_form_says_when(alice):
    client = Client()
    for _each in range(5):
        assert "Try again" not in wrong(client, "alice").content.decode()
    told = wrong(client, "alice")
    assert re.search(r"Too many failed attempts\. Try again in [45] minutes\.", told.content.decode())
    right = client.post("/accounts/login/", {"login": "alice", "password": "alice-secret-words"})
    assert "Too many failed attempts" in right.content.decode()
    assert "sessionid" not in client.cookies


def test_resets_by_one_address_say_a_time_too():
    client = Client()
    answers = [client.post("/accounts/password/reset/", {"email": "alice@example.com"}) for _each in range(6)]
    assert answers[5].status_code in {200, 302, 429}
    if answers[5].status_code == 429:
        assert int(answers[5]["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "in 1 second"), (90, "in 90 seconds"), (120, "in 2 minutes"), (241, "in 5 minutes")],
)
def test_a_wait_is_said_in_words(seconds, words):
    # A page in Chinese that a test has read leaves its language in the thread.
    with translation.override("en"):
        assert haste.in_words(seconds) == words


# --- Many processes, Redis away -------------------------------------------------------------------------


def _post(url: str, fields: dict[str, str]) -> int:
    """A form from a browser without scripts."""
    token = "x" * 32
    body = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
    headers = {"Cookie": f"csrftoken={token}", "Origin": urllib.parse.urljoin(url, "/").rstrip("/")}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, body, headers), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.timeout(240)
async def test_two_processes_count_attempts_together_however_many_come_at_once(tmp_path):
    with private_redis() as redis, site(tmp_path, redis_url=redis.url) as two:
        both = [two.start(), two.start()]

        def attempt(number: int) -> int:
            # An empty form costs no hash of a password, and is an attempt all the same.
            return _post(both[number % 2].url + "/accounts/signup/", {})

        def crowd() -> Counter[int]:
            with ThreadPoolExecutor(12) as threads:
                return Counter(threads.map(attempt, range(80)))

        assert await asyncio.to_thread(crowd) == {200: 20, 429: 60}


@pytest.mark.timeout(240)
async def test_with_redis_away_people_still_log_in_and_are_still_counted(tmp_path):
    with private_redis() as redis, site(tmp_path, redis_url=redis.url) as one:
        process = one.start()
        signup = process.url + "/accounts/signup/"
        assert await asyncio.to_thread(_post, signup, {}) == 200
        redis.kill()

        def crowd() -> Counter[int]:
            return Counter(_post(signup, {}) for _each in range(25))

        assert await asyncio.to_thread(crowd) == {200: 20, 429: 5}
        wrong_one = {"login": "nobody", "password": "wrong"}
        assert await asyncio.to_thread(_post, process.url + "/accounts/login/", wrong_one) == 200
