"""The pages of one's own API keys, over HTTP."""

import logging
import re
import shutil
import subprocess
import threading
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.models.signals import pre_save
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant
from cozechat.gateway import keys, own_keys, sessions
from cozechat.gateway.models import ApiKey
from cozechat.usage.budgets import Period, period_start
from cozechat.usage.models import BudgetWindow

HOME = "/accounts/keys/"
LEAST = {"name": "laptop", "which": "every", "period": "month", "end_user_period": "month"}
PLACES = ["", "rotate/", "revoke/", "off/", "on/"]
SECRET = re.compile(r"sk-cc-[0-9a-f]{60}")


@pytest.fixture
def as_alice(alice):
    return browser_of(alice)


def browser_of(user, **options):
    browser = Client(**options)
    browser.force_login(user)
    return browser


def text_of(answer):
    return answer.content.decode()


def secret_in(answer):
    assert answer.status_code == 200, answer.get("Location")
    (found,) = SECRET.findall(text_of(answer))
    return found


def make(browser, **given):
    """A key's row and its secret, made on the page."""
    secret = secret_in(browser.post(HOME + "new/", LEAST | given))
    return ApiKey.objects.get(digest=keys.digest(secret)), secret


def models(secret):
    return Client().get("/v1/models", headers={"authorization": f"Bearer {secret}"})


def place_of(key, rest=""):
    return f"{HOME}{key.pk}/{rest}"


def ticket_in(answer):
    return re.search(r'name="ticket" value="([0-9a-f-]+)"', text_of(answer))[1]


# --- Making one -----------------------------------------------------------------------------------------


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
        "allows_unregistered": "on", "trusts_open_webui": "on", "fallback": Assistant.objects.get().pk,
        "owner": bob.pk, "is_active": "", "scope": "x", "digest": "x", "group": "1",
    }  # fmt: skip
    key, secret = make(as_alice, **more)
    as_alice.post(place_of(key), LEAST | more)
    key.refresh_from_db()
    assert (key.owner, key.is_privileged, key.is_active) == (alice, False, True)
    assert len(key.scope) == 32
    assert key.digest == keys.digest(secret)


# --- Shown once -----------------------------------------------------------------------------------------


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


# --- Whose it is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", PLACES, ids=lambda rest: rest.strip("/") or "one")
def test_bob_finds_of_alices_key_what_he_finds_of_no_key(rest, as_alice, bob):
    key, secret = make(as_alice)
    before = ApiKey.objects.values().get(pk=key.pk)
    bobs = browser_of(bob)
    form = LEAST | {"name": "Bob's", "grace": "0", "ticket": str(uuid.uuid4())}
    for method in ("get", "post"):
        answers = [
            getattr(bobs, method)(f"{HOME}{number}/{rest}", form if method == "post" else None)
            for number in (key.pk, key.pk + 999, 10**30)
        ]
        told = [
            (answer.status_code, answer.get("Location"), text_of(answer).replace(str(key.pk), "…"))
            for answer in answers
        ]
        assert told[0][0] == (405 if method == "get" and rest in ("off/", "on/") else 404)
        assert told[0][:2] == told[1][:2] == told[2][:2]
        assert len(told[0][2]) == len(told[1][2])
    assert ApiKey.objects.values().get(pk=key.pk) == before
    assert ApiKey.objects.count() == 1
    assert models(secret).status_code == 200
    assert key.name not in text_of(bobs.get(HOME))


def test_bob_does_not_learn_by_a_known_ticket_either(as_alice, bob):
    key, _secret = make(as_alice)
    ticket = str(uuid.uuid4())
    bobs = browser_of(bob)
    make(bobs, ticket=ticket)
    assert bobs.post(place_of(key, "rotate/"), {"grace": "24", "ticket": ticket}).status_code == 404


@pytest.mark.parametrize("rest", ["", "new/", *(f"1/{rest}" for rest in PLACES)])
def test_only_members_come_in(rest, alice, visitor):
    for method in ("get", "post"):
        if method == "get" and rest.endswith(("off/", "on/")):
            continue
        if method == "post" and not rest:
            continue
        assert getattr(Client(), method)(HOME + rest)["Location"].startswith("/accounts/login/")
        assert getattr(browser_of(visitor), method)(HOME + rest, LEAST).status_code == 403
    assert not ApiKey.objects.exists()


