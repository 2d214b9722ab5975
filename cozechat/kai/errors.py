"""Everything that can go wrong with a tool, as one tree.

    KaiError               kind             what it means
    ├── Unreachable        unreachable      no connection to the tool server, or it broke
    ├── Unauthorized       unauthorized     the server does not take our key
    ├── UnknownTool        unknown_tool     the server has no tool of this name
    ├── ToolTimeout        tool_timeout     the tool took longer than it may
    ├── ToolFailed         tool_error       the tool itself says that it failed
    ├── TooLarge           too_large        the outcome passes a limit of ours
    └── BadAnswer          bad_answer       the server's answer makes no sense

No message ever holds the key.
"""

MESSAGE_LIMIT = 500


class KaiError(Exception):
    """A tool that was not invoked, or did not succeed."""

    kind: str = "bad_answer"

    def __init__(self, message: str) -> None:
        super().__init__(message[:MESSAGE_LIMIT])
        self.message = message[:MESSAGE_LIMIT]


class Unreachable(KaiError):
    """The tool server cannot be reached, or the connection broke."""

    kind = "unreachable"


class Unauthorized(KaiError):
    """The tool server does not take our key."""

    kind = "unauthorized"


class UnknownTool(KaiError):
    """The tool server has no such tool."""

    kind = "unknown_tool"


class ToolTimeout(KaiError):
    """The tool took longer than it may."""

    kind = "tool_timeout"


class ToolFailed(KaiError):
    """The tool says that it failed; servers often mask why."""

    kind = "tool_error"


class TooLarge(KaiError):
    """The outcome is larger than we take."""

    kind = "too_large"


class BadAnswer(KaiError):
    """The tool server answered something that is not MCP."""

    kind = "bad_answer"
