"""The OAuth app that an emulator's clients sign in with, made once and kept in its state directory."""

import json
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cozechat.emulator import keyring, seed

KEY_FILE, FACTS_FILE = "private_key.pem", "credentials.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorCredentials:
    """All that a client needs besides the address."""

    client_id: str
    public_key_id: str
    private_key_path: Path
    private_key: str
    workflow_id: str
    app_id: str
    bot_id: str
    question_workflow_id: str = seed.QUESTION_WORKFLOW_ID
    """A chatflow whose question node asks back; run as a workflow, it interrupts."""
    reasoning_workflow_id: str = seed.REASONING_WORKFLOW_ID
    """A chatflow that thinks aloud and suggests what to ask next."""
    run_workflow_id: str = seed.RUN_WORKFLOW_ID
    long_workflow_id: str = seed.LONG_WORKFLOW_ID
    """A workflow that takes a minute, or as long as its parameter `seconds` says."""
    trip_workflow_id: str = seed.TRIP_WORKFLOW_ID
    """A workflow with a form's worth of parameters, whose nodes speak one after another."""
    order_workflow_id: str = seed.ORDER_WORKFLOW_ID
    """A workflow that offers options, then wants typed inputs."""
    tool_bot_id: str = seed.TOOL_BOT_ID
    """A bot that asks its caller to run a tool."""

    def assistants(self) -> dict[str, str]:
        """The ids of all that can be talked to or run, by their field's name."""
        names = [
            field.name for field in fields(self) if field.name.endswith(("workflow_id", "bot_id", "app_id"))
        ]
        return {name: getattr(self, name) for name in names}


def ensure(state_dir: Path) -> EmulatorCredentials:
    """Reads the credentials, making them first if there are none; any number of processes may race."""
    home = state_dir / "credentials"
    if not home.is_dir():
        state_dir.mkdir(parents=True, exist_ok=True)
        _publish(home)
    return _read(home)


def _publish(home: Path) -> None:
    """Both files appear at once: a directory is renamed into place, and only one rename can win."""
    draft = Path(tempfile.mkdtemp(prefix=".credentials-", dir=home.parent))
    try:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        facts = {
            "client_id": "1150" + "".join(secrets.choice("0123456789") for _ in range(15)),
            "public_key_id": keyring.fingerprint(key.public_key()),
            "workflow_id": seed.WORKFLOW_ID,
            "app_id": seed.APP_ID,
            "bot_id": seed.BOT_ID,
        }
        _write_private(draft / KEY_FILE, pem)
        _write_private(draft / FACTS_FILE, json.dumps(facts, indent=2).encode())
        _rename_unless_there(draft, home)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _rename_unless_there(draft: Path, home: Path) -> None:
    try:
        draft.rename(home)
    except OSError:
        if not home.is_dir():
            raise


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _read(home: Path) -> EmulatorCredentials:
    facts = json.loads((home / FACTS_FILE).read_text())
    path = home / KEY_FILE
    return EmulatorCredentials(private_key_path=path, private_key=path.read_text(), **facts)
