"""A state machine of money beside a model of plain integers: every act, in every order, with crashes."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from accounts.models import User
from cozechat.usage import crediting, reconciling, redeeming, reserving, settling
from cozechat.usage.budgets import Budget, Period, Scope
from cozechat.usage.models import Account, BudgetWindow, Hold, LedgerEntry, Price, UsageRecord
from cozechat.usage.pricing import Tokens
from cozechat.usage.reserving import BudgetExhausted, CozeIds, InsufficientBalance
from cozechat.usage.settling import Outcome, Status
from tests.usage.books import MODEL, NOW, call, price

_numbers = count(1)
# Few numbers, which meet: nothing at all, a budget used to the last unit, more than was expected.
ESTIMATES = st.sampled_from([(0, 0), (1, 0), (3, 0), (2, 1), (5, 4)])
COUNTED = st.sampled_from([None, (0, 0), (1, 2), (4, 5), (20, 20)])
LIMIT = 13


@dataclass
class Set:
    """What the model knows of one call."""

    amount: int
    input: int
    lease: int
    bounded: bool
    taken: bool = False
    state: str = "open"
    charged: int = 0


@dataclass
class Books:
    """One user's money as plain integers; `free` is the balance less the debt."""

    free: int = 0
    spent: int = 0
    calls: dict[str, Set] = field(default_factory=dict)

    @property
    def held(self) -> int:
        return sum(call.amount for call in self.calls.values() if call.state == "open")

    @property
    def used(self) -> int:
        return self.spent + sum(c.amount for c in self.calls.values() if c.state == "open" and c.bounded)

    def end(self, call: Set, state: str, cost: int) -> None:
        self.free += call.amount - cost
        self._count(call, state, cost, cost)

    def correct(self, call: Set, cost: int) -> None:
        self.free += call.charged - cost
        self._count(call, "settled", cost, cost - call.charged)

    def _count(self, call: Set, state: str, cost: int, more: int) -> None:
        self.spent += more if call.bounded else 0
        call.state, call.charged = state, cost


