"""A snapshot of a growing answer is worth all that led to it: with what follows it comes to the same end (P7)."""

import asyncio
import json
import uuid

from hypothesis import given
from hypothesis import strategies as st

from conversations.live import LiveTurn
from conversations.outboxes import Hub, Outbox

ALICE = 1
PIECES = st.sampled_from(["a", "中😀", "word " * 9, "\n\n", "```\n", "x" * 9000, "**b**"])


class Kept:
    """What a page holds: text, number, blocks of HTML; made of a snapshot, of frames, or of both."""

    def __init__(self) -> None:
        self.text, self.seq, self.blocks = "", 0, [""]
        self._parts: list[str] = []

    def take(self, text: str) -> "Kept":
        frame = json.loads(text)
        kind = frame["type"]
        if kind == "turn.delta":
            assert frame["seq"] == self.seq + 1
            self.text, self.seq = self.text + frame["content"], frame["seq"]
        elif kind == "turn.sync":
            self._parts = [*([] if frame["offset"] == 0 else self._parts), frame["content"]]
            self.text, self.seq, self.blocks = "".join(self._parts), frame["seq"], [""]
        elif kind == "turn.html":
            self.blocks = [*([""] if frame["block"] == 0 else self.blocks), frame["html"]]
        return self

    def state(self) -> tuple[str, int, str]:
        return self.text, self.seq, "".join(self.blocks)


@given(pieces=st.lists(PIECES | st.just("#flush"), max_size=25))
def test_a_snapshot_and_what_follows_is_the_snapshot_at_the_end(pieces):
    asyncio.run(_compared(pieces))


async def _compared(pieces: list[str]) -> None:
    hub = Hub()
    turn = LiveTurn(id=uuid.uuid4(), conversation_id=uuid.uuid4(), owner_id=ALICE, hub=hub)
    listener = Outbox(owner_id=ALICE, language="en", session_key="")
    hub.follow(listener, turn.conversation_id)
    heard: list[str] = []
    snapshots: list[tuple[int, list[str]]] = []
    for piece in [*pieces, None]:
        if piece is None:
            turn.finish()
        elif piece == "#flush":
            turn.flush()
        else:
            turn.append(piece)
        snapshot = turn.sync_frames()
        while listener._waiting:
            heard.append(await listener.next() or "")
        snapshots.append((len(heard), snapshot))
    last = _kept(snapshots[-1][1])
    assert last == _kept(heard)
    assert last[0] == "".join(piece for piece in pieces if piece != "#flush")
    for at, snapshot in snapshots:
        assert _kept([*snapshot, *heard[at:]]) == last


def _kept(texts: list[str]) -> tuple[str, int, str]:
    kept = Kept()
    for text in texts:
        kept.take(text)
    return kept.state()
