"""The public keys that the emulator's OAuth app may sign with: up to three, as at Coze, so that they can rotate."""

import base64
import hashlib
import json
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

MOST_KEYS = 3
KEYS_FILE = "public_keys.json"


class BadKeyError(ValueError):
    """A key that cannot be uploaded."""


class Keyring:
    """Public keys by their id. `file` keeps them beyond the end of the process; None forgets them."""

    def __init__(self, first: str, *, file: Path | None = None) -> None:
        self._file = file
        self.keys: dict[str, rsa.RSAPublicKey] = {}
        if file is not None and file.is_file():
            self.keys = {kid: _read(pem) for kid, pem in json.loads(file.read_text()).items()}
        else:
            self._put(_read(first))

    def upload(self, pem: str) -> str:
        """Adds a public key, as its owner does in Coze's console; returns its id."""
        key = _read(pem)
        kid = fingerprint(key)
        if kid not in self.keys and len(self.keys) >= MOST_KEYS:
            raise BadKeyError(f"an OAuth app has at most {MOST_KEYS} keys")
        self._put(key)
        self._save()
        return kid

    def delete(self, kid: str) -> bool:
        """Whether there was such a key."""
        known = self.keys.pop(kid, None) is not None
        self._save()
        return known

    def _put(self, key: rsa.RSAPublicKey) -> None:
        self.keys[fingerprint(key)] = key

    def _save(self) -> None:
        if self._file is None:
            return
        draft = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        draft.write_text(json.dumps({kid: _pem(key) for kid, key in self.keys.items()}))
        draft.replace(self._file)


def fingerprint(key: rsa.RSAPublicKey) -> str:
    """A key's id."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def public_half(private_pem: str) -> str:
    """The PEM text of a private key's public half."""
    key = serialization.load_pem_private_key(private_pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the emulator's key is not an RSA key")
    return _pem(key.public_key())


def _read(pem: str) -> rsa.RSAPublicKey:
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise BadKeyError("this is no public key in PEM text") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadKeyError("this is no RSA key")
    return key


def _pem(key: rsa.RSAPublicKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, form).decode()
