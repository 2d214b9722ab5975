"""One emulator for the contract, and the SDK's clients for it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cozechat.emulator import process
from cozechat.emulator.process import RunningEmulator

from .sdk import Sdk


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with process.start(tmp_path_factory.mktemp("contract"), in_memory=True, pace=2000) as running:
        yield running


@pytest.fixture
def sdk(emulator: RunningEmulator) -> Iterator[Sdk]:
    with ExitStack() as stack:
        yield Sdk(emulator, stack=stack)
