"""Checks of the tokens that events are received with."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, register

from cozechat.checks import TAG

# What a program draws at random is longer; what a person makes up can be guessed.
_SHORTEST = 16


@register(TAG)
def check_webhook_tokens(**_: Any) -> list[CheckMessage]:
    """A token that opens the receiver cannot be guessed."""
    if all(len(token) >= _SHORTEST for token in settings.COZE_WEBHOOK_TOKENS):
        return []
    hint = 'Draw one: python -c "import secrets; print(secrets.token_urlsafe(32))"'
    text = f"COZE_WEBHOOK_TOKEN has a token of less than {_SHORTEST} characters."
    return [Error(text, hint=hint, id="cozechat.E030")]


@register(TAG, deploy=True)
def check_closed_doors(**_: Any) -> list[CheckMessage]:
    """Say which receivers are switched off (`manage.py check --deploy`)."""
    return list(_closed_doors())


def _closed_doors() -> Iterator[CheckMessage]:
    doors = (
        ("COZE_WEBHOOK_TOKEN", settings.COZE_WEBHOOK_TOKENS, "/webhook/coze", "cozechat.I030"),
        (
            "COZE_CALLBACK_VERIFY_TOKEN",
            settings.COZE_CALLBACK_VERIFY_TOKENS,
            "/callbacks/coze",
            "cozechat.I031",
        ),
    )
    for name, tokens, path, code in doors:
        if not tokens:
            hint = "Leave it so unless events are to be received."
            yield Info(f"{name} is not set: {path} answers 404.", hint=hint, id=code)
