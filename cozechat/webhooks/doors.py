"""The two doors: an event is checked, stored and answered, in that order and at once."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from cozechat import counters, logs
from cozechat.webhooks import envelopes, proofs
from cozechat.webhooks.courier import courier
from cozechat.webhooks.envelopes import BadBody, Envelope
from cozechat.webhooks.intake import intake
from cozechat.webhooks.models import Event
from cozechat.webhooks.proofs import Proof

BODY_LIMIT = 1024 * 1024
# Coze waits for 3 seconds, then it sends the event once more.
CALLBACK_SECONDS = 2.5
WEBHOOK_SECONDS = 20.0
_CHALLENGE_LIMIT = 300


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers

    def response(self) -> HttpResponse:
        """The error as JSON."""
        response = reply(
            self.status, {"error": {"code": self.code, "message": str(self), **logs.reference()}}
        )
        for name, value in self.headers.items():
            response.headers[name.replace("_", "-")] = value
        return response


def reply(status: int, body: dict[str, Any]) -> HttpResponse:
    """JSON that nobody keeps."""
    response = HttpResponse(json.dumps(body), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


async def webhook(request: HttpRequest) -> HttpResponse:
    """`/webhook/coze`: an event of our own automations, with a bearer token. 202 once it is in the database."""
    _check(request, tokens=settings.COZE_WEBHOOK_TOKENS)
    bearer = request.headers.get("Authorization", "")
    if not proofs.is_bearer(bearer, tokens=settings.COZE_WEBHOOK_TOKENS):
        raise Refused(401, "unauthorized", "Not authorized.", WWW_Authenticate="Bearer")
    envelope = _read(_body_of(request), envelopes.read_own)
    await _store(envelope, source=Event.Source.WEBHOOK, seconds=WEBHOOK_SECONDS)
    return reply(202, {"status": "accepted", "id": envelope.event_id})


async def callback(request: HttpRequest) -> HttpResponse:
    """`/callbacks/coze`: an event that Coze signed. 200 once it is in the database, or 503: then Coze repeats it."""
    tokens = settings.COZE_CALLBACK_VERIFY_TOKENS
    _check(request, tokens=tokens)
    body = _body_of(request)
    proof = proofs.prove(request.headers, body, tokens=tokens, now=timezone.now())
    if proof is Proof.BAD:
        raise Refused(401, "unauthorized", "Not authorized.")
    if proof is Proof.STALE:
        raise Refused(400, "stale", "This request is too old.")
    if proof is Proof.ABSENT:
        return _verify_address(body)
    envelope = _read(body, envelopes.read_coze)
    if envelope.kind == "url_verification":
        return reply(200, {"challenge": _challenge(envelope)})
    await _store(envelope, source=Event.Source.CALLBACK, seconds=CALLBACK_SECONDS)
    return reply(200, {})


def _check(request: HttpRequest, *, tokens: list[str]) -> None:
    try:
        request.get_host()
    except DisallowedHost:
        raise Refused(400, "invalid_host", "This site is not served under that name.") from None
    if not tokens:
        raise Refused(404, "not_found", "There is nothing here.")
    if request.method != "POST":
        raise Refused(405, "method_not_allowed", "Only POST is possible here.", Allow="POST")
    if settings.HTTPS and not request.is_secure():
        raise Refused(403, "https_required", "Use https://.")


def _body_of(request: HttpRequest) -> bytes:
    body = request.read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise Refused(413, "too_large", f"At most {BODY_LIMIT} bytes are taken.")
    return body


def _read(body: bytes, read: Callable[[bytes], Envelope]) -> Envelope:
    try:
        return read(body)
    except BadBody as why:
        raise Refused(400, "bad_request", str(why)) from None


def _verify_address(body: bytes) -> HttpResponse:
    """Whether Coze signs its first question is not documented; unsigned, it is the only thing that is answered."""
    try:
        envelope = envelopes.read_coze(body)
    except BadBody:
        envelope = None
    if envelope is None or envelope.kind != "url_verification":
        raise Refused(401, "unauthorized", "Not authorized.")
    return reply(200, {"challenge": _challenge(envelope)})


def _challenge(envelope: Envelope) -> str:
    challenge = envelope.data.get("challenge")
    if not isinstance(challenge, str) or len(challenge) > _CHALLENGE_LIMIT:
        raise Refused(400, "bad_request", "'challenge' is missing or wrong.")
    return challenge


async def _store(envelope: Envelope, *, source: Event.Source, seconds: float) -> None:
    """Commit the event, once; whoever sends it again is told the same."""
    try:
        async with asyncio.timeout(seconds):
            await intake().store(envelope, source=source)
        counters.add("webhooks_accepted")
    except TimeoutError:
        raise Refused(503, "busy", "Try again.", Retry_After="5") from None
    courier().wake()
