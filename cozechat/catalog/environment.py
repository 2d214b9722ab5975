"""The first Coze app and assistant: those that the environment defines, or the emulator's."""

import atexit
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import transaction

from cozechat.catalog import demo
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.coze.credentials import Credentials, KeyPair
from cozechat.emulator import credentials as emulator_credentials
from cozechat.emulator import process, seed
from cozechat.env import short_digest

_starting = threading.Lock()
_own: list[process.RunningEmulator] = []
_NAME = {True: "Emulator", False: "Coze"}


def emulator_base_url() -> str:
    """Where the emulator listens now.

    `emulator()` has told this process, or another process of the site runs one. A server that was started plainly
    (`daphne cozechat.asgi:application`) starts its own with the first question; it ends with this process.
    """
    if settings.COZE_API_BASE:
        return str(settings.COZE_API_BASE)
    with _starting:
        if _own and _own[-1].is_running:
            return _own[-1].base_url
        found = process.locate(settings.COZE_EMULATOR_DIR)
        if found:
            return found
        _own.append(process.start(settings.COZE_EMULATOR_DIR, port=_emulator_port()))
        atexit.register(_own[-1].stop)
        return _own[-1].base_url


@contextmanager
def emulator() -> Iterator[str]:
    """Coze is reachable inside this block: an emulator is started if one is needed and none runs.

    Yields the base URL.
    """
    if not settings.COZE_EMULATED:
        yield settings.COZE_API_BASE
        return
    before = settings.COZE_API_BASE
    running = before or process.locate(settings.COZE_EMULATOR_DIR)
    started = None if running else process.start(settings.COZE_EMULATOR_DIR, port=_emulator_port())
    settings.COZE_API_BASE = running or (started.base_url if started else "")
    try:
        yield settings.COZE_API_BASE
    finally:
        settings.COZE_API_BASE = before
        if started:
            started.stop()