def test_an_end_user_and_an_account_that_has_ended_do_not_come_in(as_alice, alice, bob):
    key, _secret = make(as_alice)
    someone = sessions.end_user_of(key, end_user="someone")
    assert browser_of(someone).get(HOME).status_code == 302
    bobs = browser_of(bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert bobs.post(HOME + "new/", LEAST).status_code == 302
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("rest", PLACES, ids=lambda rest: rest.strip("/") or "one")
def test_nothing_happens_without_a_csrf_token(rest, as_alice, alice):
    key, secret = make(as_alice)
    before = ApiKey.objects.values().get()
    strict = browser_of(alice, enforce_csrf_checks=True)
    assert strict.post(place_of(key, rest), LEAST | {"grace": "0"}).status_code == 403
    assert strict.post(HOME + "new/", LEAST).status_code == 403
    assert ApiKey.objects.values().get() == before
    assert models(secret).status_code == 200


@pytest.mark.parametrize("rest", ["", "rotate/", "revoke/", "off/", "on/"])
def test_looking_changes_nothing(rest, as_alice):
    key, _secret = make(as_alice)
    before = ApiKey.objects.values().get()
    as_alice.get(place_of(key, rest))
    assert ApiKey.objects.values().get() == before


# --- Changing, switching, rotating ----------------------------------------------------------------------


def test_limits_are_changed_and_nothing_else(as_alice):
    default_assistant()
    key, secret = make(as_alice, which="some", names=["demo"], patterns="x", limit="5", last_day="2999-01-01")
    page = text_of(as_alice.get(place_of(key)))
    for shown in ('value="5.00"', 'value="2999-01-01"', ">\nx</textarea>"):
        assert shown in page
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    before = ApiKey.objects.values().get()
    as_alice.post(place_of(key), LEAST | {"name": "new", "limit": "7", "last_day": "2999-01-01"})
    after = ApiKey.objects.values().get()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"name", "limit", "models_allowed"}
    assert models(secret).status_code == 200


def test_saving_does_not_set_back_a_revocation_that_comes_between(as_alice):
    key, secret = make(as_alice)

    def revoke_meanwhile(**_):
        ApiKey.objects.filter(pk=key.pk).update(is_active=False)

    pre_save.connect(revoke_meanwhile, sender=ApiKey)
    try:
        as_alice.post(place_of(key), LEAST | {"name": "new"})
    finally:
        pre_save.disconnect(revoke_meanwhile, sender=ApiKey)
    key.refresh_from_db()
    assert (key.name, key.is_active) == ("new", False)
    assert models(secret).status_code == 401


def test_saving_unchanged_does_not_move_the_moment_at_which_a_key_ends(as_alice, alice):
    end = timezone.now() + timedelta(days=3, hours=1, seconds=7)
    key, _secret = keys.create(alice, name="a", expires_at=end)
    day = re.search(r'name="last_day" value="([0-9-]+)"', text_of(as_alice.get(place_of(key))))[1]
    as_alice.post(place_of(key), LEAST | {"last_day": day})
    key.refresh_from_db()
    assert (key.name, key.expires_at) == ("laptop", end)


def test_a_key_is_switched_off_and_on_again(as_alice):
    key, secret = make(as_alice)
    assert as_alice.post(place_of(key, "off/"))["Location"] == place_of(key)
    assert "switched off" in text_of(as_alice.get(HOME))
    assert models(secret).status_code == 401
    as_alice.post(place_of(key, "on/"))
    assert models(secret).status_code == 200


@pytest.mark.parametrize("rest", PLACES, ids=lambda rest: rest.strip("/") or "one")
def test_what_is_revoked_stays_revoked(rest, as_alice):
    key, secret = make(as_alice)
    ApiKey.objects.filter(pk=key.pk).update(is_active=False)  # as an administrator does
    form = LEAST | {"name": "x", "grace": "24", "is_active": "on"}
    told = as_alice.post(place_of(key, rest), form, follow=True)
    assert "This cannot be done with this key." in text_of(told)
    assert models(secret).status_code == 401
    assert list(ApiKey.objects.values_list("name", "is_active")) == [("laptop", False)]


def test_a_rotated_key_works_on_for_as_long_as_was_said(as_alice):
    key, secret = make(as_alice, limit="5", which="some", patterns="demo")
    ticket = ticket_in(as_alice.get(place_of(key, "rotate/")))
    form = {"grace": "168", "ticket": ticket}
    shown = as_alice.post(place_of(key, "rotate/"), form)
    fresh = secret_in(shown)
    assert "no-store" in shown["Cache-Control"]
    assert [models(each).status_code for each in (secret, fresh)] == [200, 200]
    key.refresh_from_db()
    assert timedelta(days=6) < key.expires_at - timezone.now() <= timedelta(days=7)
    new = ApiKey.objects.get(digest=keys.digest(fresh))
    assert (new.limit, new.models_allowed, new.expires_at) == (key.limit, ["demo"], None)
    assert "being replaced" in text_of(as_alice.get(HOME))
    for again in (form, {"grace": "168", "ticket": str(uuid.uuid4())}):
        told = as_alice.post(place_of(key, "rotate/"), again, follow=True)
        assert told.redirect_chain == [(HOME, 302)]
        assert not SECRET.search(text_of(told))
    assert ApiKey.objects.count() == 2
    as_alice.post(place_of(key), LEAST | {"name": "longer", "last_day": ""})
    assert ApiKey.objects.get(pk=key.pk).expires_at == key.expires_at
    as_alice.post(place_of(key, "revoke/"))
    assert [models(each).status_code for each in (secret, fresh)] == [401, 200]


def test_a_key_that_somebody_else_may_know_ends_at_once(as_alice):
    key, secret = make(as_alice)
    fresh = secret_in(as_alice.post(place_of(key, "rotate/"), {"grace": "0"}))
    assert [models(each).status_code for each in (secret, fresh)] == [401, 200]


