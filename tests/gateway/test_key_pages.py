"""The pages of one's own API keys, over HTTP."""

import logging
import re
import shutil
import subprocess
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant
from cozechat.gateway import keys
from cozechat.gateway.models import ApiKey
from cozechat.usage.budgets import Period, period_start
from cozechat.usage.models import BudgetWindow

from .key_steps import (
    HOME,
    LEAST,
    SECRET,
    browser_of,
    make,
    models,
    place_of,
    secret_in,
    text_of,
    ticket_in,
)


@pytest.fixture
def as_alice(alice):
    return browser_of(alice)


def test_a_key_made_on_the_page_opens_until_it_is_revoked(as_alice):
    key, secret = make(as_alice)
    assert models(secret).status_code == 200
    assert as_alice.get(place_of(key, "revoke/")).status_code == 200
    assert models(secret).status_code == 200
    assert as_alice.post(place_of(key, "revoke/"))["Location"] == HOME
    refused = models(secret)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")


def test_who_has_no_key_reads_what_one_is_for(as_alice):
    page = text_of(as_alice.get(HOME))
    assert "http://testserver/v1" in page
    assert "curl" in page
    assert HOME + "new/" in page


def test_what_was_asked_for_is_what_the_key_may(as_alice, alice):
    default_assistant()
    key, _secret = make(
        as_alice, name="  编辑器 ", last_day="2999-12-31", which="some", names=["demo"],
        patterns="workflow:*, bot:1\nbot:1", limit="12.5", period="week", end_user_limit="0.5",
        end_user_period="day", requests_per_minute="60", tokens_per_minute="9000", concurrency="3",
        addresses="192.0.2.7/24，2001:DB8::1",
    )  # fmt: skip
    assert (key.owner, key.name, key.period, key.end_user_period) == (alice, "编辑器", "week", "day")
    assert key.models_allowed == ["demo", "workflow:*", "bot:1"]
    assert key.addresses == ["192.0.2.0/24", "2001:db8::1"]
    assert (key.limit, key.end_user_limit) == (12_500_000_000, 500_000_000)
    assert (key.requests_per_minute, key.tokens_per_minute, key.concurrency) == (60, 9000, 3)
    assert timezone.localtime(key.expires_at).isoformat()[:19] == "3000-01-01T00:00:00"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\0b"},
        {"last_day": "2001-01-01"},
        {"last_day": "9999-12-31"},
        {"last_day": "tomorrow"},
        {"which": "none"},
        {"which": "some"},
        {"which": "some", "names": ["never-offered"]},
        {"which": "some", "patterns": "x" * 201},
        {"which": "some", "patterns": "\0"},
        {"which": "some", "patterns": " ".join(map(str, range(51)))},
        {"addresses": "nowhere"},
        {"addresses": "192.0.2.0/33"},
        {"limit": "-1"},
        {"limit": "much"},
        {"limit": "1" * 30},
        {"period": "year"},
        {"requests_per_minute": "0"},
        {"tokens_per_minute": "9" * 30},
        {"concurrency": "101"},
    ],
    ids=lambda wrong: "-".join(f"{name}={value!r:.12}" for name, value in wrong.items()),
)
def test_what_does_not_fit_makes_no_key_and_is_shown_again(wrong, as_alice):
    answer = as_alice.post(HOME + "new/", LEAST | wrong)
    assert answer.status_code == 200
    assert "field-error" in text_of(answer)
    assert not ApiKey.objects.exists()


def test_fields_that_are_staffs_are_not_taken_from_the_form(as_alice, alice, bob):
    default_assistant()
    more = {
        "allows_unregistered": "on", "trusts_open_webui": "on", "fallback": Assistant.objects.earliest("pk").pk,
        "owner": bob.pk, "is_active": "", "scope": "x", "digest": "x", "group": "1",
    }  # fmt: skip
    key, secret = make(as_alice, **more)
    as_alice.post(place_of(key), LEAST | more)
    key.refresh_from_db()
    assert (key.owner, key.is_privileged, key.is_active) == (alice, False, True)
    assert len(key.scope) == 32
    assert key.digest == keys.digest(secret)


