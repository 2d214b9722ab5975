"""The body of `POST /v1/responses` as a question like any other; text only, without I/O."""

from collections.abc import Mapping
from typing import Any

from cozechat.gateway.errors import bad_request, unsupported
from cozechat.gateway.json_bodies import Fields, missing
from cozechat.gateway.messages import Said, read_messages
from cozechat.gateway.requests import Asked, end_user_in, resume_in, with_question, workflow_in

_IGNORED = (
    "temperature", "top_p", "max_output_tokens", "reasoning", "truncation", "service_tier", "top_logprobs",
    "prompt_cache_key", "parallel_tool_calls", "tool_choice", "include",
)  # fmt: skip
# What would change the meaning of a request if it were ignored.
_IMPOSSIBLE = ("tools", "previous_response_id", "conversation", "prompt")


def read_response(body: Mapping[str, Any]) -> Asked:
    """What a client asks for. Raises Refusal."""
    fields = Fields(body)
    model = fields.required("model")
    background, stream = fields.flag("background"), fields.flag("stream")
    if background and stream:
        raise unsupported("A response in the background is fetched, not streamed.", param="stream")
    for name in _IMPOSSIBLE:
        if fields.given(name):
            raise unsupported(f"'{name}' cannot be passed on.", param=name)
    _refuse_formats(fields)
    return Asked(
        model=model,
        messages=with_question(_messages(fields), param="input"),
        stream=stream,
        most_output=fields.count("max_output_tokens"),
        end_user=end_user_in(fields),
        metadata=fields.metadata(),
        workflow_id=workflow_in(fields),
        parameters=fields.mapping("workflow_parameters"),
        resume=resume_in(fields),
        ignored=tuple(name for name in _IGNORED if body.get(name) not in (None, [], {})),
        background=background,
        store=background or fields.flag("store", default=True),
    )


def _refuse_formats(fields: Fields) -> None:
    wanted = Fields(fields.mapping("text")).mapping("format")
    if wanted.get("type", "text") != "text":
        raise unsupported("'text.format' can only be text.", param="text.format")


def _messages(fields: Fields) -> tuple[Said, ...]:
    """`instructions` before everything; `input` is a text or a list of messages."""
    value = fields.given("input")
    if value is None:
        raise missing("input")
    instructions = fields.text("instructions", limit=1_000_000)
    before = (Said("system", instructions),) if instructions else ()
    if isinstance(value, str):
        return (*before, Said("user", value))
    if isinstance(value, list) and any(_is_no_message(item) for item in value):
        raise bad_request("'input' can only hold messages.", param="input")
    return (*before, *read_messages(value, param="input"))


def _is_no_message(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("type") not in (None, "message")