class Money(RuleBasedStateMachine):
    """Every rule does one act here and one in the model; they agree after each."""

    requests = Bundle("requests")
    codes = Bundle("codes")

    @initialize(amount=st.sampled_from([13, 100, 300]))
    def begin(self, amount: int) -> None:
        number = next(_numbers)
        self.user = User.objects.create_user(f"machine-{number}")
        self.key = Budget(scope=Scope.KEY, scope_id=f"machine-{number}", limit=LIMIT, period=Period.EVER)
        if not Price.objects.exists():
            price()
        self.books, self.seconds = Books(), 0
        self.top_up(amount)

    @property
    def now(self):
        return NOW + timedelta(seconds=self.seconds)

    @rule(amount=st.sampled_from([1, 50]))
    def pay(self, amount: int) -> None:
        self.top_up(amount)

    def top_up(self, amount: int) -> None:
        ref = f"machine-{next(_numbers)}"
        for first in (True, False):
            assert crediting.top_up(self.user.pk, amount=amount, ref=ref, now=self.now) is first
        self.books.free += amount

    @rule(amount=st.sampled_from([-20, 20]))
    def adjust(self, amount: int) -> None:
        account = Account.objects.of(self.user.pk)
        ref = f"machine-{next(_numbers)}"
        assert crediting.adjust(account, amount=amount, reason="so", actor=self.user, ref=ref, now=self.now)
        self.books.free += amount

    @rule(target=codes, amount=st.integers(1, 20))
    def issue(self, amount: int):
        return redeeming.issue(1, amount=amount, now=self.now, batch=uuid.uuid4())[0], amount, []

    @rule(code=codes)
    def redeem(self, code) -> None:
        text, amount, used = code
        try:
            assert redeeming.redeem(text.lower(), user_id=self.user.pk, now=self.now) == amount
        except redeeming.CodeRefused:
            assert used
            return
        assert not used
        used.append(True)
        self.books.free += amount

    @rule(target=requests, estimate=ESTIMATES, bounded=st.booleans(), taken=st.booleans())
    def reserve(self, estimate: tuple[int, int], bounded: bool, taken: bool):
        read, written = estimate
        request, amount = f"machine-{next(_numbers)}", read + 2 * written
        wanted = call(self.user, request, input_estimate=read, output_estimate=written, model=MODEL)
        if bounded:
            wanted = replace(wanted, budgets=(self.key,))
        covered = self.books.free >= max(amount, 0)
        fits = not bounded or self.books.used + amount <= LIMIT
        try:
            reserving.reserve(wanted, now=self.now, life=timedelta(seconds=300))
        except (InsufficientBalance, BudgetExhausted) as refusal:
            assert isinstance(refusal, BudgetExhausted if covered else InsufficientBalance)
            assert not (covered and fits)
            return multiple()
        assert covered
        assert fits
        self.books.calls[request] = Set(amount, read, self.seconds + 60, bounded)
        self.books.free -= amount
        if taken:
            self.coze_takes_call(request)
        return request

    @rule(request=requests)
    def coze_takes(self, request: str) -> None:
        self.coze_takes_call(request)

    def coze_takes_call(self, request: str) -> None:
        known = self.books.calls[request]
        assert reserving.accepted(request, ids=CozeIds(coze_chat_id="c")) is (known.state == "open")
        known.taken |= known.state == "open"

    @rule(request=requests)
    def work_and_renew(self, request: str) -> None:
        known = self.books.calls[request]
        self.seconds += 40
        assert reserving.renew([request], now=self.now) == (known.state == "open")
        if known.state == "open":
            known.lease = self.seconds + 60

    @rule(request=requests, tokens=COUNTED)
    def settle(self, request: str, tokens) -> None:
        known = self.books.calls[request]
        cost = known.input if tokens is None else tokens[0] + 2 * tokens[1]
        outcome = Outcome(tokens=tokens and Tokens(*tokens))
        row = settling.settle(request, outcome=outcome, now=self.now)
        assert (row is None) is (known.state in {"settled", "released"})
        if known.state == "open":
            self.books.end(known, "settled", cost)
        elif known.state == "lost":
            self.books.correct(known, cost)

    @rule(request=requests)
    def release(self, request: str) -> None:
        known = self.books.calls[request]
        row = settling.release(request, outcome=Outcome(status=Status.FAILED), now=self.now)
        assert (row is None) is (known.state != "open")
        if known.state == "open":
            self.books.end(known, "released", 0)

    @rule(seconds=st.sampled_from([1, 59, 301, 301]))
    def crash_and_reconcile(self, seconds: int) -> None:
        """Nobody renews anything for a while; then somebody tidies up."""
        self.seconds += seconds
        reconciling.reconcile(now=self.now)
        for known in self.books.calls.values():
            silent = known.state == "open" and known.lease < self.seconds
            if silent and not known.taken:
                self.books.end(known, "lost", 0)
            elif silent and self.is_expired(known):
                self.books.end(known, "lost", known.input)

    def is_expired(self, known: Set) -> bool:
        request = next(name for name, other in self.books.calls.items() if other is known)
        return Hold.objects.get(request_id=request).expires_at <= self.now

    @invariant()
    def the_books_agree(self) -> None:
        account = Account.objects.of(self.user.pk)
        books = self.books
        assert (account.available, account.debt) == (max(books.free, 0), max(-books.free, 0))
        assert account.held == books.held
        window = BudgetWindow.objects.filter(scope_id=self.key.scope_id).first()
        if window:
            assert (window.spent, window.spent + window.held) == (books.spent, books.used)

    def teardown(self) -> None:
        if not hasattr(self, "books"):
            return
        rows = {row.request_id: row.cost for row in UsageRecord.objects.filter(owner=self.user)}
        ended = {name: known.charged for name, known in self.books.calls.items() if known.state != "open"}
        assert rows == ended
        entries = LedgerEntry.objects.owned_by(self.user)
        assert sum(entry.amount for entry in entries) == self.books.free + self.books.held
