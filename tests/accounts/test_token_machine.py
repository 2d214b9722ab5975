"""S2: processes want tokens, clocks go, Coze revokes and fails, processes die with a claim; and planted mutants."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from token_endpoint import TokenEndpoint
from token_steps import Clock

from accounts import leases
from accounts.leases import Held
from accounts.models import AccessToken, AccessTokenQuerySet, User
from accounts.tokens import FAILURE_SECONDS, Memory, TokenCache
from cozechat.catalog.clients import close_clients
from cozechat.catalog.environment import origin_of
from cozechat.catalog.models import CozeApp
from cozechat.coze.errors import CozeError

pytestmark = pytest.mark.django_db(transaction=True)
LIFETIME, LEASE = 3600, 8.0
PROCESS, WHO = st.integers(0, 2), st.integers(0, 1)
WAITED = st.sampled_from([20.0, 45.0, 3290.0, 3575.0, 4000.0])


class Found(KeyboardInterrupt):
    """A mutant is found; hypothesis lets nothing but an interrupt end a search at once."""


class Broken(AssertionError):
    """The cache did what it must not do."""


@dataclass(slots=True)
class World:
    """What all examples share."""

    app: CozeApp
    users: list[User]
    endpoint: TokenEndpoint
    runner: asyncio.Runner


class TokenMachine(RuleBasedStateMachine):
    """Three processes share a table; every token that is handed out is looked at."""

    world: World
    error: type[BaseException] = Broken

    def __init__(self) -> None:
        super().__init__()
        AccessToken.objects.all().delete()
        self.runner = self.world.runner
        self.clock = Clock()
        self.caches = [self._cache() for _each in range(3)]
        self.refused: set[str] = set()
        self.issued_at: dict[str, float] = {}
        self.world.endpoint.refusing = False
        self._pass(0.0)

    def _pass(self, seconds: float) -> None:
        """Coze's clock goes with ours: a token lives an hour, whatever the hour."""
        self.clock.ahead += seconds
        self.world.endpoint.lifetime = int(LIFETIME + self.clock.ahead)

    def _cache(self) -> TokenCache:
        return TokenCache(clock=self.clock, lease=LEASE, patience=0.0)

    def hold(self, condition: object, what: str) -> None:
        """Everything that must be true of a token comes through here."""
        if not condition:
            raise self.error(what)

    def asked(self, who: User) -> int:
        """How often Coze was asked for this user."""
        return self.world.endpoint.asked.count(who.session_name)

    @rule(process=PROCESS, who=WHO)
    def get(self, process: int, who: int) -> None:
        user, before = self.world.users[who], self.asked(self.world.users[who])
        try:
            token = self.runner.run(self._get(process, user))
        except CozeError:
            self.hold(self._is_excused(user), "no token, although nothing was in the way")
            return
        self._look_at(token, user=user)
        self.hold(self.asked(user) - before <= 1, "one want, two exchanges")

    @rule(who=WHO, times=st.integers(2, 8))
    def everybody_gets_at_once(self, who: int, times: int) -> None:
        user, before = self.world.users[who], self.asked(self.world.users[who])

        async def all_of_them() -> list[Any]:
            wants = [self._get(number % 3, user, patient=True) for number in range(times)]
            return await asyncio.gather(*wants, return_exceptions=True)

        for outcome in self.runner.run(all_of_them()):
            if isinstance(outcome, str):
                self._look_at(outcome, user=user)
        most = 1 if not self.world.endpoint.refusing else times
        self.hold(self.asked(user) - before <= most, "several exchanges for one token")

    async def _get(self, process: int, user: User, *, patient: bool = False) -> str:
        cache = self.caches[process]
        cache._patience = 20.0 if patient else 0.0
        token = await cache.access_token(user, app=self.world.app)
        # A renewal beside it is waited for: it belongs to the same want.
        while cache._tasks:
            await asyncio.wait(cache._tasks)
        return token

    def _is_excused(self, user: User) -> bool:
        held = AccessToken.objects.filter(user=user).exclude(claim=None).exists()
        return held or self.world.endpoint.refusing

    def _look_at(self, token: str, *, user: User) -> None:
        name = self.world.endpoint.issued.get(token)
        self.hold(name == user.session_name, f"a token of {name} for {user.session_name}")
        since = self.issued_at.setdefault(token, self.clock())
        self.hold(self.clock() < since + LIFETIME, "a token that has ended")
        self.hold(token not in self.refused, "a token that Coze has refused, and we were told so")

    @rule(seconds=WAITED)
    def time_passes(self, seconds: float) -> None:
        self._pass(seconds)

    @rule(process=PROCESS, who=WHO)
    def coze_refuses_the_token(self, process: int, who: int) -> None:
        """Revoked at Coze; one process notices, and the others look at the row within 30 s."""
        user = self.world.users[who]
        row = AccessToken.objects.filter(user=user).first()
        if row is None or not row.token:
            return
        token = str(row.token)
        self.runner.run(self.caches[process].discard(user, app=self.world.app, token=token))
        self.refused.add(token)
        self._pass(31)

    @rule(refusing=st.booleans())
    def coze_fails_or_recovers(self, refusing: bool) -> None:
        """A failure is remembered for a while, so that Coze is not asked again at once."""
        self.world.endpoint.refusing = refusing
        if not refusing:
            self._pass(FAILURE_SECONDS)

    @rule(who=WHO, process=PROCESS)
    def a_process_dies_with_the_claim(self, who: int, process: int) -> None:
        """What it remembered goes with it; its claim stays, for as long as a lease."""
        user = self.world.users[who]
        wanted = leases.Wanted(self.world.app.pk, user.pk, user.session_name, origin_of(self.world.app))
        found = leases.look(wanted, now=self.clock(), lease=LEASE)
        self.hold(found.held is None or found.held.session_name == user.session_name, "another's row")
        self.caches[process] = self._cache()

    @rule(who=WHO)
    def a_row_gets_into_wrong_hands(self, who: int) -> None:
        """As a careless administrator might do it: Alice's token in Bob's row."""
        mine, other = self.world.users[who], self.world.users[1 - who]
        row = AccessToken.objects.filter(user=other).first()
        if row is not None and row.token:
            AccessToken.objects.filter(user=mine).delete()
            AccessToken.objects.filter(user=other).update(user=mine)
            self._pass(31)

    def teardown(self) -> None:
        """With Coze well again everybody gets a token: a lease later, and an hour and another crash later."""
        try:
            self.world.endpoint.refusing = False
            self._pass(LEASE + 31)
            self._all_get()
            self._pass(LIFETIME + 1)
            self.a_process_dies_with_the_claim(who=0, process=0)
            self._pass(LEASE + 31)
            self._all_get()
        finally:
            self.runner.run(self._close())

    def _all_get(self) -> None:
        for process in range(3):
            for user in self.world.users:
                try:
                    self._look_at(self.runner.run(self._get(process, user)), user=user)
                except CozeError as error:
                    self.hold(False, f"no token a lease later: {error}")

    async def _close(self) -> None:
        for cache in self.caches:
            await cache.aclose()


