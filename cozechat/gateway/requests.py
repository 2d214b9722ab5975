"""What a client asks for, whichever endpoint it came through; `/v1/chat/completions` as that, without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cozechat.gateway.errors import bad_request, unsupported
from cozechat.gateway.json_bodies import Fields, missing
from cozechat.gateway.messages import Said, read_messages

# What Coze has no dial for: taken and said to be ignored.
_IGNORED = (
    "temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty", "logit_bias",
    "max_tokens", "max_completion_tokens", "reasoning_effort", "verbosity", "prediction", "service_tier",
    "prompt_cache_key", "logprobs", "top_logprobs", "parallel_tool_calls", "tool_choice",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resume:
    """Which interruption the question answers; `kind` need not be said."""

    event_id: str
    kind: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question with its history, and how the answer is wanted."""

    model: str
    messages: tuple[Said, ...]
    stream: bool = False
    include_usage: bool = False
    most_output: int | None = None
    end_user: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    workflow_id: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    resume: Resume | None = None
    ignored: tuple[str, ...] = ()
    background: bool = False
    store: bool = False

    @property
    def question_at(self) -> int:
        """Where the last message of the user stands: it is what is asked, the rest is history."""
        return max(at for at, said in enumerate(self.messages) if said.role == "user")

    @property
    def question(self) -> Said:
        """The last message of the user."""
        return self.messages[self.question_at]

    @property
    def system(self) -> str:
        """All system messages as one text."""
        return "\n\n".join(said.text for said in self.messages if said.role == "system" and said.text)


def read_chat(body: Mapping[str, Any]) -> Asked:
    """The body of `POST /v1/chat/completions`. Raises Refusal."""
    fields = Fields(body)
    model = fields.required("model")
    messages = body.get("messages")
    if messages is None:
        raise missing("messages")
    _refuse_what_cannot_be(fields)
    options = fields.mapping("stream_options")
    return Asked(
        model=model,
        messages=with_question(read_messages(messages, param="messages"), param="messages"),
        stream=fields.flag("stream"),
        include_usage=Fields(options).flag("include_usage"),
        most_output=_least(fields.count("max_completion_tokens"), fields.count("max_tokens")),
        end_user=end_user_in(fields),
        metadata=fields.metadata(),
        workflow_id=workflow_in(fields),
        parameters=fields.mapping("workflow_parameters"),
        resume=resume_in(fields),
        ignored=tuple(name for name in _IGNORED if body.get(name) not in (None, [], {}, False)),
    )


def with_question(messages: tuple[Said, ...], *, param: str) -> tuple[Said, ...]:
    """The messages, if somebody asks something in them."""
    if not any(said.role == "user" and not said.is_empty for said in messages):
        raise bad_request(f"'{param}' needs a message of the user.", param=param)
    return tuple(said for said in messages if not said.is_empty)


def _least(*counts: int | None) -> int | None:
    return min((count for count in counts if count is not None), default=None)


def _refuse_what_cannot_be(fields: Fields) -> None:
    if fields.given("n") not in (None, 1):
        raise bad_request("Only n=1 is possible.", param="n", code="unsupported_value")
    for name in ("tools", "functions"):
        if fields.given(name):
            raise unsupported(
                f"'{name}' cannot be passed on: what a bot may use is set up at Coze.", param=name
            )
    if fields.mapping("response_format").get("type", "text") != "text":
        raise unsupported("'response_format' can only be text.", param="response_format")
    if fields.given("audio") or fields.given("modalities") not in (None, [], ["text"]):
        raise unsupported("Answers are text.", param="modalities")


def end_user_in(fields: Fields) -> str:
    """Who uses the client's program, as far as the body says; newer clients call it `safety_identifier`.

    Some send `user` as an object; its `id` is the name then.
    """
    user = fields.given("user")
    if isinstance(user, dict):
        user = user.get("id")
        user = str(user) if isinstance(user, int) and not isinstance(user, bool) else user
    return fields.text("safety_identifier") or Fields({"user": user}).text("user")


def workflow_in(fields: Fields) -> str:
    """The workflow that `coze-workflow` means; its digits may have come as a number."""
    value = fields.given("workflow_id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return fields.text("workflow_id", limit=64)


def resume_in(fields: Fields) -> Resume | None:
    """`{"coze": {"resume": {"event_id", "interrupt_type"}}}`, as an interrupted run's error gave them."""
    resume = Fields(fields.mapping("coze")).given("resume")
    if resume is None:
        return None
    if not isinstance(resume, Mapping):
        raise bad_request("'coze.resume' must be an object.", param="coze.resume")
    event_id, kind = resume.get("event_id"), resume.get("interrupt_type")
    if not isinstance(event_id, str) or not event_id or "\0" in event_id:
        raise bad_request("'coze.resume.event_id' must be a string.", param="coze.resume.event_id")
    if kind is not None and (isinstance(kind, bool) or not isinstance(kind, int)):
        raise bad_request(
            "'coze.resume.interrupt_type' must be a number.", param="coze.resume.interrupt_type"
        )
    return Resume(event_id, kind)
