"""What all tests of conversations share."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """Nobody logs in with a password here: a slow hash would be most of a test's time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(params=["bob", "visitor"])
def intruder(request: pytest.FixtureRequest) -> Any:
    """Bob, and somebody who just dropped in."""
    return request.getfixturevalue(request.param)