def test_a_key_is_shown_once_and_is_in_no_row_session_cookie_or_log(as_alice, caplog):
    caplog.set_level(logging.DEBUG)
    with caplog.filtering(lambda record: not record.name.startswith("django.db")):
        answer = as_alice.post(HOME + "new/", LEAST)
    secret = secret_in(answer)
    assert "no-store" in answer["Cache-Control"]
    key = ApiKey.objects.get()
    for place in ("", "new/", f"{key.pk}/", f"{key.pk}/rotate/", f"{key.pk}/revoke/"):
        page = as_alice.get(HOME + place)
        assert "no-store" in page["Cache-Control"]
        assert not SECRET.search(text_of(page))
    kept = [str(ApiKey.objects.values().get()), str(dict(as_alice.session.items()))]
    kept += [str(as_alice.cookies), str(answer.headers), caplog.text]
    assert not [text for text in kept if secret[12:-4] in text]


def test_a_form_that_is_sent_again_makes_no_second_key_and_shows_none(as_alice):
    ticket = ticket_in(as_alice.get(HOME + "new/"))
    _key, secret = make(as_alice, ticket=ticket)
    again = as_alice.post(HOME + "new/", LEAST | {"ticket": ticket}, follow=True)
    assert again.redirect_chain == [(HOME, 302)]
    assert "cannot be shown again" in text_of(again)
    assert secret not in text_of(again)
    assert ApiKey.objects.count() == 1


def test_bob_learns_nothing_from_a_ticket_of_alices(as_alice, bob):
    ticket = str(uuid.uuid4())
    make(as_alice, ticket=ticket)
    key, _secret = make(browser_of(bob), ticket=ticket)
    assert key.owner == bob


def test_the_list_counts_each_period_by_itself(as_alice, alice):
    now = timezone.now()
    for number, period in enumerate(Period):
        key, _secret = keys.create(alice, name=period, limit=9 * 10**9, period=period)
        window = BudgetWindow.objects.at(key.budget, now=now)
        BudgetWindow.objects.spend([window.pk], amount=(number + 1) * 10**9)
        earlier = period_start(period, now=now) - timedelta(seconds=1)
        if period != Period.EVER:
            old = BudgetWindow.objects.at(key.budget, now=earlier)
            BudgetWindow.objects.spend([old.pk], amount=8 * 10**9)
    page = text_of(as_alice.get(HOME))
    for spent in ("1.00", "2.00", "3.00", "4.00"):
        assert f"{spent} of 9.00 credits" in page


def test_names_and_patterns_are_written_as_text(as_alice):
    bad = "<script>alert(1)</script>"
    key, _secret = make(as_alice, name=bad, which="some", patterns=bad)
    for place in (HOME, place_of(key), place_of(key, "rotate/"), place_of(key, "revoke/")):
        assert bad not in text_of(as_alice.get(place))


def test_every_page_speaks_chinese(as_alice):
    as_alice.cookies["django_language"] = "zh-hans"
    key, _secret = make(as_alice)
    for place in (HOME, HOME + "new/", place_of(key), place_of(key, "rotate/"), place_of(key, "revoke/")):
        page = text_of(as_alice.get(place))
        assert 'lang="zh-hans"' in page
        assert "API 密钥" in page


def test_the_pages_of_an_account_lead_to_the_keys_but_not_visitors(as_alice, visitor):
    assert f'href="{HOME}"' in text_of(as_alice.get("/accounts/profile/"))
    assert f'href="{HOME}" aria-current="page"' in text_of(as_alice.get(HOME))
    assert f'href="{HOME}" aria-current="true"' in text_of(as_alice.get(HOME + "new/"))
    assert f'href="{HOME}"' not in text_of(browser_of(visitor).get("/accounts/profile/"))


def test_the_sample_of_the_page_runs_at_a_real_site(site):
    if shutil.which("curl") is None:
        pytest.skip("curl is needed for its sample")
    cookie = site.colleague.does(
        "from accounts.models import User\nfrom tests.tabs import log_in\n"
        "answer = log_in(User.objects.get(username='alice'))"
    )
    page = site.post(HOME, method="GET", headers={"Cookie": f"sessionid={cookie}"}).text
    sample = re.search(r'<code id="sample">(.*?)</code>', page, re.DOTALL)[1]
    for sign, escaped in (('"', "&quot;"), ("'", "&#x27;"), ("<", "&lt;"), ("&", "&amp;")):
        sample = sample.replace(escaped, sign)
    filled = re.sub(r"sk-cc-…", site.key(), sample).replace('"gpt-4"', '"flow"')
    done = subprocess.run(
        ["bash", "-euc", filled], cwd=Path("/"), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.endswith("data: [DONE]\n\n"), done.stderr + done.stdout
