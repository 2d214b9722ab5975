"""Deserted calls of which some can never be asked for: they stand in nobody's way."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import CozeApp
from cozechat.coze.types import Caller
from cozechat.gateway import keys, late, sessions
from cozechat.usage import crediting, reserving
from cozechat.usage.models import Hold, Price, UsageRecord
from cozechat.usage.reconciling import audit

LONG_AGO = timezone.now() - timedelta(hours=1)


def furnish(owner):
    app = default_assistant().app
    Price.objects.create(scope="app", app=app, valid_from=LONG_AGO, input_price=1000, completion_ratio=1)
    crediting.top_up(owner.pk, amount=10**9, ref="first", now=LONG_AGO)
    key, _secret = keys.create(owner, name="a")
    return app, key, sessions.end_user_of(key, end_user="1")


def desert(app, key, end_user, *, number, ids, at):
    """A call that Coze has taken and whose process has died; `at` says which one died first."""
    call = reserving.Call(
        request_id=f"req_{number}",
        owner_id=key.owner_id,
        model="flow",
        app_id=app.pk,
        api_key_id=key.pk,
        end_user=end_user,
        input_estimate=5,
        output_estimate=5,
    )
    reserving.reserve(call, now=LONG_AGO + at)
    reserving.accepted(call.request_id, ids=ids)
    return call.request_id


async def chat_at_coze(app, user):
    """A chat that has ended there, and that nobody here has heard of."""
    from accounts import tokens
    from cozechat.catalog.clients import coze_client
    from cozechat.coze.chat_records import BotChat
    from cozechat.emulator import seed

    client = coze_client(app)
    token = await tokens.access_token(user, app=app)
    caller = Caller(token=token, session_name=user.session_name)
    conversation = await client.conversations.create(caller)
    chat = await client.chats.create(
        caller, BotChat(bot_id=seed.BOT_ID, question="count to 3", conversation_id=conversation.id)
    )
    await client.chats.until_ended(caller, conversation.id, chat.id).last()
    return reserving.CozeIds(coze_chat_id=chat.id, coze_conversation_id=conversation.id)


@pytest.mark.parametrize("why", ["user", "app"])
async def test_calls_that_nobody_can_ask_for_keep_no_other_waiting(why, alice, coze, settings):
    settings.COZE_EMULATED = True
    app, key, user = await sync_to_async(furnish)(alice)
    ids = await chat_at_coze(app, user)

    def leave_behind():
        gone = CozeApp.objects.create(name="gone")
        Price.objects.create(scope="app", app=gone, valid_from=LONG_AGO, input_price=1000, completion_ratio=1)
        for number in range(25):
            nobody = "gw-nobody" if why == "user" else user.session_name
            hopeless = desert(
                gone if why == "app" else app,
                key,
                nobody,
                number=number,
                ids=ids,
                at=timedelta(seconds=number),
            )
        Hold.objects.filter(app=gone).update(app=None)
        return hopeless, desert(app, key, user.session_name, number="good", ids=ids, at=timedelta(minutes=5))

    hopeless, good = await sync_to_async(leave_behind)()
    for _ in range(3):
        await late.settle_deserted()
    records = {row.request_id: row async for row in UsageRecord.objects.all()}
    assert (records[good].status, records[good].usage_source) == ("completed", "upstream")
    assert (records[hopeless].status, records[hopeless].usage_source) == ("lost", "estimated")
    assert not await Hold.objects.open().aexists()
    assert await sync_to_async(audit)() == []


async def test_a_call_whose_app_is_out_of_order_keeps_no_other_waiting(alice, coze, settings):
    settings.COZE_EMULATED = True
    app, key, user = await sync_to_async(furnish)(alice)
    ids = await chat_at_coze(app, user)

    def leave_behind():
        broken = CozeApp.objects.create(name="broken", base_url="nowhere:://", private_key="rubbish")
        Price.objects.create(scope="app", app=broken, valid_from=LONG_AGO, input_price=1, completion_ratio=1)
        desert(broken, key, user.session_name, number="broken", ids=ids, at=timedelta(0))
        return desert(app, key, user.session_name, number="good", ids=ids, at=timedelta(minutes=5))

    good = await sync_to_async(leave_behind)()
    await late.settle_deserted()
    assert (await UsageRecord.objects.aget(request_id=good)).status == "completed"
    # Somebody may mend the app within the day.
    assert await Hold.objects.open().filter(request_id="req_broken").aexists()
