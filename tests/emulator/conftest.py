"""One emulator for all tests of this folder; every test brings users of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from cozechat.emulator import process
from cozechat.emulator.process import RunningEmulator

from .raw import Session


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with process.start(tmp_path_factory.mktemp("emulator"), in_memory=True, pace=2000) as running:
        yield running


@pytest.fixture
def alice(emulator: RunningEmulator) -> Session:
    return Session(emulator)


@pytest.fixture
def bob(emulator: RunningEmulator) -> Session:
    return Session(emulator)


@pytest.fixture
def arm(emulator: RunningEmulator, alice: Session) -> Callable[..., None]:
    """Arms a fault for Alice alone, once."""

    def once(name: str, **settings: object) -> None:
        emulator.arm(name, **({"session_name": alice.name, "times": 1} | settings))

    return once


@pytest.fixture
def start(emulator: RunningEmulator) -> Iterator[Callable[..., RunningEmulator]]:
    """Starts further emulators, with options; they share the first one's keys to save the time."""
    with ExitStack() as stack:

        def begin(**options: object) -> RunningEmulator:
            state_dir = emulator.credentials.private_key_path.parents[1]
            given = {"in_memory": True, "pace": 2000} | options
            return stack.enter_context(process.start(state_dir, **given))  # type: ignore[arg-type]

        yield begin
