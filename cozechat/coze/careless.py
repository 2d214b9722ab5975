"""What a careless integration does: no `session_name`, no conversation id.

For the isolation check's control only: all that keeps users apart is left out here on purpose, so that the
check can show what then happens.
`CozeClient` cannot be talked into it: it refuses a chat without a conversation and a token without a session.
"""

import json
import secrets
import time

import jwt

from cozechat.coze import oauth
from cozechat.coze.calls import DEFAULT_LIMITS, Request
from cozechat.coze.credentials import Credentials
from cozechat.coze.errors import BadResponse
from cozechat.coze.sse import EventParser
from cozechat.coze.transport import Transport
from cozechat.coze.types import JsonObject, as_text, parse_object

_TTL = 900
_CREATED = "conversation.chat.created"


async def careless_chat(credentials: Credentials, *, workflow_id: str, app_id: str, question: str) -> str:
    """The id of the conversation in which Coze answers somebody who did not say who they are."""
    transport = Transport(credentials.base_url, limits=DEFAULT_LIMITS, clock=time.time)
    try:
        now = time.time()
        issued = oauth.read_token(await transport.call(_exchange(credentials, now=now)), ttl=_TTL, now=now)
        message = {"role": "user", "type": "question", "content": question, "content_type": "text"}
        chat = {"workflow_id": workflow_id, "app_id": app_id, "additional_messages": [message]}
        incoming = await transport.stream(_post("/v1/workflows/chat", bearer=issued.token, payload=chat))
        try:
            reply = await incoming.read_all(limit=DEFAULT_LIMITS.max_json_body)
        finally:
            await incoming.aclose()
    finally:
        await transport.aclose()
    return _conversation_id(reply.body)


def _exchange(credentials: Credentials, *, now: float) -> Request:
    claims = {
        "iss": credentials.client_id,
        "aud": credentials.jwt_audience,
        "iat": int(now) - oauth.CLOCK_SKEW,
        "exp": int(now) + oauth.ASSERTION_SECONDS,
        "jti": secrets.token_hex(32),
    }
    key = oauth.parse_private_key(credentials.private_key)
    assertion = jwt.encode(claims, key, algorithm="RS256", headers={"kid": credentials.public_key_id})
    payload = {"grant_type": oauth.GRANT_TYPE, "duration_seconds": _TTL}
    return _post(oauth.TOKEN_PATH, bearer=assertion, payload=payload)


def _post(path: str, *, bearer: str, payload: JsonObject) -> Request:
    return Request(method="POST", path=path, bearer=bearer, params={}, body=json.dumps(payload).encode())


def _conversation_id(stream: bytes) -> str:
    parser = EventParser(max_line=DEFAULT_LIMITS.max_line, max_event=DEFAULT_LIMITS.max_event)
    for name, data in parser.feed(stream):
        if name == _CREATED:
            return as_text(parse_object(data).get("conversation_id"))
    raise BadResponse(
        f"a chat without a conversation was not answered: {stream[:200].decode(errors='replace')}"
    )
