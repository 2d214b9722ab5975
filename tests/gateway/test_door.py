"""What a call holds while it streams: no thread; and what the door does not take is the site's."""

from contextlib import ExitStack

import httpx
import psutil

SLOW = "slowly count to 400"
AT_ONCE = 30
# Threads that the process starts once, when they are first needed: for the database, for what blocks. With one for
# each stream there would be more than AT_ONCE of them.
ITS_OWN = 24


def test_streams_under_way_hold_no_thread_each(site, key):
    body = {"model": "gpt-4", "stream": True, "messages": [{"role": "user", "content": SLOW}]}
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(base_url=site.url, timeout=60, trust_env=False))
        client.headers["authorization"] = f"Bearer {key}"
        for _ in range(AT_ONCE):
            reply = stack.enter_context(client.stream("POST", "/v1/chat/completions", json=body))
            assert reply.status_code == 200
        threads = psutil.Process(site._process.pid).num_threads()
    assert threads <= ITS_OWN


def test_what_is_not_the_apis_is_answered_by_the_site(site):
    assert site.post("/accounts/login/", method="GET").status_code == 200
    assert site.post("/v1x", method="GET").headers["content-type"].startswith("text/html")