@pytest.fixture
def machine(app: CozeApp, alice: User, bob: User, endpoint: TokenEndpoint) -> Iterator[type[TokenMachine]]:
    with asyncio.Runner() as runner:
        world = World(app, [alice, bob], endpoint, runner)
        yield type("TokenMachineOfThisTest", (TokenMachine,), {"world": world})
        runner.run(close_clients())


def play(machine: type[TokenMachine], *, examples: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow],
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_whatever_happens_everybody_gets_a_valid_token_of_their_own(machine):
    play(machine, examples=15)


# --- The planted mutants ---------------------------------------------------------------------------------


def takes_any_row(patch: Any) -> None:
    def token_of(row: AccessToken, *, wanted: Any) -> Held | None:
        if not row.token or row.issued_at is None or row.expires_at is None:
            return None
        return Held(row.session_name, row.token, row.issued_at.timestamp(), row.expires_at.timestamp())

    patch.setattr(leases, "_token_of", token_of)


def forgets_that_tokens_end(patch: Any) -> None:
    patch.setattr(Held, "is_fresh", lambda self, now: True)
    patch.setattr(Held, "is_alive", lambda self, now: True)


def everybody_may_exchange(patch: Any) -> None:
    patch.setattr(AccessTokenQuerySet, "claim", lambda self, row, **claim: self._everybody(row, **claim))
    patch.setattr(
        AccessTokenQuerySet,
        "_everybody",
        lambda self, row, *, claim, now, until: bool(
            self.filter(pk=row.pk).update(claim=claim, claimed_until=until)
        ),
        raising=False,
    )


def claims_never_lapse(patch: Any) -> None:
    def claim(self: AccessTokenQuerySet, row: AccessToken, *, claim: Any, now: Any, until: Any) -> bool:
        return self.seen(row).filter(claim=None).update(claim=claim, claimed_until=until) == 1

    patch.setattr(AccessTokenQuerySet, "claim", claim)


def keeps_what_coze_refused(patch: Any) -> None:
    patch.setattr(leases, "clear", lambda **row: None)


def remembers_for_ever(patch: Any) -> None:
    patch.setattr(Memory, "fresh", lambda self, now: self.held)


MUTANTS: list[Callable[[Any], None]] = [
    takes_any_row, forgets_that_tokens_end, everybody_may_exchange, claims_never_lapse,
    keeps_what_coze_refused, remembers_for_ever,
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_every_safeguard_that_is_taken_out_is_missed(machine, monkeypatch, mutant):
    mutant(monkeypatch)
    machine.error = Found
    with pytest.raises(Found):
        play(machine, examples=300)
