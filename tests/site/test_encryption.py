"""Secrets at rest: sealed, rotated, and a miss rather than an error when no key opens them."""

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from cozechat.catalog.models import CozeApp
from cozechat.encryption import decrypt, encrypt

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@given(st.text())
def test_what_is_sealed_is_opened_again(text):
    sealed = encrypt(text)
    assert decrypt(sealed) == text
    assert len(text) < 3 or text not in sealed


def test_an_old_key_still_opens_and_a_new_one_seals(settings):
    settings.TOKEN_ENCRYPTION_KEYS = [OLD]
    sealed = encrypt("secret")
    settings.TOKEN_ENCRYPTION_KEYS = [NEW, OLD]
    assert decrypt(sealed) == "secret"
    again = encrypt("secret")
    settings.TOKEN_ENCRYPTION_KEYS = [NEW]
    assert decrypt(again) == "secret"
    assert decrypt(sealed) is None


@pytest.mark.parametrize("sealed", ["rubbish", "gAAAAA", "中文", "\x00", "a" * 100, " "])
def test_what_was_never_sealed_is_a_miss(sealed):
    assert decrypt(sealed) is None


def raw(app: CozeApp) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key FROM catalog_cozeapp WHERE id = %s", [app.pk])
        return cursor.fetchone()[0]


def test_the_column_never_holds_the_text(db):
    app = CozeApp.objects.create(name="x", private_key="canary-in-plain-text")
    assert "canary" not in raw(app)
    assert CozeApp.objects.get().private_key == "canary-in-plain-text"
    CozeApp.objects.update(private_key="second-canary")
    assert "canary" not in raw(app)
    CozeApp.objects.bulk_update([CozeApp(pk=app.pk, private_key="third-canary")], ["private_key"])
    assert "canary" not in raw(app)
    assert CozeApp.objects.get().private_key == "third-canary"


def test_a_row_that_no_key_opens_can_still_be_read(db, settings):
    app = CozeApp.objects.create(name="x", private_key="secret")
    settings.TOKEN_ENCRYPTION_KEYS = [NEW]
    assert CozeApp.objects.get().private_key is None
    assert CozeApp.objects.get().stored_credentials().private_key == ""
    assert raw(app)


def test_empty_stays_empty(db):
    assert raw(CozeApp.objects.create(name="x")) == ""
