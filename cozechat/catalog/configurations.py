"""The JSON file that Coze hands out for a service app, in the spellings that are about; pure."""

import json
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

LARGEST = 64 * 1024
_SPELLINGS = {
    "client_id": ("client_id", "app_id"),
    "public_key_id": ("public_key_id", "key_id"),
    "private_key": ("private_key",),
}
_BASES = ("coze_api_base", "base_url", "api_base")
_AUDIENCES = ("aud", "audience")


def read_configuration(text: str) -> dict[str, str]:
    """What it says about an app, by the names of its fields. Raises ValidationError, which repeats nothing secret."""
    body = _read_object(text)
    kind = body.get("client_type", "jwt")
    if kind != "jwt":
        raise ValidationError(_("This app is of another type. One that signs in with a JWT is needed."))
    found = {field: _text(body, spellings) for field, spellings in _SPELLINGS.items()}
    missing = [" / ".join(_SPELLINGS[field]) for field, value in found.items() if not value]
    if missing:
        raise ValidationError(_("The configuration lacks: %(names)s") % {"names": ", ".join(missing)})
    base, audience = _text(body, _BASES).rstrip("/"), _text(body, _AUDIENCES)
    if not base and audience:
        base = f"https://{audience}"
    if base:
        found["base_url"] = base
    if audience and audience != _host(base):
        found["audience"] = audience
    return found


def read_key(text: str, *, client_id: str) -> tuple[str, str]:
    """The key's id and the private key in a new file of the app `client_id`. Raises ValidationError."""
    found = read_configuration(text)
    if client_id and found["client_id"] != client_id:
        raise ValidationError(
            _("This file belongs to another OAuth app (%(id)s).") % {"id": found["client_id"]}
        )
    return found["public_key_id"], found["private_key"]


def _read_object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text.lstrip("\ufeff"))
    except json.JSONDecodeError as error:
        place = {"reason": error.msg, "line": error.lineno, "column": error.colno}
        raise ValidationError(
            _("This is no JSON: %(reason)s, line %(line)d, column %(column)d.") % place
        ) from None
    except RecursionError:
        body = None
    if not isinstance(body, dict):
        raise ValidationError(_("The configuration must be a JSON object."))
    return body


def _text(body: dict[str, Any], spellings: tuple[str, ...]) -> str:
    """The first that is there; ids may have come as numbers."""
    value = next((body[name] for name in spellings if body.get(name) not in (None, "")), "")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValidationError(_("'%(name)s' must be a text.") % {"name": spellings[0]})
    return value.strip()


def _host(base: str) -> str:
    try:
        return urlsplit(base).netloc
    except ValueError:
        return ""