def test_rotation_does_not_begin_a_budget_anew(as_alice):
    key, _secret = make(as_alice, limit="5")
    budget = key.budgets(end_user="1")[0]
    window = BudgetWindow.objects.at(budget, now=timezone.now())
    BudgetWindow.objects.spend([window.pk], amount=4_500_000_000)
    fresh = secret_in(as_alice.post(place_of(key, "rotate/"), {"grace": "0"}))
    new = ApiKey.objects.get(digest=keys.digest(fresh))
    assert BudgetWindow.objects.at(new.budgets(end_user="1")[0], now=timezone.now()) == window
    assert "4.50 of 5.00 credits" in text_of(as_alice.get(HOME))


# --- What staff have granted ----------------------------------------------------------------------------


@pytest.mark.parametrize("privilege", ["allows_unregistered", "trusts_open_webui", "fallback"])
def test_an_owner_does_not_widen_what_staff_have_granted(privilege, as_alice, alice):
    value = default_assistant() if privilege == "fallback" else True
    end = timezone.now() + timedelta(days=3)
    key, secret = keys.create(
        alice, name="a", models_allowed=["workflow:7"], limit=5, expires_at=end, **{privilege: value}
    )
    assert "An administrator has given this key" in text_of(as_alice.get(place_of(key)))
    before = ApiKey.objects.values().get()
    as_alice.post(place_of(key), LEAST | {"name": "mine", "limit": "9", "last_day": "2999-01-01"})
    after = ApiKey.objects.values().get()
    assert {name for name in before if before[name] != after[name]} == {"name"}
    with pytest.raises(own_keys.NotAllowed):
        own_keys.change(alice, key.pk, now=timezone.now(), name="mine", models_allowed=[])
    fresh = secret_in(as_alice.post(place_of(key, "rotate/"), {"grace": "24"}))
    new = ApiKey.objects.get(digest=keys.digest(fresh))
    assert (new.models_allowed, new.limit, new.expires_at) == (["workflow:7"], 5, end)
    assert as_alice.post(place_of(key, "revoke/")).status_code == 302
    assert models(secret).status_code == 401


def test_where_staff_allow_more_calls_at_once_that_is_the_bound(as_alice, alice):
    key, _secret = keys.create(alice, name="a", concurrency=500)
    for wanted, stored in (("501", 500), ("500", 500), ("200", 200), ("500", 200)):
        as_alice.post(place_of(key), LEAST | {"concurrency": wanted})
        key.refresh_from_db()
        assert key.concurrency == stored


# --- How many -------------------------------------------------------------------------------------------


def fill(owner, *, but=0):
    for number in range(own_keys.MOST - but):
        keys.create(owner, name=f"key {number}")


def test_more_keys_than_the_bound_are_refused_until_one_is_revoked(as_alice, alice):
    fill(alice)
    first = ApiKey.objects.last()
    for place in ("new/", f"{first.pk}/rotate/"):
        told = text_of(as_alice.post(HOME + place, LEAST | {"grace": "24"}))
        assert "You have 50 keys" in told
        assert not SECRET.search(told)
    as_alice.post(place_of(first, "revoke/"))
    make(as_alice)
    gone = ApiKey.objects.get(name="key 1")
    ApiKey.objects.filter(pk=gone.pk).update(expires_at=timezone.now() - timedelta(days=9))
    make(as_alice)
    assert "You have 50 keys" in text_of(as_alice.post(place_of(gone), LEAST | {"last_day": ""}))
    assert as_alice.get(HOME).status_code == 200


def test_of_many_forms_that_arrive_at_once_only_the_bound_is_made(alice):
    fill(alice, but=2)
    start, made = threading.Barrier(8), []

    def send():
        try:
            browser = browser_of(alice)
            start.wait()
            made.append(browser.post(HOME + "new/", LEAST))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in made] == [200] * 8
    assert sum(bool(SECRET.search(text_of(answer))) for answer in made) == 2
    assert ApiKey.objects.count() == own_keys.MOST


def test_one_form_that_is_sent_many_times_at_once_makes_one_key(alice):
    start, made, form = threading.Barrier(8), [], LEAST | {"ticket": str(uuid.uuid4())}

    def send():
        try:
            browser = browser_of(alice)
            start.wait()
            made.append(browser.post(HOME + "new/", form))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(bool(SECRET.search(text_of(answer))) for answer in made) == 1
    assert ApiKey.objects.count() == 1


def test_the_list_asks_the_database_as_often_for_fifty_keys_as_for_eight(as_alice, alice):
    asked = []
    for upto in (8, own_keys.MOST):
        for number in range(ApiKey.objects.count(), upto):
            limit = 10**9 if number % 2 else None
            keys.create(alice, name=f"key {number}", limit=limit, period=Period.values[number // 2 % 4])
        as_alice.get(HOME)
        with CaptureQueriesContext(connection) as queries:
            assert as_alice.get(HOME).status_code == 200
        asked.append(len(queries))
    assert asked[0] == asked[1] <= 12


# --- What the list says ---------------------------------------------------------------------------------


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
