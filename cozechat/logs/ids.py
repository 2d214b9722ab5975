"""What a line belongs to: the ids of the request, socket, turn, call or event that is being worked on.

One variable of the context holds all of them, and it is only ever replaced as a whole: a connection that is kept open
for the next request, a thread of a pool or a task that outlives its request can carry no foreign id along.
"""

import contextvars
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cozechat.logs.redaction import redact

_NONE: Mapping[str, object] = {}
_ids: contextvars.ContextVar[Mapping[str, object]] = contextvars.ContextVar("cozechat_ids", default=_NONE)
# What a proxy or a program may call its request: nothing that could be a line of its own, or a secret.
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{7,99}\Z")


def current() -> dict[str, object]:
    """The ids of what this task works on; one that may be learned later is a function, asked now."""
    found = {name: value() if callable(value) else value for name, value in _ids.get().items()}
    return {name: value for name, value in found.items() if value not in (None, "")}


def request_id() -> str:
    """The id of the HTTP request that is being answered, or nothing."""
    return str(_ids.get().get("request_id", ""))


def reference() -> dict[str, str]:
    """The id for the body of an error, so that whoever reads it can quote it."""
    found = request_id()
    return {"request_id": found} if found else {}


def new_request_id() -> str:
    """An id that no other request has."""
    return f"req_{uuid.uuid4().hex}"


def sane(given: str) -> bool:
    """Whether an id from outside can be used as it is."""
    return _SANE.match(given) is not None and redact(given) == given


@contextmanager
def only(**ids: object) -> Iterator[None]:
    """Inside, lines carry these ids and no others: the beginning of a piece of work."""
    token = _ids.set(ids)
    try:
        yield
    finally:
        _ids.reset(token)


@contextmanager
def also(**ids: object) -> Iterator[None]:
    """Inside, lines carry these ids too: what was learned on the way."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def context_of(**ids: object) -> contextvars.Context:
    """For a task that goes on after whoever began it: this context, with these ids instead of all others.

    Without any, for what belongs to the process: `create_task(work, context=context_of())`.
    """
    context = contextvars.copy_context()
    context.run(_ids.set, ids)
    return context
