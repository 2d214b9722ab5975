"""What some calls alone are refused for, as errors of their own.

BadRequest
├── AlreadyEnded    internal           a chat that cannot be cancelled, a run that cannot go on
└── FileRefused     content_refused    a file that is empty, too large or of a kind that Coze does not take
"""

from collections.abc import Iterator
from contextlib import contextmanager

from cozechat.coze.errors import BadRequest, NotFound, NotPublished


class AlreadyEnded(BadRequest):
    """The chat or the run has ended, or waits for somebody: there is nothing to stop or to resume."""


class FileRefused(BadRequest):
    """Coze does not take this file; somebody can choose another."""

    kind = "content_refused"


_CODES: dict[int, type[BadRequest]] = {
    4104: AlreadyEnded,
    4315: AlreadyEnded,
    **dict.fromkeys((4300, 4301, 4302, 4303, 4304), FileRefused),
}


# Says of a workflow or bot that is asked that it is not published, of anything looked up that it is not there.
_RESOURCE_NOT_FOUND = 4200


@contextmanager
def looked_up() -> Iterator[None]:
    """Raise `NotFound` where something was looked up: there is no publishing a file or a workspace."""
    try:
        yield
    except NotPublished as error:
        if error.code != _RESOURCE_NOT_FOUND:
            raise
        raise NotFound(error.message, code=error.code, log_id=error.log_id) from None


@contextmanager
def named() -> Iterator[None]:
    """Raise these refusals under their own names."""
    try:
        yield
    except BadRequest as error:
        kind = _CODES.get(error.code or 0)
        if kind is None:
            raise
        raise kind(error.message, code=error.code, log_id=error.log_id, debug_url=error.debug_url) from None