def _emulator_port() -> int:
    """The wished port, or 0 (any free one) when somebody else has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.COZE_EMULATOR_PORT))
        except OSError:
            return 0
    return int(settings.COZE_EMULATOR_PORT)


def credentials_of(app: CozeApp) -> Credentials:
    """The credentials to use for this app, wherever they stand."""
    if app.source != CozeApp.Source.ENVIRONMENT:
        return app.stored_credentials()
    if settings.COZE_EMULATED:
        own = emulator_credentials.ensure(settings.COZE_EMULATOR_DIR)
        return _credentials(
            emulator_base_url(),
            client_id=own.client_id,
            public_key_id=own.public_key_id,
            private_key=own.private_key,
        )
    return _credentials(
        settings.COZE_API_BASE,
        client_id=settings.COZE_CLIENT_ID,
        public_key_id=settings.COZE_PUBLIC_KEY_ID,
        private_key=settings.COZE_PRIVATE_KEY,
        other_key=_next_key(),
        personal_token=settings.COZE_ACCESS_TOKEN,
    )


def _next_key() -> KeyPair | None:
    if not settings.COZE_PUBLIC_KEY_ID_NEXT or not settings.COZE_PRIVATE_KEY_NEXT:
        return None
    return KeyPair(settings.COZE_PUBLIC_KEY_ID_NEXT, settings.COZE_PRIVATE_KEY_NEXT)


def personal_token_of(app: CozeApp) -> str:
    """The personal access token that this app signs in with, "" where it has keys."""
    if app.source == CozeApp.Source.ENVIRONMENT:
        return "" if settings.COZE_EMULATED else str(settings.COZE_ACCESS_TOKEN)
    return app.personal_token or ""


def origin_of(app: CozeApp) -> str:
    """A short name for whom this app's tokens come from: a token of another origin is of no use to it.

    Another host or OAuth app is another origin, another key of the same one is not.
    """
    if app.source == CozeApp.Source.ENVIRONMENT:
        base = "emulator" if settings.COZE_EMULATED else settings.COZE_API_BASE
        client_id = settings.COZE_CLIENT_ID
    else:
        base, client_id = app.base_url.rstrip("/"), app.client_id
    return short_digest(base, client_id, personal_token_of(app))


def known_base_urls() -> set[str]:
    """Where the APIs of all active apps are, without starting an emulator that nobody has needed yet.

    The environment's app counts even before it has a row.
    """
    apps = CozeApp.objects.values_list("source", "is_active", "base_url")
    urls = {url for source, active, url in apps if active and source != CozeApp.Source.ENVIRONMENT}
    if not any(source == CozeApp.Source.ENVIRONMENT and not active for source, active, _url in apps):
        urls.add(settings.COZE_API_BASE or process.locate(settings.COZE_EMULATOR_DIR) or "")
    return urls - {""}


def _credentials(
    base_url: str,
    *,
    client_id: str,
    public_key_id: str,
    private_key: str,
    other_key: KeyPair | None = None,
    personal_token: str = "",
) -> Credentials:
    return Credentials(
        base_url=base_url,
        client_id=client_id,
        public_key_id=public_key_id,
        private_key=private_key,
        other_key=other_key,
        personal_token=personal_token,
        audience=settings.COZE_JWT_AUDIENCE or None,
        send_session_name_in_body=settings.COZE_SEND_SESSION_NAME_IN_BODY,
        assertion_in_body=settings.COZE_SEND_ASSERTION_IN_BODY,
    )


def default_assistant(*, among: Iterable[Assistant] | None = None) -> Assistant | None:
    """What a new conversation talks to; None when nothing is configured or all is switched off.

    Whoever has read those that are offered already passes them as `among`.
    """
    if among is None:
        first = Assistant.objects.talkative().first()
    else:
        first = next((each for each in among if each.kind in Assistant.TALKATIVE), None)
    if first and first.app.source == CozeApp.Source.ENVIRONMENT and _is_in_line(first.app, [first]):
        return first
    _ensure_rows()
    return Assistant.objects.talkative().first()


def _is_in_line(app: CozeApp, assistants: Iterable[Assistant]) -> bool:
    chats = (assistant for assistant in assistants if assistant.kind == Assistant.Kind.CHAT_WORKFLOW)
    own = min(chats, key=lambda assistant: assistant.pk, default=None)
    if own is None or any(getattr(app, name) != value for name, value in _wanted_app().items()):
        return False
    return all(getattr(own, name) == value for name, value in _wanted_ids().items())


def _ensure_rows() -> None:
    """Bring the rows of the environment in line with the settings; one query when they are."""
    app = CozeApp.objects.filter(source=CozeApp.Source.ENVIRONMENT).prefetch_related("assistants").first()
    if app and _is_in_line(app, app.assistants.all()):
        return
    wanted = _wanted_app()
    with transaction.atomic():
        app, _created = CozeApp.objects.update_or_create(
            source=CozeApp.Source.ENVIRONMENT,
            defaults={**wanted, "key_refusal": "", "key_refused_at": None},
            create_defaults={**wanted, "name": _free_name()},
        )
        _update_assistant(app)


def _free_name() -> str:
    name = _NAME[settings.COZE_EMULATED]
    return f"{name} (environment)" if CozeApp.objects.filter(name=name).exists() else name


def _wanted_app() -> dict[str, Any]:
    return {
        "base_url": "" if settings.COZE_EMULATED else settings.COZE_API_BASE,
        "client_id": settings.COZE_CLIENT_ID,
        "public_key_id": settings.COZE_PUBLIC_KEY_ID,
        "audience": settings.COZE_JWT_AUDIENCE,
        "token_ttl": settings.COZE_TOKEN_TTL,
        "send_session_name_in_body": settings.COZE_SEND_SESSION_NAME_IN_BODY,
    }


def _wanted_ids() -> dict[str, str]:
    if settings.COZE_EMULATED:
        return {"workflow_id": seed.WORKFLOW_ID, "coze_app_id": seed.APP_ID, "bot_id": ""}
    return {
        "workflow_id": settings.COZE_WORKFLOW_ID,
        "coze_app_id": settings.COZE_APP_ID,
        "bot_id": settings.COZE_BOT_ID,
    }


def _update_assistant(app: CozeApp) -> None:
    ids, name = _wanted_ids(), "Demo" if settings.COZE_EMULATED else "Coze"
    first = app.assistants.filter(kind=Assistant.Kind.CHAT_WORKFLOW).order_by("pk").first()
    if first is None:
        wanted = name.lower()
        free = not Assistant.objects.filter(gateway_name=wanted).exists()
        Assistant.objects.create(app=app, name=name, gateway_name=wanted if free else "", position=0, **ids)
        if settings.COZE_EMULATED:
            demo.make(app)
            demo.take_files(app)
    else:
        # The emulator's others are not known to Coze.
        demo.of(app).update(is_active=settings.COZE_EMULATED)
        Assistant.objects.filter(pk=first.pk).update(**ids)
