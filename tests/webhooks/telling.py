"""Events as senders write them, with their proofs."""

import hashlib
import json
import time
import uuid
from typing import Any

TOKEN, OLD_TOKEN = "token-of-the-automation-1", "token-of-the-automation-0"
VERIFY_TOKEN = "verify-token"


def message_event(conversation_id: str, content: str = "News from outside", **more: Any) -> dict[str, Any]:
    """`conversation.message` as an automation sends it."""
    message = {"id": more.pop("message_id", uuid.uuid4().hex), "role": "assistant", "content": content}
    data = {"conversation_id": conversation_id, "message": message | more.pop("message", {})}
    return {"id": more.pop("id", uuid.uuid4().hex), "type": "conversation.message", "data": data | more}


def coze_event(kind: str, event: dict[str, Any], *, event_id: str | None = None) -> dict[str, Any]:
    """An event in Coze's own form."""
    header = {"event_type": kind, "event_id": event_id or uuid.uuid4().hex, "created_at": 1749116452112}
    return {"header": header, "event": event}


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def signed(
    body: bytes, *, token: str = VERIFY_TOKEN, timestamp: str | None = None, nonce: str = "n-1"
) -> dict[str, str]:
    """Coze's headers, computed from its documentation and not with our own function."""
    timestamp = timestamp or str(int(time.time() * 1000))
    signature = hashlib.sha1(timestamp.encode() + nonce.encode() + token.encode() + body).hexdigest()
    return {"X-Coze-Timestamp": timestamp, "X-Coze-Nonce": nonce, "X-Coze-Signature": signature}


def encoded(event: Any) -> bytes:
    return event if isinstance(event, bytes) else json.dumps(event).encode()


def usage_event(root: str, *, charge: str, tokens: tuple[int, int]) -> dict[str, Any]:
    """One entry of Coze's bill."""
    return {
        "id": charge,
        "record_root_id": root,
        "consume_time": int(time.time()),
        "change_balance": "-1.25",
        "resource_type": 1,
        "model_id": "m-1",
        "model_input_token": tokens[0],
        "model_output_token": str(tokens[1]),
    }
