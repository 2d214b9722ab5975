"""Secrets at rest: a text column that only this site's keys can read."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    """The text, sealed with the newest of `settings.TOKEN_ENCRYPTION_KEYS`."""
    return _fernet(tuple(settings.TOKEN_ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(sealed: str) -> str | None:
    """What was sealed, or None when no key of today opens it: a cache miss, never an error page."""
    try:
        return _fernet(tuple(settings.TOKEN_ENCRYPTION_KEYS)).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


if TYPE_CHECKING:
    _TextField = models.TextField[str, str | None]
else:
    # Generic in the stubs only.
    _TextField = models.TextField


class EncryptedTextField(_TextField):
    """A text that is sealed in the database. It cannot be searched; empty stays empty."""

    def get_prep_value(self, value: Any) -> Any:
        return encrypt(str(value)) if value else value

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return decrypt(value) if value else value
