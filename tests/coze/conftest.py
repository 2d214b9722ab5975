"""One emulator for those tests of the client that want a whole Coze."""

from collections.abc import Iterator

import pytest

from cozechat.emulator import process
from cozechat.emulator.process import RunningEmulator


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with process.start(tmp_path_factory.mktemp("client"), in_memory=True, pace=2000) as running:
        yield running
