"""The states of a chat or a workflow run, in one set of words."""

import enum

from cozechat.coze.errors import BadResponse


class Status(enum.StrEnum):
    """How far a chat or a run has come."""

    CREATED = "created"
    IN_PROGRESS = "in_progress"
    REQUIRES_ACTION = "requires_action"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself; `requires_action` waits for somebody else."""
        return self not in (Status.CREATED, Status.IN_PROGRESS)


# Runs say Running, Success and Fail; the open-source Coze and older documents spell some words their own way.
_OTHER_WORDS = {
    "running": Status.IN_PROGRESS,
    "success": Status.COMPLETED,
    "succeeded": Status.COMPLETED,
    "fail": Status.FAILED,
    "cancel": Status.CANCELED,
    "cancelled": Status.CANCELED,
    "required_action": Status.REQUIRES_ACTION,
    "interrupted": Status.REQUIRES_ACTION,
}


def read_status(word: str) -> Status:
    """The state that Coze means, in whatever case."""
    lower = word.strip().lower()
    try:
        return _OTHER_WORDS.get(lower) or Status(lower)
    except ValueError:
        raise BadResponse(f"Coze speaks of a state that nobody knows: {word[:40]!r}") from None
