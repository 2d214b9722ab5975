"""Money in the admin: what staff can do, and what nobody can."""

import re

import pytest
from django.test import Client
from django.utils import timezone, translation

from accounts.models import User
from cozechat.usage import redeeming
from cozechat.usage.models import Account, BudgetWindow, Hold, LedgerEntry, RedeemCode, UsageRecord
from tests.usage.books import fund, priced, reserve, state

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


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("page", PAGES)
def test_every_list_and_every_row_can_be_looked_at(page, language, root, busy):
    redeeming.issue(1, amount=5, now=timezone.now(), batch="0" * 32)
    headers = {"accept-language": language}
    listed = text_of(root.get(f"{ADMIN}/{page}/", headers=headers))
    for row in re.findall(rf'href="({ADMIN}/{page}/\d+/change/)', listed)[:1]:
        text_of(root.get(row, headers=headers))


def test_amounts_are_shown_in_credits(root, alice):
    fund(alice, 12_500_000_000)
    assert "12.50" in text_of(root.get(f"{ADMIN}/account/"))
    assert "12.50" in text_of(root.get(f"{ADMIN}/ledgerentry/"))


@pytest.mark.parametrize("page", FROZEN)
def test_what_happened_is_changed_by_nobody(page, root, busy):
    model = FROZEN[page]
    pk = model.objects.first().pk
    before = list(model.objects.values())
    assert root.get(f"{ADMIN}/{page}/add/").status_code == 403
    for act in ("change", "delete"):
        assert root.post(f"{ADMIN}/{page}/{pk}/{act}/", {"post": "yes", "amount": "5"}).status_code in {
            302,
            403,
        }
    root.post(f"{ADMIN}/{page}/", {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    assert list(model.objects.values()) == before


def test_a_balance_is_moved_by_an_adjustment_with_a_reason_and_a_name(root, alice):
    account = fund(alice, 1000)
    path = f"{ADMIN}/account/{account.pk}/adjust/"
    assert path in text_of(root.get(f"{ADMIN}/account/{account.pk}/change/"))
    ref = re.search(r'name="ref" value="([^"]+)"', text_of(root.get(path)))[1]
    fields = {"amount": "-0.0000003", "reason": "charged twice", "ref": ref}
    assert root.post(path, fields).status_code == 302
    assert root.post(path, fields).status_code == 302  # a double click
    assert state(alice) == (700, 0, 0)
    entry = LedgerEntry.objects.get(kind="adjustment")
    assert (entry.amount, entry.reason, entry.actor_name) == (-300, "charged twice", "root")


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""},
        {"reason": "  "},
        {"amount": "0"},
        {"amount": "much"},
        {"amount": "0.0000000001"},
        {"ref": "x"},
    ],
    ids=str,
)
def test_an_adjustment_without_reason_or_amount_is_not_booked(wrong, root, alice):
    account = fund(alice, 1000)
    fields = {"amount": "5", "reason": "so", "ref": "0" * 32} | wrong
    answer = root.post(f"{ADMIN}/account/{account.pk}/adjust/", fields)
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert state(alice) == (1000, 0, 0)


def test_the_form_of_a_balance_changes_no_money(root, alice):
    account = fund(alice, 1000)
    path = f"{ADMIN}/account/{account.pk}/change/"
    assert (
        root.post(
            path, {"available": "999", "debt": "1", "limit": "2.5", "period": "day", "group": ""}
        ).status_code
        == 302
    )
    account.refresh_from_db()
    assert (account.available, account.limit, account.period) == (1000, 2_500_000_000, "day")
    root.post(path, {"limit": "", "period": "day", "group": ""})
    account.refresh_from_db()
    assert account.limit is None


def test_a_clerk_who_may_only_look_moves_nothing(clerk, busy, alice):
    account = Account.objects.get(owner=alice)
    assert clerk.get(f"{ADMIN}/account/{account.pk}/change/").status_code == 200
    assert "adjust/" not in text_of(clerk.get(f"{ADMIN}/account/{account.pk}/change/"))
    adjustment = {"amount": "5", "reason": "mine", "ref": "0" * 32}
    assert clerk.post(f"{ADMIN}/account/{account.pk}/adjust/", adjustment).status_code == 403
    codes = {"count": "1", "amount": "5", "batch": "0" * 32}
    assert clerk.post(f"{ADMIN}/redeemcode/add/", codes).status_code == 403
    assert clerk.post(f"{ADMIN}/price/add/", priced(_dry_run="1")).status_code == 403
    Hold.objects.filter(request_id="running").update(lease_until=timezone.now())
    chosen = {"action": "reconcile_chosen", "_selected_action": Hold.objects.values_list("pk", flat=True)}
    clerk.post(f"{ADMIN}/hold/", chosen)
    assert state(alice) == (977, 10, 0)
    assert not RedeemCode.objects.exists()


def test_a_stranger_is_sent_to_the_log_in(db):
    for page in PAGES:
        assert Client().get(f"{ADMIN}/{page}/").status_code == 302


def test_reconciling_ends_deserted_holds_and_leaves_running_ones_alone(root, busy, alice):
    now = timezone.now()
    reserve(alice, "deserted", now=now)
    Hold.objects.filter(request_id="deserted").update(lease_until=now)
    chosen = {
        "action": "reconcile_chosen",
        "_selected_action": list(Hold.objects.values_list("pk", flat=True)),
    }
    page = text_of(root.post(f"{ADMIN}/hold/", chosen, follow=True))
    assert "1 ended as lost" in page
    states = dict(Hold.objects.values_list("request_id", "state"))
    assert states == {"done": "settled", "running": "open", "deserted": "lost"}


def test_an_account_that_is_deleted_in_the_admin_leaves_its_ledger(root, busy, alice):
    assert root.post(f"/admin/accounts/user/{alice.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not User.objects.filter(username="alice").exists()
    assert LedgerEntry.objects.count() == 2
    assert text_of(root.get(f"{ADMIN}/account/"))


def test_amounts_look_the_same_in_every_language(root, alice):
    fund(alice, 1_234_500_000_000)
    with translation.override("zh-hans"):
        assert "1234.50" in text_of(root.get(f"{ADMIN}/account/", headers={"accept-language": "zh-hans"}))
