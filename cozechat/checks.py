"""Checks of the configuration: what is wrong, and what to do about it."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register, run_checks
from django.core.exceptions import ImproperlyConfigured

from cozechat import env
from cozechat.coze import oauth
from cozechat.coze.errors import CozeError

TAG = "cozechat"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_KEY_SETTINGS = frozenset({"COZE_CLIENT_ID", "COZE_PUBLIC_KEY_ID", "COZE_PRIVATE_KEY"})
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_PICTURE_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,250}[A-Za-z0-9])?")
_HOSTS = "https://api.coze.cn (China) or https://api.coze.com (international)"


@register(TAG)
def check_coze_settings(**_: Any) -> list[CheckMessage]:
    """Coze's settings are all there and fit together, or none is and the emulator answers."""
    unknown: list[CheckMessage] = [_unknown(name, near) for name, near in env.unknown_coze_names().items()]
    if settings.COZE_EMULATED:
        return unknown
    return [
        *unknown, *_missing(), *_assistant_ids(), *_base_url(), *_private_keys(), *_token_life(),
        *_half_next_key(), *_personal_token(),
    ]  # fmt: skip


@register(TAG)
def check_kai_settings(**_: Any) -> list[CheckMessage]:
    """The tool server's address and key are both there, or neither is."""
    return [*_half_kai(), *_kai_url()]


def _half_kai() -> Iterator[CheckMessage]:
    if settings.KAI_API_KEY and not settings.KAI_MCP_URL:
        hint = "Set it to the address of the MCP server, or leave KAI_API_KEY out as well."
        yield Error("KAI_API_KEY is set, but KAI_MCP_URL is not.", hint=hint, id="cozechat.E040")
    elif settings.KAI_MCP_URL and not settings.KAI_API_KEY:
        hint = "Set the bearer key that the MCP server expects (KAI_API_KEY or KAI_API_KEY_FILE)."
        yield Error("KAI_MCP_URL is set, but KAI_API_KEY is not.", hint=hint, id="cozechat.E040")


