"""What is changed about a Coze app in the admin counts in every process, without a restart."""

import asyncio
import json
import time
import uuid

import pytest

from cozechat.emulator import process as emulator
from tests.keys import private_pem, public_pem
from tests.processes import site, tab_at

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

# As a process of the admin: rows are all that the others see of it.
_ADMIN = """
import json, sys, django
django.setup()
from cozechat.catalog.models import Assistant, CozeApp
given = json.loads(sys.argv[1])
app, made = CozeApp.objects.update_or_create(name="Ours", defaults=given)
ids = {"workflow_id": "7480012345678902001", "coze_app_id": "7480012345678903001"}
assistant, made = Assistant.objects.get_or_create(app=app, name="Ours", defaults=ids)
print(assistant.pk)
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    with site(tmp_path_factory.mktemp("apps")) as made:
        made.start()
        made.start()
        yield made


@pytest.fixture
def elsewhere(tmp_path):
    with emulator.start(tmp_path, in_memory=True, pace=400) as running:
        yield running


def credentials(running) -> dict[str, str]:
    own = running.credentials
    return {
        "base_url": running.base_url, "client_id": own.client_id, "public_key_id": own.public_key_id,
        "private_key": own.private_key,
    }  # fmt: skip


def changed(two, **fields) -> int:
    return int(two.run("-c", _ADMIN, json.dumps(fields)))


def chats(running) -> int:
    return sum(running.ledger()["chats"].values())


async def ends(two, members, assistant: int) -> list[str]:
    """How a question to the assistant ends in each of the processes."""
    found = []
    for process, member in zip(two.processes, members, strict=True):
        async with tab_at(process, member) as tab:
            question = {"conversation": None, "content": "hello", "assistant": assistant}
            await tab.send("turn.start", client_id=str(uuid.uuid4()), **question)
            first = await tab.until("turn.accepted", "error")
            if first["type"] == "error":
                found.append(first["code"])
            else:
                found.append((await tab.until("turn.completed", "turn.failed", turn=first["turn"]))["type"])
    return found


async def test_an_app_that_is_added_changed_and_switched_off_is_so_in_every_process(two, elsewhere):
    members = [two.member(), two.member()]
    done = ["turn.completed", "turn.completed"]
    assistant = await asyncio.to_thread(changed, two, **credentials(elsewhere))
    assert await ends(two, members, assistant) == done
    assert await asyncio.to_thread(chats, elsewhere) == 2

    # Another key of the same OAuth app, and the first one is gone at Coze.
    second = await asyncio.to_thread(elsewhere.upload_key, public_pem(2))
    await asyncio.to_thread(changed, two, public_key_id=second, private_key=private_pem(2))
    await asyncio.to_thread(elsewhere.delete_key, elsewhere.credentials.public_key_id)
    await asyncio.to_thread(elsewhere.revoke_tokens)
    assert await ends(two, members, assistant) == done
    assert (await asyncio.to_thread(elsewhere.ledger))["exchange_refusals"] == {}

    # Another host: the next question goes there, and no token of the old one with it.
    before = await asyncio.to_thread(chats, two.coze)
    await asyncio.to_thread(changed, two, **credentials(two.coze))
    began = time.monotonic()
    assert await ends(two, members, assistant) == done
    assert time.monotonic() - began < 30
    assert await asyncio.to_thread(chats, two.coze) == before + 2
    assert await asyncio.to_thread(chats, elsewhere) == 4
    assert (await asyncio.to_thread(two.coze.ledger))["refusals"] == {}

    await asyncio.to_thread(changed, two, is_active=False)
    assert await ends(two, members, assistant) == ["not_found", "not_found"]
    await asyncio.to_thread(changed, two, is_active=True)
    assert await ends(two, members, assistant) == done
