"""Key pairs, and Coze apps that sign in with them at an emulator of their own."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cozechat.emulator import process


@functools.cache
def key(number: int) -> rsa.RSAPrivateKey:
    """The same one for the same number: making one takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(number: int) -> str:
    return key(number).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(number: int) -> str:
    public = key(number).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@contextmanager
def rotating_coze(directory: Path) -> Iterator[Any]:
    """An emulator whose OAuth app has a second key, `second_kid`, which is key number 2."""
    with process.start(directory, in_memory=True, pace=400) as running:
        running.second_kid = running.upload_key(public_pem(2))  # type: ignore[attr-defined]
        yield running


def app_at(running: Any, *, name: str = "Ours", **more: Any) -> Any:
    """An app of the admin that signs in there, with an assistant."""
    from cozechat.catalog.models import Assistant, CozeApp

    own = running.credentials
    given = {
        "client_id": own.client_id, "public_key_id": own.public_key_id, "private_key": own.private_key,
    }  # fmt: skip
    app = CozeApp.objects.create(name=name, base_url=running.base_url, **given | more)
    Assistant.objects.create(app=app, name=name, workflow_id=own.workflow_id, coze_app_id=own.app_id)
    return app
