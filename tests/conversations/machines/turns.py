"""S1: people ask, read, stop and reconnect while processes are stopped and killed and Coze says what it likes."""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from conversations.models import Conversation, Turn
from tests.conversations.machines import checks
from tests.conversations.machines.places import Asked, Page, Place, World
from tests.conversations.machines.scripted import ScriptedChat
from tests.reader import Tally

PATIENCE = 15.0
MOST_PLACES, MOST_PAGES, MOST_QUESTIONS = 3, 5, 5
PIECES = st.sampled_from(["a", " words", "\n\n", "中😀", "**b**", "\u2028", "x" * 9000])
CHOICE = st.integers(0, 99)


class TurnMachine(RuleBasedStateMachine):
    """Alice and Bob before two processes; `world` brings users, log-ins and Coze."""

    world: World
    played = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).played += 1
        Conversation.objects.all().delete()
        self.coze = self.world.coze
        self.first_chat = len(self.coze.chats)
        self.tally = Tally()
        self.broken = False
        self.places = [Place(), Place()]
        self.pages: list[Page] = []
        self.asked: list[Asked] = []
        self.place_of: dict[str, Place] = {}
        self.ended: dict[uuid.UUID, str] = {}
        for user in self.world.users:
            self._new_page(user).connect(self.places[0])

    # --- People -------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.pages) < MOST_PAGES)
    @rule(user=CHOICE, place=CHOICE)
    def open_a_tab(self, user: int, place: int) -> None:
        self._new_page(_one(self.world.users, user)).connect(_one(self._running(), place))
        self._settle()

    @precondition(lambda self: len(self.asked) < MOST_QUESTIONS)
    @rule(page=CHOICE, anew=st.booleans())
    def ask(self, page: int, anew: bool) -> None:
        tab = _one(self.pages, page)
        mine = [turn.conversation_id for turn in self._turns() if turn.owner_id == tab.user.pk]
        conversation = str(mine[-1]) if mine and not anew else None
        asked = Asked(tab.user, str(uuid.uuid4()), f"question {len(self.asked)}", conversation)
        self.asked.append(asked)
        self._send(asked, tab)

    @precondition(lambda self: self.asked)
    @rule(asked=CHOICE, page=CHOICE)
    def ask_again_with_the_same_client_id(self, asked: int, page: int) -> None:
        question = _one(self.asked, asked)
        self._send(question, _one([tab for tab in self.pages if tab.user == question.owner], page))

    @precondition(lambda self: self.asked)
    @rule(page=CHOICE, turn=CHOICE, wish=st.sampled_from(["turn.stop", "turn.resume", "conversation.open"]))
    def wish_for_something(self, page: int, turn: int, wish: str) -> None:
        """Also for what is somebody else's."""
        tab, turns = _one(self.pages, page), self._turns()
        if not turns:
            return
        chosen = _one(turns, turn)
        if chosen.owner_id == tab.user.pk:
            self._expect_ends(str(chosen.pk), chosen.owner_id)
        if wish == "turn.resume" and chosen.owner_id == tab.user.pk:
            tab.ask_for(str(chosen.pk))
        elif wish == "conversation.open":
            tab.send(wish, conversation=str(chosen.conversation_id))
        else:
            tab.send(wish, turn=str(chosen.pk), seq=0)
        self._settle()

    # --- The network --------------------------------------------------------------------------------------

    @rule(page=CHOICE, place=CHOICE)
    def reconnect(self, page: int, place: int) -> None:
        tab = _one(self.pages, page)
        tab.connect(_one(self._running(), place))
        for turn in self._turns():
            if turn.owner_id == tab.user.pk and turn.is_running:
                self._expect_ends(str(turn.pk), turn.owner_id)
                tab.send("conversation.open", conversation=str(turn.conversation_id))
        self._settle()

    @rule(page=CHOICE, fate=st.sampled_from(["lose", "double"]))
    def the_next_frame(self, page: int, fate: str) -> None:
        _one(self.pages, page).doom(fate)

    # --- Coze ---------------------------------------------------------------------------------------------

    @rule(chat=CHOICE, pieces=st.lists(PIECES, min_size=1, max_size=4))
    def coze_says(self, chat: int, pieces: list[str]) -> None:
        chats = self._open_chats()
        for number, piece in enumerate(pieces if chats else ()):
            chosen = _one(chats, chat)
            self.coze.say(chosen, f"{piece}⟦{chosen.token_session}:{len(chosen.text)}:{number}⟧")
        self._settle()

    @rule(chat=CHOICE, fails=st.booleans())
    def coze_finishes(self, chat: int, fails: bool) -> None:
        chats = self._open_chats()
        if chats:
            self.coze.finish(_one(chats, chat), fails=fails)
            self._settle()

    # --- Processes ----------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.places) < MOST_PLACES + 2 and len(self._running()) > 1)
    @rule(place=CHOICE)
    def kill(self, place: int) -> None:
        _one(self._running(), place).dead = True
        self.places.append(Place())
        self._settle()

    @precondition(lambda self: len(self._running()) > 1)
    @rule(place=CHOICE)
    def freeze(self, place: int) -> None:
        chosen = _one(self._running(), place)
        chosen.frozen = chosen.was_frozen = True

    @precondition(lambda self: any(place.frozen and not place.dead for place in self.places))
    @rule()
    def time_passes_for_the_silent_and_they_thaw(self) -> None:
        self._let_leases_lapse()
        self._settle(times=12)
        self._thaw()

    @rule()
    def time_passes(self) -> None:
        self._let_leases_lapse()
        self._settle(times=12)

    # --- What must hold -------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Let everything come to rest, and look at it all."""
        try:
            if not self.broken:
                self._come_to_rest()
                checks.check_everything(self)
        finally:
            for place in self.places:
                place.bury()

    def _come_to_rest(self) -> None:
        for page in self.pages:
            page.spare()
        self._let_leases_lapse()
        self._settle(times=4)
        self._thaw()
        for _each in range(3 * MOST_QUESTIONS):
            self._finish_chats()
            self._wait(lambda: not any(turn.is_running for turn in self._turns()), or_broken="I-LIVE")
            self._finish_chats()
            missing = self._unaccepted()
            if not missing:
                break
            tab = next(page for page in self.pages if page.user == missing[0].owner)
            if not tab.connected:
                tab.connect(self._running()[0])
            self._send(missing[0], tab)
        checks.hold(not self._unaccepted(), "I-ONCE", "a question is never accepted")
        self._wait(lambda: not checks.untold(self), or_broken="I-TOLD")
        self._look_once_more()

    def _finish_chats(self) -> None:
        """Coze ends what runs; a question that has just begun may have to be asked there first."""
        given_up = time.monotonic() + PATIENCE
        while any(turn.is_running for turn in self._turns()) and time.monotonic() < given_up:
            for chat in self._open_chats():
                self.coze.finish(chat)
            self._let_leases_lapse()
            self._settle()
        for chat in self._open_chats():
            self.coze.finish(chat)

    def _look_once_more(self) -> None:
        """Every page asks for what it has not seen to its end."""
        for page in self.pages:
            if not page.connected:
                page.connect(self._running()[0])
            for turn in self._turns():
                if turn.owner_id == page.user.pk and not page.shown_of(str(turn.pk)).ended:
                    page.ask_for(str(turn.pk))
        self._wait(self._all_shown, or_broken="I-TERM")

    def _all_shown(self) -> bool:
        return all(
            page.shown_of(str(turn.pk)).ended
            for page in self.pages
            for turn in self._turns()
            if turn.owner_id == page.user.pk
        )

    # --- Small things ---------------------------------------------------------------------------------------

    def chats(self) -> list[ScriptedChat]:
        """Those of this example."""
        return self.coze.chats[self.first_chat :]

    def _open_chats(self) -> list[ScriptedChat]:
        return [chat for chat in self.chats() if chat.status == "in_progress"]

    def _turns(self) -> list[Turn]:
        return list(Turn.objects.order_by("created_at"))

    def _running(self) -> list[Place]:
        return [place for place in self.places if place.runs]

    def _new_page(self, user: Any) -> Page:
        page = Page(user, session_key=self.world.sessions[user.pk], tally=self.tally)
        self.pages.append(page)
        return page

    def _send(self, asked: Asked, tab: Page) -> None:
        for page in self.pages:
            if asked.client_id in page.accepted:
                self._expect_ends(page.accepted[asked.client_id], asked.owner.pk)
        tab.send(
            "turn.start",
            client_id=asked.client_id,
            conversation=asked.conversation,
            content=asked.content,
        )
        self._settle()

    def _unaccepted(self) -> list[Asked]:
        known = {client_id for page in self.pages for client_id in page.accepted}
        return [asked for asked in self.asked if asked.client_id not in known]

    def _expect_ends(self, turn: str, owner_id: int) -> None:
        """Whoever is asked for a turn may tell its end once more, to all its owner's tabs."""
        for page in self.pages:
            if page.user.pk == owner_id:
                page.shown_of(turn).asked_for += 1

    def _let_leases_lapse(self) -> None:
        """Time passes for those who do not run; whoever runs has renewed its leases meanwhile."""
        silent = [turn for turn, place in self.place_of.items() if not place.runs]
        past = timezone.now() - timedelta(seconds=1)
        # With no exception: a turn whose process died before anybody was told of it is orphaned as well.
        unknown = Turn.objects.exclude(pk__in=list(self.place_of)).running().values_list("pk", flat=True)
        Turn.objects.running().filter(pk__in=[*silent, *unknown]).update(lease_until=past)

    def _thaw(self) -> None:
        for place in self.places:
            place.frozen = False
        self._settle(times=12)

    def _settle(self, *, times: int = 1) -> None:
        for _each in range(times):
            for place in self._running():
                place.step()
            for page in self.pages:
                before = set(page.accepted.values())
                page.read()
                for turn in set(page.accepted.values()) - before:
                    if page.place is not None:
                        self.place_of.setdefault(turn, page.place)
        try:
            checks.check_always(self)
        except checks.Broken:
            self.broken = True
            raise

    def _wait(self, condition: Callable[[], bool], *, or_broken: str) -> None:
        given_up = time.monotonic() + PATIENCE
        while not condition():
            checks.hold(time.monotonic() < given_up, or_broken, "it does not come to an end")
            self._settle()


def _one(choices: list[Any], number: int) -> Any:
    return choices[number % len(choices)]
