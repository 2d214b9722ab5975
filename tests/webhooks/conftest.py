"""The doors as an HTTP client finds them, and what stands behind them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Q
from django.test import AsyncClient
from django.utils import timezone

from cozechat.webhooks.courier import courier
from cozechat.webhooks.models import Event
from tests.webhooks.telling import OLD_TOKEN, TOKEN, VERIFY_TOKEN, bearer, encoded, signed


@pytest.fixture(autouse=True)
def open_doors(settings: Any) -> None:
    settings.COZE_WEBHOOK_TOKENS = [TOKEN, OLD_TOKEN]
    settings.COZE_CALLBACK_VERIFY_TOKENS = [VERIFY_TOKEN, "the-one-before"]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


async def post(path: str, event: Any, headers: dict[str, str], **more: Any) -> Any:
    return await AsyncClient().post(
        path, encoded(event), content_type="application/json", headers=headers, **more
    )


@pytest.fixture
def tell(transactional_db: None) -> Callable[..., Any]:
    """An automation tells us an event."""

    async def send(event: Any, **headers: str) -> Any:
        return await post("/webhook/coze", event, bearer() | headers)

    return send


@pytest.fixture
def call_back(transactional_db: None) -> Callable[..., Any]:
    """Coze tells us an event, signed."""

    async def send(event: Any, **proof: str) -> Any:
        return await post("/callbacks/coze", event, signed(encoded(event), **proof))

    return send


@pytest.fixture
def handled() -> Callable[[], Any]:
    """Have all that is due handled now, by this or by the courier that the doors have woken."""

    async def work() -> None:
        async with asyncio.timeout(30):
            while await courier().round() or await _in_hand().aexists():  # noqa: ASYNC110 - it is in the rows
                await asyncio.sleep(0.01)

    return work


def _in_hand() -> Any:
    waiting = Event.objects.filter(state="waiting")
    return waiting.filter(Q(due_at__lte=timezone.now()) | ~Q(claim=None))
