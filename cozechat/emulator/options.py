"""What a person can choose when starting the emulator."""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

from cozechat.emulator.faults.catalog import FAULTS
from cozechat.emulator.leaks import LEAKS

DEFAULT_PACE = 50.0
CONVERSATION_ERRORS = (4002, 4200, 4101)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One emulator's settings; the defaults are the faithful Coze."""

    state_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    in_memory: bool = False
    leaky: frozenset[str] = frozenset()
    faults: tuple[str, ...] = ()
    pace: float = DEFAULT_PACE
    """Deltas a second; 0 streams without waiting."""
    conversation_error: int = 4002
    """The one code for a conversation that is missing or somebody else's."""
    body_session_name: str = "ignore"
    """What a `session_name` in a body that is not the token's does: `ignore` or `refuse` (4000)."""
    on_disconnect: str = "finish"
    """What a run does when its reader goes away: `finish` behind it or `stop`."""
    plural_create: bool = False
    """Whether `POST /v1/conversations` creates, as some documents say; Coze answers 405."""
    sessionless_sees: str = "own"
    """What a token without a session may see: its `own` conversations or `all` of the account."""
    free_plan: bool = False
    """Whether the account may not run workflows for later: 6003."""
    interrupt_form: str = "verbose"
    """How a chatflow's question node shows: `verbose` messages, or `requires-action`."""
    long_run_seconds: float = 60.0
    """How long the long workflow takes, unless its parameters say otherwise."""
    sync_seconds: float = 90.0
    """After so long the connection of a workflow run that is waited for is dropped."""
    upload_megabytes: int = 512
    until_stdin_closes: bool = False


def add_arguments(parser: argparse.ArgumentParser, *, port: int, state_dir: Path | None) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=port, help="0 takes a free one")
    parser.add_argument("--state-dir", type=Path, default=state_dir, required=state_dir is None)
    parser.add_argument("--in-memory", action="store_true", help="forget everything at the end")
    parser.add_argument("--leaky", nargs="+", action="extend", default=[], choices=LEAKS, metavar="MODE")
    parser.add_argument(
        "--fault",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME[:key=value,…]",
        help="one of " + ", ".join(FAULTS),
    )
    parser.add_argument("--pace", type=float, default=DEFAULT_PACE, metavar="TOKENS_PER_SECOND")
    parser.add_argument("--conversation-error", type=int, default=4002, choices=CONVERSATION_ERRORS)
    parser.add_argument("--body-session-name", default="ignore", choices=("ignore", "refuse"))
    parser.add_argument("--on-disconnect", default="finish", choices=("finish", "stop"))
    parser.add_argument("--plural-create", action="store_true")
    parser.add_argument("--sessionless-sees", default="own", choices=("own", "all"))
    parser.add_argument("--free-plan", action="store_true")
    parser.add_argument("--interrupt-form", default="verbose", choices=("verbose", "requires-action"))
    parser.add_argument("--long-run-seconds", type=float, default=60.0)
    parser.add_argument("--sync-seconds", type=float, default=90.0)
    parser.add_argument("--upload-megabytes", type=int, default=512)
    parser.add_argument("--until-stdin-closes", action="store_true", help=argparse.SUPPRESS)


def from_arguments(arguments: argparse.Namespace) -> Options:
    given = vars(arguments)
    plain = {
        each.name: given[each.name] for each in fields(Options) if each.name in given and each.name != "leaky"
    }
    return Options(**plain, leaky=frozenset(arguments.leaky), faults=tuple(arguments.fault))
