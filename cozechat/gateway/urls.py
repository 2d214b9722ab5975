"""The URLs of the API, each with what it does by method; `entrance` reads them."""

from typing import Any

from django.urls import URLPattern
from django.urls.resolvers import RoutePattern

from cozechat.gateway.completions import completions
from cozechat.gateway.listing import model, models
from cozechat.gateway.responses import create, retrieve


class Methods(dict[str, Any]):
    """A view for each method, in the place of one view for all."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("the entrance looks the method up")


def _at(route: str, **methods: Any) -> URLPattern:
    return URLPattern(RoutePattern(route, is_endpoint=True), Methods(methods))


urlpatterns = [
    _at("v1/chat/completions", POST=completions),
    _at("v1/models", GET=models),
    _at("v1/models/<path:name>", GET=model),
    _at("v1/responses", POST=create),
    _at("v1/responses/<str:response_id>", GET=retrieve),
]
