"""What comes in, and the ledger that nobody can rewrite."""

import random
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from cozechat.usage import crediting, redeeming
from cozechat.usage.models import Account, AppendOnly, LedgerEntry, RedeemCode
from cozechat.usage.money import LARGEST_CREDIT, UnfitAmount
from cozechat.usage.pricing import Snapshot, Tokens, cost
from tests.usage.books import NOW, fund, ledger, price, reserve, state


def test_a_payment_is_booked_once_for_its_reference(alice):
    assert crediting.top_up(alice.pk, amount=5, ref="p", now=NOW)
    assert not crediting.top_up(alice.pk, amount=5, ref="p", now=NOW)
    assert ledger(alice) == [("top_up", 5)]


def test_a_reference_that_comes_back_for_somebody_else_or_another_amount_is_an_alarm(alice, bob):
    crediting.top_up(alice.pk, amount=5, ref="p", now=NOW)
    for user, amount in ((bob, 5), (alice, 6)):
        with pytest.raises(crediting.ReferenceTaken):
            crediting.top_up(user.pk, amount=amount, ref="p", now=NOW)
    assert (state(alice), state(bob)) == ((5, 0, 0), (0, 0, 0))


@pytest.mark.parametrize("amount", [0, -1, LARGEST_CREDIT + 1])
def test_a_payment_of_nothing_or_of_too_much_is_refused(alice, amount):
    with pytest.raises(UnfitAmount):
        crediting.top_up(alice.pk, amount=amount, ref="p", now=NOW)
    assert not LedgerEntry.objects.exists()


def test_a_balance_that_would_leave_whole_numbers_behind_is_refused(alice):
    account = fund(alice, 5)
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.move(account.pk, amount=4 * 10**18)
    assert state(alice) == (5, 0, 0)


def test_an_adjustment_keeps_who_and_why_and_may_leave_debt(alice, bob):
    account = fund(alice, 5)
    assert crediting.adjust(account, amount=-8, reason=" paid twice ", actor=bob, ref="a", now=NOW)
    assert not crediting.adjust(account, amount=-8, reason="paid twice", actor=bob, ref="a", now=NOW)
    assert state(alice) == (0, 0, 3)
    bob.delete()
    entry = LedgerEntry.objects.get(kind="adjustment")
    assert (entry.reason, entry.actor_name) == ("paid twice", "bob")


