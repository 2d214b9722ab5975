"""Running answers in memory: every reader ends with the same text, however slowly it reads."""

import asyncio
import json
import uuid

from django.utils.translation import gettext
from hypothesis import given
from hypothesis import strategies as st

from conversations import frames, outboxes
from conversations.live import LiveTurn
from conversations.outboxes import BACKLOG, FOLLOWED, FRAMES, Hub, Outbox

ALICE, BOB = 1, 2


def reader(hub: Hub, conversation: uuid.UUID, *, owner: int = ALICE, language: str = "en") -> Outbox:
    outbox = Outbox(owner_id=owner, language=language, session_key="")
    hub.join(outbox)
    hub.follow(outbox, conversation)
    return outbox


def running(hub: Hub, *, owner: int = ALICE) -> LiveTurn:
    return LiveTurn(id=uuid.uuid4(), conversation_id=uuid.uuid4(), owner_id=owner, hub=hub)


class Page:
    """What a page makes of the frames of one turn."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox, self.text, self.seq, self.parts, self.kinds = outbox, "", 0, [], []
        self.html: list[str] = []
        self.ended = False

    def waits(self) -> bool:
        return bool(self.outbox._waiting or self.outbox._stale)

    async def read(self) -> None:
        self.take(json.loads(await asyncio.wait_for(self.outbox.next(), 5)))

    def take(self, frame: dict) -> None:
        self.kinds.append(frame["type"])
        assert not self.ended, frame
        if frame["type"] == "turn.delta":
            assert frame["seq"] == self.seq + 1
            self.text, self.seq = self.text + frame["content"], frame["seq"]
        elif frame["type"] == "turn.sync":
            self.parts = [*([] if frame["offset"] == 0 else self.parts), frame["content"]]
            assert frame["offset"] == sum(map(frames.utf16_length, self.parts[:-1]))
            if frame["last"]:
                self.text, self.seq = "".join(self.parts), frame["seq"]
        elif frame["type"] == "turn.html":
            assert frame["tail"] <= frames.utf16_length(self.text)
        elif frame["type"] == "turn.completed":
            self.ended = True

    async def read_all(self) -> None:
        while self.waits():
            await self.read()


def finish(turn: LiveTurn) -> None:
    turn.finish()
    readers = turn.hub.followers(turn.conversation_id, owner_id=turn.owner_id)
    outboxes.send(readers, lambda: frames.build("turn.completed", turn=turn.id, seq=turn.seq), turn=turn)


async def test_what_comes_close_together_travels_as_one_delta():
    hub = Hub()
    turn = running(hub)
    page = Page(reader(hub, turn.conversation_id))
    turn.append("a")
    await asyncio.sleep(0.01)
    for piece in "bcdef":
        turn.append(piece)
    await asyncio.sleep(0.08)
    await page.read_all()

    assert page.text == "abcdef"
    assert page.kinds == ["turn.delta", "turn.delta"]


async def test_after_the_end_nothing_comes():
    hub = Hub()
    turn = running(hub)
    page = Page(reader(hub, turn.conversation_id))
    turn.append("a")
    finish(turn)
    turn.append("b")
    await asyncio.sleep(0.05)
    await page.read_all()

    assert page.text == turn.text == "a"
    assert page.ended


async def test_a_slow_reader_is_bounded_and_catches_up_and_the_other_notices_nothing():
    hub = Hub()
    turn = running(hub)
    slow, quick = (Page(reader(hub, turn.conversation_id)) for _ in range(2))
    for number in range(200):
        turn.append(f"{number} " * 2000)
        turn.flush()
        assert slow.outbox._size <= BACKLOG
        await quick.read_all()
    assert "turn.sync" not in quick.kinds
    finish(turn)
    await slow.read_all()
    await quick.read_all()

    assert slow.text == quick.text == turn.text
    assert "turn.sync" in slow.kinds
    assert slow.ended
    assert quick.ended


async def test_a_socket_that_lets_thousands_of_frames_pile_up_is_closed():
    outbox = Outbox(owner_id=ALICE, language="en", session_key="")
    for _ in range(3 * FRAMES):
        outbox.offer("x")

    assert len(outbox._waiting) <= FRAMES
    assert await outbox.next() is None
    assert outbox.close_code == 4008


async def test_a_socket_that_is_closed_still_gets_what_waits():
    outbox = Outbox(owner_id=ALICE, language="en", session_key="")
    outbox.offer("last words")
    outbox.close(4401)
    outbox.close(4030)

    assert [await outbox.next(), await outbox.next()] == ["last words", None]
    assert outbox.close_code == 4401


async def test_only_the_owner_hears_an_answer_even_if_another_follows():
    hub = Hub()
    turn = running(hub)
    alices, bobs = reader(hub, turn.conversation_id), reader(hub, turn.conversation_id, owner=BOB)
    turn.append("secret")
    finish(turn)

    assert alices._waiting
    assert not bobs._waiting
    assert not bobs._stale
    assert hub.followers(turn.conversation_id, owner_id=BOB) == [bobs]
    assert hub.sockets_of(BOB) == [bobs]


async def test_a_socket_that_has_left_is_forgotten():
    hub = Hub()
    outbox = reader(hub, uuid.uuid4())
    hub.leave(outbox)
    hub.leave(outbox)

    assert hub.count() == 0
    assert not hub._by_conversation
    assert not hub._by_owner
    assert list(hub.all()) == []


async def test_a_socket_follows_only_so_many_and_forgets_the_oldest():
    hub, first = Hub(), uuid.uuid4()
    outbox = reader(hub, first)
    kept = uuid.uuid4()
    hub.follow(outbox, kept)
    for _ in range(FOLLOWED - 1):
        hub.follow(outbox, uuid.uuid4())

    assert len(outbox.followed) == len(hub._by_conversation) == FOLLOWED
    assert hub.followers(first, owner_id=ALICE) == []
    assert hub.followers(kept, owner_id=ALICE) == [outbox]


async def test_each_socket_is_told_in_its_own_language_and_each_is_asked_for_once():
    hub, conversation, asked = Hub(), uuid.uuid4(), []
    english, other, chinese = (reader(hub, conversation, language=code) for code in ("en", "en", "zh-hans"))

    def make() -> str:
        asked.append(gettext("Sign in first."))
        return asked[-1]

    outboxes.send([english, other, chinese], make)

    assert len(asked) == 2
    assert await english.next() == await other.next() == "Sign in first."
    assert await chinese.next() != "Sign in first."


async def test_blocks_of_html_arrive_in_order_and_are_the_answer():
    hub = Hub()
    turn = running(hub)
    outbox = reader(hub, turn.conversation_id)
    turn.append("one\n\n**two**\n\n")
    turn.part()
    turn.append("three")
    finish(turn)
    blocks = []
    while outbox._waiting:
        frame = json.loads(await outbox.next())
        if frame["type"] == "turn.html":
            assert frame["block"] <= len(blocks)
            blocks.append(frame["html"])

    assert "".join(blocks) == turn.html == "<p>one</p>\n<p><strong>two</strong></p>\n<p>three</p>\n"
    assert turn.breaks == [len("one\n\n**two**\n\n")]


PIECES = st.sampled_from(["a", "中😀", "word " * 30, "x" * 3000, "\n\n", "```\n", "é" * 9000])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), PIECES),
        st.tuples(st.just("flush"), st.none()),
        st.tuples(st.just("part"), st.none()),
        st.tuples(st.just("read"), st.integers(0, 2)),
        st.tuples(st.just("read all"), st.integers(0, 2)),
        st.tuples(st.just("resume"), st.integers(0, 2)),
    ),
    max_size=60,
)  # fmt: skip


@given(steps=STEPS)
def test_in_whatever_order_readers_read_they_end_with_the_same_text(steps):
    asyncio.run(played(steps))


async def played(steps) -> None:
    before, outboxes.BACKLOG = outboxes.BACKLOG, 20_000
    try:
        hub = Hub()
        turn = running(hub)
        pages = [Page(reader(hub, turn.conversation_id)) for _ in range(3)]
        for act, value in steps:
            await play(turn, pages, act, value)
            for page in pages:
                sync = 3 * len(turn.text.encode()) + 40_000  # one sync of the whole, and one backlog
                assert page.outbox._size <= outboxes.BACKLOG + sync
        finish(turn)
        for page in pages:
            await page.read_all()
            assert page.text == turn.text
            assert page.seq == turn.seq
            assert page.ended
    finally:
        outboxes.BACKLOG = before


async def play(turn: LiveTurn, pages: list[Page], act: str, value) -> None:
    if act == "append":
        turn.append(value)
    elif act == "flush":
        turn.flush()
    elif act == "part":
        turn.part()
    elif act == "resume":
        for text in turn.sync_frames():
            pages[value].outbox.offer_delta(text, turn=turn)
    elif act == "read" and pages[value].waits():
        await pages[value].read()
    elif act == "read all":
        await pages[value].read_all()
