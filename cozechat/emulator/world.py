"""Everything that one running emulator holds."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Protocol

from cozechat.emulator.chat import Chat, end_orphans
from cozechat.emulator.connections import Connections
from cozechat.emulator.credentials import EmulatorCredentials
from cozechat.emulator.faults.board import Board
from cozechat.emulator.keyring import KEYS_FILE, Keyring, public_half
from cozechat.emulator.ledger import Ledger
from cozechat.emulator.options import Options
from cozechat.emulator.snowflakes import Snowflakes
from cozechat.emulator.store import Store
from cozechat.emulator.tokens import SpentAssertions, Tokens


class Running(Protocol):
    """A chat in progress."""

    chat: Chat

    def cancel(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class World:
    """State and settings, handed to every endpoint."""

    options: Options
    credentials: EmulatorCredentials
    keyring: Keyring
    store: Store
    ids: Snowflakes
    faults: Board
    tokens: Tokens = field(default_factory=Tokens)
    spent: SpentAssertions = field(default_factory=SpentAssertions)
    ledger: Ledger = field(default_factory=Ledger)
    connections: Connections = field(default_factory=Connections)
    control_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    running: dict[str, Running] = field(default_factory=dict)
    """Conversation id to the run of the chat in it: there is one at most."""

    def clock(self) -> float:
        return time.time()

    def now(self) -> int:
        return int(time.time())

    def leaks(self, mode: str) -> bool:
        return mode in self.options.leaky


def open_world(options: Options, credentials: EmulatorCredentials) -> World:
    store = Store(None if options.in_memory else options.state_dir / "state.sqlite3")
    end_orphans(store.documents, at=int(time.time()))
    board = Board()
    for spec in options.faults:
        board.arm_spec(spec)
    ids = Snowflakes(after=store.newest_id())
    file = None if options.in_memory else options.state_dir / KEYS_FILE
    keyring = Keyring(public_half(credentials.private_key), file=file)
    return World(
        options=options, credentials=credentials, keyring=keyring, store=store, ids=ids, faults=board
    )
