"""Prices and codes in the admin: tried before they hold, issued in bulk and shown once."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from cozechat.usage import redeeming
from cozechat.usage.models import BudgetWindow, Hold, LedgerEntry, Price, RedeemCode, UsageRecord
from tests.usage.books import MODEL, priced

ADMIN = "/admin/usage"
PAGES = ("account", "budgetwindow", "hold", "ledgerentry", "price", "pricegroup", "redeemcode", "usagerecord")
FROZEN = {
    "hold": Hold,
    "ledgerentry": LedgerEntry,
    "usagerecord": UsageRecord,
    "budgetwindow": BudgetWindow,
}


def text_of(answer) -> str:
    assert answer.status_code == 200
    return answer.content.decode()


def issue(client: Client, **more):
    fields = {
        "count": "3",
        "amount": "12.5",
        "note": "spring",
        "last_day": "2030-01-31",
        "batch": "0" * 32,
    } | more
    return client.post(f"{ADMIN}/redeemcode/add/", fields)


def test_codes_are_issued_in_bulk_and_shown_once(root, alice):
    assert 'name="batch"' in text_of(root.get(f"{ADMIN}/redeemcode/add/"))
    answer = issue(root)
    codes = re.findall(r"(?:[0-9A-Z]{5}-){4}[0-9A-Z]{5}", text_of(answer))
    assert len(set(codes)) == 3
    assert "no-store" in answer.headers["Cache-Control"]
    assert redeeming.redeem(codes[0], user_id=alice.pk, now=timezone.now()) == 12_500_000_000
    row = RedeemCode.objects.get(digest=redeeming.digest_of(codes[1]))
    assert str(row.expires_at) == "2030-02-01 00:00:00+00:00"
    for path in (f"{ADMIN}/redeemcode/", f"{ADMIN}/redeemcode/{row.pk}/change/", "/admin/"):
        page = text_of(root.get(path))
        assert not [code for code in codes if code in page or code[:11] in page]


def test_codes_of_a_form_that_is_sent_twice_are_issued_once(root):
    issue(root)
    assert issue(root).status_code == 302
    assert RedeemCode.objects.count() == 3


def test_codes_can_be_had_as_a_file(root):
    answer = issue(root, _as_file="1")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = answer.content.decode().splitlines()
    assert lines[0] == "code,credits"
    assert [line.split(",")[1] for line in lines[1:]] == ["12.50"] * 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": "0"},
        {"count": "1001"},
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": ""},
        {"last_day": "soon"},
    ],
    ids=str,
)
def test_codes_of_nothing_are_not_issued(wrong, root):
    assert issue(root, **wrong).status_code == 200
    assert not RedeemCode.objects.exists()


def test_an_issued_code_is_not_changed_or_deleted(root):
    issue(root)
    pk = RedeemCode.objects.first().pk
    assert root.post(f"{ADMIN}/redeemcode/{pk}/change/", {"amount": "99"}).status_code == 403
    assert root.post(f"{ADMIN}/redeemcode/{pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_price_is_tried_on_the_last_day_before_it_is_saved(root, busy):
    assert "_dry_run" in text_of(root.get(f"{ADMIN}/price/add/"))
    page = text_of(root.post(f"{ADMIN}/price/add/", priced(_dry_run="1")))
    assert re.search(
        rf"<td>{MODEL}</td>\s*<td>1</td>\s*<td>0.000000013</td>\s*<td>0.000000072</td>",
        re.sub(r"\s+", " ", page),
    )
    assert Price.objects.count() == 1
    again = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    again.pop("csrfmiddlewaretoken", None)
    assert root.post(f"{ADMIN}/price/add/", again | {"_save": "Save"}).status_code == 302
    assert Price.objects.filter(input_price=9000).count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"output_price": "1"},
        {"completion_ratio": ""},
        {"input_price": "0"},
        {"is_free": "on"},
        {"input_price": "-1"},
        {"input_price": ""},
        {"name": ""},
        {"scope": "app"},
        {"valid_from_0": "2020-01-01"},
    ],
    ids=str,
)
@pytest.mark.parametrize("button", ["_save", "_dry_run"])
def test_a_price_that_makes_no_sense_is_refused_with_words(button, wrong, root):
    answer = root.post(f"{ADMIN}/price/add/", priced(**{button: "1"}, **wrong))
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    assert not Price.objects.exists()


def test_a_price_in_force_stays_and_one_to_come_can_be_taken_back(root, busy):
    old = Price.objects.get()
    assert root.post(f"{ADMIN}/price/{old.pk}/change/", priced()).status_code == 403
    assert root.post(f"{ADMIN}/price/{old.pk}/delete/", {"post": "yes"}).status_code == 403
    root.post(f"{ADMIN}/price/", {"action": "delete_selected", "_selected_action": [old.pk], "post": "yes"})
    assert Price.objects.get() == old
    root.post(f"{ADMIN}/price/add/", priced(valid_from_0="2040-01-01"))
    coming = Price.objects.get(valid_from__year=2040)
    assert (
        root.post(f"{ADMIN}/price/{coming.pk}/change/", priced(valid_from_0="2041-01-01")).status_code == 302
    )
    assert root.post(f"{ADMIN}/price/{coming.pk}/delete/", {"post": "yes"}).status_code == 302
    assert Price.objects.get() == old
