"""The isolation check tries the gateway, and notices when it leaks."""

from accounts import probes
from accounts.models import User
from cozechat.catalog.models import CozeApp
from cozechat.gateway.models import ApiKey, StickyConversation


def app():
    return CozeApp.objects.create(name="app", base_url="https://api.coze.cn")


async def tried(made):
    return {
        name: await attempt(made)
        for name, attempt in probes.registered().items()
        if name.startswith("gateway: ")
    }


def test_two_attempts_are_registered():
    assert len([name for name in probes.registered() if name.startswith("gateway: ")]) == 2


async def test_nothing_leaks_and_nothing_is_left_behind(transactional_db):
    from cozechat import database

    found = await tried(await database.run(app))
    assert set(found.values()) == {""}
    left = [await database.run(model.objects.count) for model in (User, ApiKey, StickyConversation)]
    assert left == [0, 0, 0]


async def test_a_leak_is_noticed(transactional_db, monkeypatch):
    """Planted: conversations are found by their id alone, and everybody has one name."""
    from cozechat import database
    from cozechat.gateway import sessions
    from cozechat.gateway.models.conversations import StickyConversationQuerySet

    made = await database.run(app)
    monkeypatch.setattr(StickyConversationQuerySet, "owned_by", lambda rows, _user: rows)
    monkeypatch.setattr(sessions, "session_names", lambda key, end_user: [f"gw-{key.owner_id}"])
    assert all((await tried(made)).values())
