"""The invariants of reliability.md §3.1 as the machine of turns looks at them."""

from typing import TYPE_CHECKING

from conversations.models import Message, Turn
from tests.reader import ENDS

if TYPE_CHECKING:
    from tests.conversations.machines.turns import TurnMachine


class Broken(AssertionError):
    """An invariant of reliability.md §3.1 does not hold; it is named first."""


def hold(condition: object, invariant: str, what: str = "") -> None:
    """Raise Broken unless the condition is true."""
    if not condition:
        raise Broken(f"{invariant}: {what}")


def check_always(machine: "TurnMachine") -> None:
    """After every step."""
    for turn in Turn.objects.exclude(status__in=Turn.RUNNING):
        known = machine.ended.setdefault(turn.pk, turn.status)
        hold(known == turn.status, "I-TERM", f"{known}, then {turn.status}")
    names = {user.pk: user.session_name for user in machine.world.users}
    for page in machine.pages:
        strange = [name for pk, name in names.items() if pk != page.user.pk]
        for text in page.heard:
            hold(not any(name in text for name in strange), "I-OWN", text[:200])
        page.heard.clear()
    hold(not machine.tally.breaches, "I-SEQ", str(machine.tally.breaches))


def untold(machine: "TurnMachine") -> list[str]:
    """Ends that a tab has not heard although it lost nothing and the same process gave the answer."""
    ended = {str(turn.pk) for turn in Turn.objects.exclude(status__in=Turn.RUNNING)}
    return [
        turn
        for page in machine.pages
        if page.place is not None and page.connected and not page.place.was_frozen
        for turn in page.intact & ended
        if machine.place_of.get(turn) is page.place and not page.shown_of(turn).ended
    ]


def check_everything(machine: "TurnMachine") -> None:
    """At rest."""
    questions = list(Message.objects.filter(role=Message.Role.USER).values_list("content", flat=True))
    for asked in machine.asked:
        hold(questions.count(asked.content) == 1, "I-ONCE", f"{questions.count(asked.content)} rows")
    answers = Message.objects.filter(role=Message.Role.ASSISTANT).select_related("turn__owner", "turn")
    for answer in answers:
        _check_answer(machine, answer)


def _check_answer(machine: "TurnMachine", answer: Message) -> None:
    turn = answer.turn
    question = turn.messages.get(role=Message.Role.USER).content
    chats = [chat for chat in machine.chats() if chat.question == question]
    hold(len(chats) <= 1, "I-ONEPOST", f"Coze was asked {len(chats)} times")
    sent = chats[0].text if chats else ""
    whole = turn.status == Turn.Status.COMPLETED
    hold(answer.content == sent if whole else sent.startswith(answer.content), "I-TEXT", "not what Coze sent")
    for chat in chats:
        names = {chat.token_session, chat.body_session}
        hold(names == {turn.owner.session_name}, "I-OWN", f"asked as {names}")
    for page in machine.pages:
        if page.user.pk == turn.owner_id:
            shown = page.shown_of(str(turn.pk))
            hold(
                (shown.text, shown.ended) == (answer.content, turn.status),
                "I-TEXT",
                "shown otherwise than stored",
            )
    hold(turn.status in ENDS, "I-TERM", turn.status)
