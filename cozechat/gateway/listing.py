"""`GET /v1/models` and `GET /v1/models/ID`: what a key may call."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from cozechat import database
from cozechat.gateway import routes
from cozechat.gateway.admission import Told, key_of
from cozechat.gateway.chunks import encode
from cozechat.gateway.errors import Refusal, model_not_found
from cozechat.gateway.models import ApiKey
from cozechat.gateway.routes import NAMED_WORKFLOW

_OWNER = "coze"
# A model has a birthday in this API and none at Coze.
_CREATED = 1_700_000_000


async def models(request: HttpRequest, *, request_id: str) -> HttpResponse:
    """All of them."""
    key = await key_of(Told.by(request, request_id=request_id))
    names = await database.run(routes.names_for, key)
    return _json({"object": "list", "data": [_model(name) for name in names]})


async def model(request: HttpRequest, *, request_id: str, name: str) -> HttpResponse:
    """One of them."""
    key = await key_of(Told.by(request, request_id=request_id))
    await database.run(_check, key, name=name)
    return _json(_model(name))


def _check(key: ApiKey, *, name: str) -> None:
    if name in NAMED_WORKFLOW:
        if name not in routes.names_for(key):
            raise model_not_found(name)
        return
    try:
        routes.find(name, key=key)
    except Refusal:
        raise model_not_found(name) from None


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": _OWNER}


def _json(value: Any) -> HttpResponse:
    return HttpResponse(encode(value), content_type="application/json")
