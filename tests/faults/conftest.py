"""A site of its own for the tests that hurt it."""

from collections.abc import Iterator

import pytest

from tests.faults.site import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    running = Site(tmp_path_factory.mktemp("site"))
    yield running
    running.stop()
