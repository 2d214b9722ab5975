"""A key is deleted at Coze while people talk: the app's other key signs, and nobody notices but the staff."""

import asyncio
import logging

import pytest

from cozechat import database
from cozechat.catalog import keys
from cozechat.catalog.models import CozeApp
from cozechat.coze.errors import ExchangeRefused
from tests.keys import app_at, private_pem, rotating_coze


@pytest.fixture
def own_coze(tmp_path, transactional_db):
    with rotating_coze(tmp_path) as running:
        yield running


@pytest.fixture
def app(own_coze):
    return app_at(own_coze, other_public_key_id=own_coze.second_kid, other_private_key=private_pem(2))


def assistant_of(app) -> int:
    return app.assistants.get().pk


async def test_running_users_notice_nothing_of_a_key_that_is_deleted_in_the_middle(
    own_coze, app, alice, bob, tab, caplog
):
    assistant = await database.run(assistant_of, app)
    async with tab(alice) as alices, tab(alice) as again, tab(bob) as bobs:
        slow = await alices.ask("count to 100", assistant=assistant)
        await asyncio.to_thread(own_coze.delete_key, own_coze.credentials.public_key_id)
        await asyncio.to_thread(own_coze.revoke_tokens)
        others = [await page.ask("hello", assistant=assistant) for page in (again, bobs)]
        ends = [(await asked.end())["type"] for asked in (*others, slow)]
    assert ends == ["turn.completed"] * 3

    row = await CozeApp.objects.aget(pk=app.pk)
    assert "kid not been registred" in row.key_refusal
    assert row.key_refused_at
    told = [record for record in caplog.records if "key in use is refused" in record.message]
    assert len(told) == 1
    assert told[0].levelno == logging.WARNING

    # The staff make the other key the one in use: from then on nothing is refused any more.
    await database.run(keys.use_other, row, public_key_id=own_coze.second_kid)
    await asyncio.to_thread(own_coze.revoke_tokens)
    await asyncio.to_thread(own_coze.reset_ledger)
    async with tab(alice) as alices:
        assert (await (await alices.ask("hello", assistant=assistant)).end())["type"] == "turn.completed"
    assert (await asyncio.to_thread(own_coze.ledger))["exchange_refusals"] == {}
    row = await CozeApp.objects.aget(pk=app.pk)
    assert (row.public_key_id, row.other_is_former, row.key_refusal) == (own_coze.second_kid, True, "")


async def test_the_refused_key_is_not_asked_for_with_every_user(own_coze, app, alice, bob, tab):
    assistant = await database.run(assistant_of, app)
    await asyncio.to_thread(own_coze.delete_key, own_coze.credentials.public_key_id)
    async with tab(alice) as alices, tab(bob) as bobs:
        for page in (alices, bobs):
            assert (await (await page.ask("hello", assistant=assistant)).end())["type"] == "turn.completed"
    ledger = await asyncio.to_thread(own_coze.ledger)
    assert ledger["exchange_refusals"] == {"invalid_client": 1}
    assert sum(ledger["exchanges"].values()) == 2


async def test_when_both_keys_are_refused_the_turn_fails_with_the_reason_of_the_one_in_use(
    own_coze, app, alice, tab
):
    from tests.faults.steps import turn_row

    for kid in await asyncio.to_thread(own_coze.public_key_ids):
        await asyncio.to_thread(own_coze.delete_key, kid)
    async with tab(alice) as page:
        asked = await page.ask("hello", assistant=await database.run(assistant_of, app))
        assert (await asked.end())["error"]["code"] == "auth"
    assert "kid not been registred" in (await database.run(turn_row, asked.turn)).coze_error


async def test_a_key_that_is_taken_again_is_no_longer_complained_about(own_coze, app, alice, tab):
    await CozeApp.objects.filter(pk=app.pk).aupdate(
        key_refusal="was refused", key_refused_at="2026-01-01T00:00Z"
    )
    async with tab(alice) as page:
        asked = await page.ask("hello", assistant=await database.run(assistant_of, app))
        assert (await asked.end())["type"] == "turn.completed"
    row = await CozeApp.objects.aget(pk=app.pk)
    assert (row.key_refusal, row.key_refused_at) == ("", None)


async def test_one_key_alone_is_tried_and_the_other_does_not_help_it(own_coze, app):
    from cozechat.catalog.environment import credentials_of

    credentials = await database.run(credentials_of, app)
    await keys.try_key(credentials, credentials.other_key)
    await asyncio.to_thread(own_coze.delete_key, own_coze.credentials.public_key_id)
    with pytest.raises(ExchangeRefused):
        await keys.try_key(credentials, credentials.key)
    await keys.try_key(credentials, credentials.other_key)


async def test_the_environments_next_key_takes_over_as_well(own_coze, alice, tab, settings):
    from tests.operators import configure

    configure(settings, own_coze)
    settings.COZE_PUBLIC_KEY_ID_NEXT, settings.COZE_PRIVATE_KEY_NEXT = own_coze.second_kid, private_pem(2)
    await asyncio.to_thread(own_coze.delete_key, own_coze.credentials.public_key_id)
    async with tab(alice) as page:
        assert (await page.say("hello")).last["type"] == "turn.completed"
    row = await CozeApp.objects.aget(source="environment")
    assert "kid not been registred" in row.key_refusal