def test_an_adjustment_without_a_reason_is_refused_also_by_the_database(alice, bob):
    account = fund(alice, 5)
    with pytest.raises(crediting.NoReason):
        crediting.adjust(account, amount=1, reason="  ", actor=bob, ref="a", now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerEntry.objects.post(account.pk, amount=1, kind="adjustment", ref="a", at=NOW)


def test_a_ledger_row_is_neither_changed_nor_deleted(alice):
    fund(alice, 5)
    entry = LedgerEntry.objects.get()
    entry.amount = 500
    for act in (
        entry.save,
        entry.delete,
        LedgerEntry.objects.all().delete,
        lambda: LedgerEntry.objects.update(amount=500),
        lambda: LedgerEntry.objects.bulk_update([entry], ["amount"]),
    ):
        with pytest.raises(AppendOnly), transaction.atomic():
            act()
    with pytest.raises(ProtectedError), transaction.atomic():
        Account.objects.all().delete()
    assert ledger(alice) == [("top_up", 5)]


def test_the_ledger_outlives_its_owner(alice):
    account = fund(alice, 5)
    alice.delete()
    assert LedgerEntry.objects.get().account_id == account.pk
    assert Account.objects.get().available == 5


def test_bob_does_not_see_alices_ledger(alice, bob):
    fund(alice, 5)
    assert LedgerEntry.objects.owned_by(alice).count() == 1
    assert LedgerEntry.objects.owned_by(bob).count() == 0


def issue(**more) -> str:
    wanted = {"amount": 50, "now": NOW, "batch": uuid.uuid4()} | more
    return redeeming.issue(1, **wanted)[0]


def test_a_code_turns_into_credits_once(alice, bob):
    code = issue()
    assert redeeming.redeem(code, user_id=alice.pk, now=NOW) == 50
    for user in (alice, bob):
        with pytest.raises(redeeming.CodeRefused):
            redeeming.redeem(code, user_id=user.pk, now=NOW)
    assert (state(alice), state(bob)) == ((50, 0, 0), (0, 0, 0))
    assert ledger(alice) == [("redeem", 50)]


@pytest.mark.parametrize("write", [str.lower, lambda code: code.replace("-", " "), lambda code: f" {code}\n"])
def test_a_code_is_understood_as_people_type_it(alice, write):
    assert redeeming.redeem(write(issue()), user_id=alice.pk, now=NOW) == 50


def test_letters_that_look_like_digits_are_understood():
    assert redeeming.digest_of("0110-A") == redeeming.digest_of("oILo-a")
    assert not set("ILOU") & set(redeeming.ALPHABET)


def test_an_expired_code_and_an_unknown_one_are_answered_alike(alice):
    code = issue(expires_at=NOW)
    messages = set()
    for text in (code, "nonsense", ""):
        with pytest.raises(redeeming.CodeRefused) as refusal:
            redeeming.redeem(text, user_id=alice.pk, now=NOW)
        messages.add(str(refusal.value))
    assert messages == {""}
    assert redeeming.redeem(issue(expires_at=NOW + timedelta(1)), user_id=alice.pk, now=NOW) == 50


def test_a_code_does_not_come_back_to_life_when_its_claimer_is_deleted(alice, bob):
    code = issue()
    redeeming.redeem(code, user_id=alice.pk, now=NOW)
    alice.delete()
    assert RedeemCode.objects.get().claimed_by is None
    with pytest.raises(redeeming.CodeRefused):
        redeeming.redeem(code, user_id=bob.pk, now=NOW)


def test_codes_are_stored_as_digests_only(db):
    codes = redeeming.issue(20, amount=1, now=NOW, batch=uuid.uuid4())
    assert len(set(codes)) == 20
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM usage_redeemcode")
        stored = str(cursor.fetchall())
    plain = stored.replace("-", "").upper()
    assert not [code for code in codes if code.replace("-", "")[:10] in plain]


def test_a_batch_is_issued_once(db):
    batch = uuid.uuid4()
    issue(batch=batch)
    with pytest.raises(redeeming.BatchIssued):
        issue(batch=batch)


def test_a_code_pays_debt_first(alice, bob):
    price()
    account = fund(alice, 5)
    crediting.adjust(account, amount=-25, reason="so", actor=bob, ref="a", now=NOW)
    redeeming.redeem(issue(), user_id=alice.pk, now=NOW)
    assert state(alice) == (30, 0, 0)
    assert reserve(alice).amount == 10


def statement_of_a_move(account: Account, amount: int) -> tuple[str, tuple]:
    """The act's own SQL, to be run again and again without the time that building it takes."""
    seen = []

    def look(execute, sql, params, many, context):
        seen.append((sql, tuple(params)))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        Account.objects.move(account.pk, amount=amount)
    [statement] = seen
    return statement


@pytest.mark.slow
def test_a_hundred_thousand_random_charges_do_not_drift(alice):
    """Over a thousand balances: PostgreSQL searches all versions of a row that one transaction has made."""
    first, mark = fund(alice, 10**9), -987_654_321
    sql, params = statement_of_a_move(first, mark)
    assert {mark, first.pk} <= set(params)
    others = Account.objects.bulk_create(Account(available=10**15) for _ in range(1000))
    chance = random.Random(14)
    snapshot = Snapshot(input_price=229_501, completion_ratio=Decimal("1.333333"))
    spent = dict.fromkeys((account.pk for account in others), 0)
    rows = []
    for number in range(100_000):
        tokens = Tokens(chance.randrange(10**4), chance.randrange(10**4))
        charge, pk = cost(snapshot, ratio=Decimal("0.77"), tokens=tokens), others[number % 1000].pk
        spent[pk] += charge
        rows.append(tuple({mark: -charge, first.pk: pk}.get(value, value) for value in params))
    with connection.cursor() as cursor:
        cursor.executemany(sql, rows)
    left = {pk: 10**15 - sum_of_charges for pk, sum_of_charges in spent.items()}
    found = Account.objects.filter(pk__in=left, held=0, debt=0)
    assert dict(found.values_list("pk", "available")) == left
    LedgerEntry.objects.bulk_create(
        LedgerEntry(account_id=pk, amount=amount, kind="correction", ref=str(pk), created_at=NOW)
        for pk, amount in left.items()
    )
    LedgerEntry.objects.post(first.pk, amount=mark, kind="correction", ref="first", at=NOW)
    assert min(spent.values()) > 10**7


def test_three_thousand_charges_of_the_sample_do_not_drift(alice):
    """On a decimal column of SQLite this very sum ends at …311499996."""
    account = fund(alice, 10**15)
    with transaction.atomic():
        for _ in range(3000):
            Account.objects.move(account.pk, amount=-229_500)
        LedgerEntry.objects.post(account.pk, amount=-229_500 * 3000, kind="correction", ref="all", at=NOW)
    assert state(alice) == (999_999_311_500_000, 0, 0)
