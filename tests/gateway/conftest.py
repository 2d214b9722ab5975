"""One running site for all tests of the gateway: Alice and Bob own keys, money and nothing of each other's."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from django.utils import timezone

from cozechat.emulator import process
from tests import fresh_databases
from tests.processes import own_database

from .eavesdropping import eavesdropper
from .running import Site, environment_of, manage

FURNISH = """
from datetime import timedelta
from django.utils import timezone
from accounts.models import User
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant
from cozechat.emulator import seed
from cozechat.usage import crediting
from cozechat.usage.models import Price
flow = default_assistant()
Assistant.objects.filter(pk=flow.pk).update(gateway_name="flow")
def add(name, kind, **ids):
    return Assistant.objects.create(app=flow.app, name=name, gateway_name=name, kind=kind, **ids)
add("gpt-4", "bot", bot_id=seed.BOT_ID)
add("tool-bot", "bot", bot_id=seed.TOOL_BOT_ID)
add("draft-bot", "bot", bot_id=seed.UNPUBLISHED_BOT_ID)
add("summary", "workflow_run", workflow_id=seed.RUN_WORKFLOW_ID)
add("long", "long_workflow_run", workflow_id=seed.LONG_WORKFLOW_ID)
add("question", "workflow_run", workflow_id=seed.QUESTION_WORKFLOW_ID)
Price.objects.create(scope="app", app=flow.app, valid_from=timezone.now() - timedelta(days=1),
                     input_price=1_000_000, completion_ratio="1.5")
for name in ("alice", "bob"):
    user = User.objects.create_user(name, f"{name}@example.com", f"{name}-secret-words")
    crediting.top_up(user.pk, amount=100 * 10**9, ref=f"first-{name}", now=timezone.now())
answer = {"bot": seed.BOT_ID, "run": seed.RUN_WORKFLOW_ID, "long": seed.LONG_WORKFLOW_ID,
          "question": seed.QUESTION_WORKFLOW_ID}
"""


def furnished(place: Any, **more: str) -> Iterator[Site]:
    """A site with assistants, prices, Alice and Bob, and Coze beside it."""
    emulator = process.start(place / "var" / "emulator", in_memory=True, pace=400)
    with own_database(place) as database_url, emulator as coze:
        environment = environment_of(place, database_url=database_url, **more)
        fresh_databases.lay(environment)
        manage(environment, "migrate", "--verbosity", "0")
        site = Site(environment, coze=coze, log=place / "log")
        try:
            site.ids = site.colleague.does(FURNISH)
            site.start()
            yield site
        finally:
            site.close()


@pytest.fixture(scope="session")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from furnished(tmp_path_factory.mktemp("gateway"))


@pytest.fixture
def site(running_site: Site) -> Iterator[Site]:
    """The site; after every test its books agree, and everybody's calls carried their own names."""
    running_site.coze.reset_ledger()
    yield running_site
    running_site.coze.disarm()
    ledger = running_site.coze.ledger()
    assert ledger["session_name_mismatches"] == []


@pytest.fixture
def key(site: Site) -> str:
    """A key of Alice's, without limits."""
    return site.key()


@pytest.fixture
def client(site: Site, key: str) -> Iterator[openai.OpenAI]:
    """The official client, unchanged, with Alice's key."""
    with client_for(site, key) as found:
        yield found


def client_for(site: Site, key: str, **more: Any) -> openai.OpenAI:
    wanted = {"max_retries": 0, "timeout": 60} | more
    return openai.OpenAI(base_url=site.base_url, api_key=key, **wanted)


@pytest.fixture
def overheard(coze, settings, alice):
    """Alice has a key and money, and somebody listens."""
    from cozechat.catalog.environment import default_assistant
    from cozechat.catalog.models import Assistant
    from cozechat.emulator import seed
    from cozechat.usage import crediting
    from cozechat.usage.models import Price

    settings.COZE_EMULATED, settings.GATEWAY_POLL_SECONDS = True, 0.05
    app = default_assistant().app

    def add(name, kind, **ids):
        return Assistant.objects.create(app=app, name=name, gateway_name=name, kind=kind, **ids)

    add("gpt-4", "bot", bot_id=seed.BOT_ID)
    add("summary", "workflow_run", workflow_id=seed.RUN_WORKFLOW_ID)
    add("long", "long_workflow_run", workflow_id=seed.LONG_WORKFLOW_ID)
    Price.objects.create(
        scope="app", app=app, valid_from=timezone.now(), input_price=1000, completion_ratio=1
    )
    crediting.top_up(alice.pk, amount=10**9, ref="first", now=timezone.now())
    with eavesdropper(coze.base_url) as found:
        settings.COZE_API_BASE, settings.COZE_JWT_AUDIENCE = found.url, "api.coze.cn"
        yield found


@pytest.fixture
def overheard_key(overheard, alice):
    from cozechat.gateway import keys

    return keys.create(alice, name="test")[1]
