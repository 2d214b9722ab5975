"""S1 of reliability.md: the real engine survives all of it, and each safeguard that is taken out is missed."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from conversations import frames
from conversations.models import Turn, TurnQuerySet
from conversations.outboxes import Hub, Outbox
from conversations.turns import answering, beginning
from conversations.turns.processes import recovering
from tests.conversations.machines import checks
from tests.conversations.machines.places import World
from tests.conversations.machines.scripted import ScriptedCoze
from tests.conversations.machines.turns import TurnMachine
from tests.tabs import log_in

# The package has a function of the same name.
engines = import_module("conversations.turns.engine")
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
EXAMPLES, STEPS = 20, 20


@pytest.fixture(scope="module")
def coze_of_the_machine() -> Iterator[ScriptedCoze]:
    with ScriptedCoze() as coze:
        yield coze


@pytest.fixture
def machine(
    coze_of_the_machine: ScriptedCoze, alice: Any, bob: Any, settings: Any, tmp_path: Any, monkeypatch: Any
) -> type[TurnMachine]:
    """The machine's class, with a world of its own; its engines save and reap without being waited for."""
    settings.COZE_API_BASE = coze_of_the_machine.base_url
    settings.COZE_EMULATOR_DIR = tmp_path
    for chore in {"SAVE_EVERY", "LOOK_EVERY", "REAP_EVERY", "CLAIM_EVERY", "QUEUES_EVERY"} & set(
        vars(engines)
    ):
        monkeypatch.setattr(engines, chore, 0.15)
    # Whoever claims a turn asks Coze for its answer for moments here, not for up to 25 s.
    monkeypatch.setattr(recovering, "_AT_LEAST", timedelta(seconds=0.3))
    monkeypatch.setattr(recovering, "_ENDED_WITHIN", timedelta(0))
    monkeypatch.setattr(recovering, "_PAUSES", (0.05, 0.1))
    users = [alice, bob]
    sessions = {user.pk: log_in(user) for user in users}
    world = World(users=users, sessions=sessions, coze=coze_of_the_machine)
    return type("TurnMachineOfThisTest", (TurnMachine,), {"world": world})


def play(machine: type[TurnMachine], *, examples: int, phases: tuple[Phase, ...] = (Phase.generate,)) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        phases=phases,
        suppress_health_check=QUIET,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_nothing_is_lost_doubled_or_foreign_whatever_happens(machine):
    play(machine, examples=EXAMPLES)


# --- The planted mutants: each takes one safeguard out ---------------------------------------------------


def ignores_client_ids(patch: Any) -> None:
    parse = frames.parse

    def parsed(text: str | None) -> Any:
        frame = parse(text)
        if isinstance(frame, frames.TurnStart):
            return replace(frame, client_id=uuid.uuid4())
        return frame

    patch.setattr(frames, "parse", parsed)


def begins_again_what_was_begun(patch: Any) -> None:
    known = beginning._known

    def found(*args: Any) -> Any:
        begun = known(*args)
        return (begun and begun.turn.lease and replace(begun, replayed=False)) or begun

    patch.setattr(beginning, "_known", found)


def writes_without_its_lease(patch: Any) -> None:
    turns: dict[uuid.UUID, uuid.UUID] = {}
    save = Turn.save

    def saved(self: Turn, *args: Any, **kwargs: Any) -> None:
        save(self, *args, **kwargs)
        if self.lease:
            turns[self.lease] = self.pk

    patch.setattr(Turn, "save", saved)
    patch.setattr(TurnQuerySet, "leased", lambda self, lease: self.filter(pk=turns.get(lease)))


def reaps_nothing(patch: Any) -> None:
    patch.setattr(TurnQuerySet, "orphaned", lambda self, now: self.none())


def tells_everybody(patch: Any) -> None:
    patch.setattr(Hub, "followers", lambda self, conversation_id, *, owner_id: list(self.all()))


def keeps_the_end_to_itself(patch: Any) -> None:
    offer = Outbox.offer

    def offered(self: Outbox, text: str) -> None:
        if not text.startswith('{"type":"turn.completed"'):
            offer(self, text)

    patch.setattr(Outbox, "offer", offered)


def asks_coze_once_more(patch: Any) -> None:
    answer = answering.answer

    async def answered(running: Any) -> Any:
        await answer(running)
        return await answer(running)

    patch.setattr(answering, "answer", answered)


# What each breaks. Whatever it is, it may also keep somebody from ever coming to an end.
MUTANTS: dict[Callable[[Any], None], tuple[str, ...]] = {
    ignores_client_ids: ("I-ONCE",),
    begins_again_what_was_begun: ("I-ONEPOST", "I-TEXT", "I-SEQ"),
    writes_without_its_lease: ("I-TEXT", "I-SEQ"),
    reaps_nothing: (),
    tells_everybody: ("I-OWN", "I-SEQ"),
    keeps_the_end_to_itself: ("I-TOLD",),
    asks_coze_once_more: ("I-ONEPOST",),
}
NO_END = ("I-LIVE", "I-TERM")


class Found(KeyboardInterrupt):
    """The mutant is found; hypothesis lets nothing but an interrupt end a search at once."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_every_safeguard_that_is_taken_out_is_missed(machine, monkeypatch, mutant):
    mutant(monkeypatch)
    monkeypatch.setattr(checks, "Broken", Found)
    with pytest.raises(Found) as found:
        play(machine, examples=100)
    assert str(found.value).startswith((*MUTANTS[mutant], *NO_END))
