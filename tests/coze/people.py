"""Alice and Bob at a Coze emulator: one client, two callers."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cozechat.coze.client import CozeClient
from cozechat.coze.credentials import Credentials
from cozechat.coze.polling import Pace
from cozechat.coze.types import Caller
from cozechat.emulator.process import RunningEmulator

# The emulator is quick; so is who waits for it.
BRISK = Pace(interval=0.02, attempts=500)


@asynccontextmanager
async def people(emulator: RunningEmulator) -> AsyncIterator[tuple[CozeClient, Caller, Caller]]:
    """A client, Alice and Bob; both are new to the emulator."""
    known = emulator.credentials
    client = CozeClient(
        Credentials(emulator.base_url, known.client_id, known.public_key_id, known.private_key)
    )
    try:
        yield client, await _caller(client), await _caller(client)
    finally:
        await client.aclose()


async def _caller(client: CozeClient) -> Caller:
    name = f"u_{secrets.token_hex(8)}"
    issued = await client.exchange(session_name=name, ttl=900)
    return Caller(issued.token, name)
