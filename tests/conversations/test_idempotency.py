"""The same `client_id` again, before, during and after a crash: one question, one turn, Coze asked once (P5)."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from conversations.models import Message, Turn
from tests.conversations.machines.places import Page, Place
from tests.reader import Tally
from tests.tabs import log_in

QUESTION = "count to 40 slowly"


class Crash:
    """Two processes of one site; the first one is going to die."""

    def __init__(self, coze: Any, *users: Any) -> None:
        self.coze = coze
        self.first, self.second = Place(), Place()
        self.client_id = str(uuid.uuid4())
        self.pages = {user.pk: Page(user, session_key=log_in(user), tally=Tally()) for user in users}

    def ask(self, user: Any, place: Place, *, content: str = QUESTION, **fields: Any) -> None:
        page = self.pages[user.pk]
        if page.place is not place:
            page.connect(place)
        question = {"client_id": self.client_id, "conversation": None, "content": content} | fields
        page.send("turn.start", **question)

    def reach(self, moment: str, user: Any) -> None:
        """The first process is asked, comes this far, and is killed."""
        self.ask(user, self.first)
        page = self.pages[user.pk]
        if moment == "during":
            self.until(lambda: any(shown.text for shown in page.shown.values()), self.first)
        elif moment == "after":
            self.until(lambda: any(shown.ended for shown in page.shown.values()), self.first)
        self.first.dead = True

    def until(self, condition: Any, place: Place) -> None:
        given_up = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < given_up
            place.step()
            for page in self.pages.values():
                page.read()

    def accepted(self, user: Any, *, client_id: str = "") -> str:
        """The turn that the second process names."""
        page, wanted = self.pages[user.pk], client_id or self.client_id
        page.accepted.pop(wanted, None)
        self.until(lambda: wanted in page.accepted, self.second)
        return page.accepted[wanted]

    def rest(self, *users: Any) -> None:
        """What the second process began comes to its end; what died with the first is not begun again."""
        for _each in range(40):
            self.second.step()

    def chats(self) -> int:
        return sum(self.coze.ledger()["chats"].values())


@pytest.fixture
def crash(coze: Any, alice: Any, bob: Any) -> Iterator[Crash]:
    made = Crash(coze, alice, bob)
    yield made
    for place in (made.first, made.second):
        place.bury()


@pytest.fixture(params=["before", "during", "after"])
def moment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def questions(owner: Any) -> list[str]:
    rows = Message.objects.filter(role=Message.Role.USER, turn__owner=owner)
    return list(rows.order_by("pk").values_list("content", flat=True))


def test_the_same_question_again_is_the_same_turn(crash, alice, moment):
    crash.reach(moment, alice)
    before = list(Turn.objects.values_list("pk", flat=True))
    crash.ask(alice, crash.second)
    turn = crash.accepted(alice)
    crash.until(lambda: crash.chats() == 1, crash.second)
    crash.rest()

    assert [str(pk) for pk in before] in ([], [turn])
    assert questions(alice) == [QUESTION]
    assert crash.chats() == 1


def test_the_same_id_with_other_words_does_not_change_the_question(crash, alice, moment):
    crash.reach(moment, alice)
    known = questions(alice)
    crash.ask(alice, crash.second, content="other words")
    crash.accepted(alice)
    crash.until(lambda: crash.chats() == 1, crash.second)
    crash.rest()

    assert questions(alice) == (known or ["other words"])
    assert crash.chats() == 1


def test_the_same_id_for_another_conversation_stays_where_it_was(crash, alice, moment):
    other, crash.client_id = str(uuid.uuid4()), str(uuid.uuid4())
    crash.ask(alice, crash.second, client_id=other, content="hello")
    place = Turn.objects.get(pk=crash.accepted(alice, client_id=other)).conversation_id
    crash.until(lambda: Turn.objects.get().status == "completed", crash.second)
    crash.reach(moment, alice)
    known = Turn.objects.filter(client_id=crash.client_id).values_list("conversation_id", flat=True).first()
    crash.ask(alice, crash.second, conversation=str(place))
    turn = Turn.objects.get(pk=crash.accepted(alice))
    crash.until(lambda: crash.chats() == 2, crash.second)

    assert turn.conversation_id == (known or place)
    assert Turn.objects.filter(client_id=crash.client_id).count() == 1


def test_bobs_question_with_alices_id_is_a_question_of_his_own(crash, alice, bob, moment):
    crash.reach(moment, alice)
    known = questions(alice)
    crash.ask(bob, crash.second, content="hello")
    turn = Turn.objects.get(pk=crash.accepted(bob))

    assert turn.owner_id == bob.pk
    assert questions(bob) == ["hello"]
    assert questions(alice) == known
    assert alice.session_name not in json.dumps(crash.pages[bob.pk].heard)


def test_twenty_times_at_once_is_once(crash, alice, moment):
    crash.reach(moment, alice)
    for _each in range(20):
        crash.ask(alice, crash.second)
    page = crash.pages[alice.pk]
    crash.until(lambda: sum('"turn.accepted"' in text for text in page.heard) >= 20, crash.second)
    turns = {json.loads(text)["turn"] for text in page.heard if '"turn.accepted"' in text}
    crash.until(lambda: crash.chats() == 1, crash.second)
    crash.rest()

    assert len(turns) == 1
    assert questions(alice) == [QUESTION]
    assert crash.chats() == 1


def test_the_same_words_with_another_id_are_another_question(crash, alice, moment):
    crash.reach(moment, alice)
    known = len(questions(alice))
    another = str(uuid.uuid4())
    crash.ask(alice, crash.second, client_id=another)
    crash.accepted(alice, client_id=another)
    crash.until(lambda: crash.chats() == known + 1, crash.second)

    assert questions(alice) == [QUESTION] * (known + 1)
