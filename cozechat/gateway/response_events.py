"""The grammar of responses: one object, or numbered events of one; pure.

Both official clients build the response up from these events and throw where one is missing, so none is left out.
"""

from collections.abc import Mapping
from typing import Any

from cozechat.gateway.answers import Answer
from cozechat.gateway.chunks import event
from cozechat.gateway.errors import Refusal


def response_id(request_id: str) -> str:
    """The same wherever the call is told."""
    return f"resp_{request_id.removeprefix('req_')}"


def request_id_of(response: str) -> str:
    """Which call a response is of."""
    return f"req_{response.removeprefix('resp_')}"


class Response:
    """One response as it becomes more."""

    def __init__(
        self,
        *,
        request_id: str,
        model: str,
        created: int,
        background: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self._item_id = f"msg_{request_id.removeprefix('req_')}"
        self._base: dict[str, Any] = {
            "id": response_id(request_id),
            "object": "response",
            "created_at": created,
            "model": model,
            "background": background,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": dict(metadata or {}),
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "temperature": None,
            "top_p": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
        }

    def running(self, status: str) -> dict[str, Any]:
        """Before there is anything to show."""
        return self._base | {"status": status, "output": [], "usage": None}

    def completed(self, answer: Answer) -> dict[str, Any]:
        """All of it."""
        counts, own = answer.counts, answer.coze()
        usage = {
            "input_tokens": counts.input,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": counts.output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": counts.input + counts.output,
        }
        output = [self.item(answer.text, status="completed")]
        done = {"status": "completed", "output": output, "usage": usage}
        return self._base | done | ({"coze": own} if own else {})

    def failed(self, refusal: Refusal) -> dict[str, Any]:
        """Why there is nothing."""
        # The official type knows few codes; the one of ours that fits is told, its own word stands beside it.
        error = {"code": "server_error", "message": refusal.message, "cozechat_code": refusal.code}
        return self._base | {"status": "failed", "output": [], "usage": None, "error": error}

    def told(self, outcome: Answer | Refusal) -> dict[str, Any]:
        """However it ended."""
        return self.completed(outcome) if isinstance(outcome, Answer) else self.failed(outcome)

    def item(self, text: str | None, *, status: str) -> dict[str, Any]:
        """The one message of a response."""
        content = [] if text is None else [part(text)]
        return {
            "id": self._item_id, "type": "message", "role": "assistant", "status": status, "content": content,
        }  # fmt: skip


def part(text: str) -> dict[str, Any]:
    """The one part of that message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


class Events:
    """The events of one streamed response, in their order and numbered."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._number = -1
        self._place = {"item_id": response.item(None, status="in_progress")["id"], "output_index": 0}

    def opening(self) -> bytes:
        """Everything that comes before the first word."""
        running = self._response.running("in_progress")
        item = self._response.item(None, status="in_progress")
        return b"".join(
            (
                self._event("response.created", response=running),
                self._event("response.in_progress", response=running),
                self._event("response.output_item.added", output_index=0, item=item),
                self._event("response.content_part.added", **self._place, content_index=0, part=part("")),
            )
        )

    def text(self, content: str) -> bytes:
        """A piece of the answer."""
        return self._event(
            "response.output_text.delta", **self._place, content_index=0, delta=content, logprobs=[]
        )

    def closing(self, answer: Answer) -> bytes:
        """Everything that comes after the last word."""
        text, item = answer.text, self._response.item(answer.text, status="completed")
        return b"".join(
            (
                self._event(
                    "response.output_text.done", **self._place, content_index=0, text=text, logprobs=[]
                ),
                self._event("response.content_part.done", **self._place, content_index=0, part=part(text)),
                self._event("response.output_item.done", output_index=0, item=item),
                self._event("response.completed", response=self._response.completed(answer)),
            )
        )

    def failure(self, refusal: Refusal) -> bytes:
        """The other end."""
        return self._event("response.failed", response=self._response.failed(refusal))

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        return event({"type": kind, "sequence_number": self._number, **fields}, name=kind)
