"""What a visitor's tab does over HTTP: begin a visit, show its pass."""

from typing import Any

from django.test import Client

ORIGIN = "http://testserver"
JSON: dict[str, Any] = {"content_type": "application/json"}


def begin(client: Client | None = None, **fields: Any) -> dict[str, Any]:
    """A new visit, as the page's script asks for it; returns `{"pass", "user"}`."""
    response = (client or Client()).post("/api/visit", fields, headers={"origin": ORIGIN}, **JSON)
    assert response.status_code == 201, response.content
    return dict(response.json())


def showing(shown: str) -> dict[str, str]:
    return {"authorization": f"Visit {shown}"}


def strict() -> Client:
    """A browser that is checked for forged requests."""
    return Client(enforce_csrf_checks=True)