def _kai_url() -> Iterator[CheckMessage]:
    url = settings.KAI_MCP_URL
    if not url:
        return
    parts = _parts(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        hint = "Set it to the MCP server's streamable HTTP endpoint: https://tools.example.com/mcp."
        yield Error("KAI_MCP_URL is no address.", hint=hint, id="cozechat.E041")
    elif parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        yield Error("KAI_MCP_URL would send the key unencrypted.", hint="Use https://.", id="cozechat.E042")


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


@register(TAG)
def check_site_settings(**_: Any) -> list[CheckMessage]:
    """The site's own keys can be used."""
    found: list[CheckMessage] = []
    for number, key in enumerate(settings.TOKEN_ENCRYPTION_KEYS, 1):
        try:
            Fernet(key)
        except ValueError:
            hint = "Make one with cryptography.fernet.Fernet.generate_key(), or leave the setting out."
            found.append(
                Error(
                    f"TOKEN_ENCRYPTION_KEYS: key {number} is not a Fernet key.", hint=hint, id="cozechat.E020"
                )
            )
    return found


@register(TAG)
def check_numbers(**_: Any) -> list[CheckMessage]:
    """Every number of the settings is one, and within its range."""
    return [_misfit(misfit) for misfit in settings.MISFIT_SETTINGS]


@register(TAG)
def check_picture_hosts(**_: Any) -> list[CheckMessage]:
    """Hosts of pictures are named by their names alone: they become part of the page's policy."""
    hint = "Name each host, with nothing before or behind it: images.example.com or *.example.com."
    return [
        Error(f"REMOTE_IMAGE_HOSTS: {host!r} is no host.", hint=hint, id="cozechat.E061")
        for host in settings.REMOTE_IMAGE_HOSTS
        if _PICTURE_HOST.fullmatch(host) is None
    ]


@register(TAG)
def check_widget(**_: Any) -> list[CheckMessage]:
    """Sites that may show the chat are named one by one, and there are visitors to show it to."""
    found: list[CheckMessage] = []
    for origin in settings.WIDGET_ORIGINS:
        if _ORIGIN.fullmatch(origin) is None:
            hint = "Name each site by scheme, host and port, with nothing behind: https://www.example.com."
            found.append(Error(f"WIDGET_ORIGINS: {origin!r} is no origin.", hint=hint, id="cozechat.E060"))
    if settings.WIDGET_ORIGINS and not settings.ALLOW_VISITORS:
        hint = "Set ALLOW_VISITORS=on: who uses the widget has no account."
        found.append(Warning("WIDGET_ORIGINS has no effect without visitors.", hint=hint, id="cozechat.W060"))
    return found


def _misfit(misfit: env.Misfit) -> CheckMessage:
    hint = f"Set a number from {misfit.least:g} to {misfit.most:g}, or leave it out for the default."
    return Error(f"{misfit.name} cannot be {misfit.given!r}.", hint=hint, id="cozechat.E050")


def refuse_broken_configuration() -> None:
    """Stop a server from starting on a configuration that cannot work.

    Raises ImproperlyConfigured with every error and its hint.
    """
    errors = [message for message in run_checks(tags=[TAG]) if message.is_serious()]
    if errors:
        raise ImproperlyConfigured("\n".join(str(message) for message in errors))


def _unknown(name: str, near: str) -> CheckMessage:
    hint = f"Did you mean {near}?" if near else "The README lists every setting."
    return Warning(f"Nothing reads the environment variable {name}.", hint=hint, id="cozechat.W001")


def _missing() -> Iterator[CheckMessage]:
    hints = {
        "COZE_API_BASE": f"Set it to {_HOSTS}.",
        "COZE_CLIENT_ID": "Coze shows it as the OAuth app's client id.",
        "COZE_PUBLIC_KEY_ID": "Coze shows it as the public key's fingerprint (kid).",
        "COZE_PRIVATE_KEY": "Paste the PEM text, or set COZE_PRIVATE_KEY_FILE to the file's path.",
        "COZE_WORKFLOW_ID": "The number in the workflow's address after workflow_id=.",
    }
    for name, hint in hints.items():
        if settings.COZE_ACCESS_TOKEN and name in _KEY_SETTINGS:
            continue
        if not getattr(settings, name):
            text = f"{name} is not set, although other Coze settings are."
            yield Error(
                text,
                hint=f"{hint} (Without any COZE_… setting the built-in emulator is used.)",
                id="cozechat.E001",
            )


def _assistant_ids() -> Iterator[CheckMessage]:
    if bool(settings.COZE_APP_ID) == bool(settings.COZE_BOT_ID):
        which = (
            "Both COZE_APP_ID and COZE_BOT_ID are"
            if settings.COZE_APP_ID
            else "Neither COZE_APP_ID nor COZE_BOT_ID is"
        )
        yield Error(
            f"{which} set; Coze takes exactly one.",
            hint="A workflow of an app needs COZE_APP_ID, one that is bound to a bot needs COZE_BOT_ID.",
            id="cozechat.E002",
        )


def _base_url() -> Iterator[CheckMessage]:
    base = settings.COZE_API_BASE
    if not base:
        return
    parts = _parts(base)
    loopback = parts.hostname in _LOOPBACK
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield Error(
            f"COZE_API_BASE is no address: {base!r}.", hint=f"Set it to {_HOSTS}.", id="cozechat.E003"
        )
    elif parts.scheme == "http" and not loopback:
        yield Error("COZE_API_BASE would send tokens unencrypted.", hint="Use https://.", id="cozechat.E004")


def _private_keys() -> Iterator[CheckMessage]:
    for name in ("COZE_PRIVATE_KEY", "COZE_PRIVATE_KEY_NEXT"):
        if not getattr(settings, name):
            continue
        try:
            oauth.parse_private_key(getattr(settings, name))
        except (CozeError, ValueError) as error:
            hint = "It must be the whole PEM, BEGIN and END lines included; newlines may be written as \\n."
            yield Error(f"{name} cannot be read: {error}", hint=hint, id="cozechat.E005")


def _half_next_key() -> Iterator[CheckMessage]:
    pair = ("COZE_PUBLIC_KEY_ID_NEXT", "COZE_PRIVATE_KEY_NEXT")
    missing = [name for name in pair if not getattr(settings, name)]
    if len(missing) == 1:
        hint = "Set both while the key is being changed, and neither otherwise."
        yield Error(f"{missing[0]} is not set, although its pair is.", hint=hint, id="cozechat.E007")


def _personal_token() -> Iterator[CheckMessage]:
    """A token that cannot tell people apart stands alone, looks like one, and is for a site without strangers."""
    token = settings.COZE_ACCESS_TOKEN
    if not token:
        return
    beside = sorted(name for name in _KEY_SETTINGS if getattr(settings, name))
    if beside:
        text = f"COZE_ACCESS_TOKEN and {', '.join(beside)} are two ways to sign in."
        hint = "Keep the OAuth app's settings for a site with users, or the token to try things out alone."
        yield Error(text, hint=hint, id="cozechat.E008")
    if not token.startswith(("pat_", "sat_")) or len(token) < 16:
        hint = "Coze shows it once, when it is made: pat_… (personal) or sat_… (service)."
        yield Error("COZE_ACCESS_TOKEN is no personal access token.", hint=hint, id="cozechat.E009")
    if settings.ALLOW_SIGNUP or getattr(settings, "ALLOW_VISITORS", False):
        text = "COZE_ACCESS_TOKEN serves one person, but others may come by themselves."
        hint = "Set ALLOW_SIGNUP=off and ALLOW_VISITORS=off, or use an OAuth app (COZE_CLIENT_ID …)."
        yield Error(text, hint=hint, id="cozechat.E010")


def _token_life() -> Iterator[CheckMessage]:
    if not 60 <= settings.COZE_TOKEN_TTL <= 86_399:
        yield Error(
            f"COZE_TOKEN_TTL is {settings.COZE_TOKEN_TTL}; Coze takes at most 86399 seconds.",
            hint="Leave it out for an hour.",
            id="cozechat.E006",
        )
