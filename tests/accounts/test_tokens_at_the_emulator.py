"""The token cache against the emulator: what it hands out, Coze takes."""

import asyncio

import pytest

from accounts import tokens
from cozechat import database
from cozechat.catalog.clients import coze_client
from cozechat.catalog.environment import default_assistant
from cozechat.coze.errors import NotFound, TokenRefused
from cozechat.coze.types import Caller

pytestmark = pytest.mark.django_db(transaction=True)


async def _caller(user, app):
    return Caller(await tokens.access_token(user, app=app), user.session_name)


async def test_twenty_turns_whose_token_was_revoked_go_on_after_one_renewal(coze, alice):
    app = (await database.run(default_assistant)).app
    client = coze_client(app)
    first = await _caller(alice, app)
    await client.create_conversation(first)
    await asyncio.to_thread(coze.revoke_tokens, session_name=alice.session_name)

    async def turn():
        with pytest.raises(TokenRefused):
            await client.create_conversation(first)
        await tokens.discard(alice, app=app, token=first.token)
        again = await _caller(alice, app)
        await client.create_conversation(again)
        return again.token

    renewed = await asyncio.gather(*(turn() for _ in range(20)))

    assert len(set(renewed)) == 1
    assert renewed[0] != first.token
    ledger = await asyncio.to_thread(coze.ledger)
    assert ledger["exchanges"] == {alice.session_name: 2}
    assert ledger["session_name_mismatches"] == []


async def test_bobs_token_does_not_open_alices_conversation(coze, alice, bob):
    app = (await database.run(default_assistant)).app
    client = coze_client(app)
    alices, bobs = await _caller(alice, app), await _caller(bob, app)
    conversation = await client.create_conversation(alices)

    assert (await client.retrieve_conversation(alices, conversation.id)).id == conversation.id
    with pytest.raises(NotFound):
        await client.retrieve_conversation(bobs, conversation.id)
