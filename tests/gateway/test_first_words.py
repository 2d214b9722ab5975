"""Two calls that open one conversation almost at once: both have looked before either has begun."""

import asyncio

from asgiref.sync import sync_to_async
from django.utils import timezone

from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant
from cozechat.gateway import keys, routes, sessions
from cozechat.gateway.admitted import Admitted
from cozechat.gateway.answers import Answer
from cozechat.gateway.calls import Call
from cozechat.gateway.drains import Drains
from cozechat.gateway.requests import read_chat
from cozechat.usage import crediting
from cozechat.usage.models import Price


def furnish(owner):
    flow = default_assistant()
    Assistant.objects.filter(pk=flow.pk).update(gateway_name="flow")
    Price.objects.create(
        scope="app", app=flow.app, valid_from=timezone.now(), input_price=1, completion_ratio=1
    )
    crediting.top_up(owner.pk, amount=10**9, ref="first", now=timezone.now())
    key, _secret = keys.create(owner, name="a")
    return key, sessions.end_user_of(key, end_user="1")


def admitted(key, user, *, number, words):
    """As `admission` leaves it: the conversation's row is read, and nothing has been claimed."""
    route = routes.find("flow", key=key)
    conversation = sessions.sticky_conversation(user, wanted="", external_id="chat-1", app_id=route.app.pk)
    asked = read_chat(
        {"model": "flow", "messages": [{"role": role, "content": text} for role, text in words]}
    )
    return Admitted(
        request_id=f"req_{number}", key=key, user=user, route=route, asked=asked, conversation=conversation
    )


async def test_who_comes_second_goes_on_where_the_first_has_begun(alice, coze, settings):
    settings.COZE_EMULATED = True
    key, user = await sync_to_async(furnish)(alice)
    told = [("user", "My name is Zoe.")]
    # Its own history says otherwise: what Coze remembers is not told to it a second time.
    asked = [("user", "My name is Max."), ("assistant", "ok"), ("user", "what is my name?")]
    calls = [
        Call(
            await sync_to_async(admitted)(key, user, number=number, words=words),
            spawn=asyncio.ensure_future,
            drains=Drains(),
        )
        for number, words in enumerate((told, asked))
    ]
    for call in calls:
        await call.run()
    outcomes = [await call.outlet.finished() for call in calls]
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    assert "Zoe" in outcomes[1].text
    assert coze.ledger()["requests"]["POST /v1/conversation/create"] == 1
