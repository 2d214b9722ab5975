"""Reads the environment and `.env`, and knows every name that CozeChat understands."""

import difflib
import hashlib
import math
import os
import secrets
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

KNOWN_COZE_NAMES = frozenset(
    {
        "COZE_API_BASE",
        "COZE_CLIENT_ID",
        "COZE_PUBLIC_KEY_ID",
        "COZE_PRIVATE_KEY",
        "COZE_PUBLIC_KEY_ID_NEXT",
        "COZE_PRIVATE_KEY_NEXT",
        "COZE_ACCESS_TOKEN",
        "COZE_WORKFLOW_ID",
        "COZE_APP_ID",
        "COZE_BOT_ID",
        "COZE_JWT_AUDIENCE",
        "COZE_TOKEN_TTL",
        "COZE_SEND_SESSION_NAME_IN_BODY",
        "COZE_SEND_ASSERTION_IN_BODY",
        "COZE_WEBHOOK_TOKEN",
        "COZE_CALLBACK_VERIFY_TOKEN",
        "COZE_EMULATOR_PORT",
        "COZE_POOL_SIZE",
        "COZE_STREAM_POOL_SIZE",
        "COZE_POOL_TIMEOUT",
        "COZE_CONNECT_TIMEOUT",
        "COZE_SILENCE_SECONDS",
        "COZE_CONTENT_SECONDS",
    }
)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A setting whose value is no number, or one out of its range."""

    name: str
    given: str
    least: float
    most: float


class Environment(environ.FileAwareEnv):
    """The environment, where any `X` may also be given as the file `X_FILE`.

    `misfits` collects the numbers that cannot be used: their defaults stand in until the checks have refused to start.
    """

    def __init__(self, **scheme: Any) -> None:
        super().__init__(**scheme)
        self.misfits: list[Misfit] = []

    def text(self, name: str, default: str = "") -> str:
        """The value as it stands: no `$` reference, no cast; surrounding blanks and newlines are dropped."""
        try:
            return str(self.ENVIRON[name]).strip()
        except KeyError:
            return default
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE names a file that cannot be read: {error}") from None

    def texts(self, name: str) -> list[str]:
        """A list written with commas between."""
        return [part.strip() for part in self.text(name).split(",") if part.strip()]

    def get_value(self, var: str, *arguments: Any, **named: Any) -> Any:
        """As the library does it, but what is no number is told in words. Raises ImproperlyConfigured."""
        try:
            return super().get_value(var, *arguments, **named)
        except ValueError:
            raise ImproperlyConfigured(
                f"{var} has a value that cannot be read: a number is wanted."
            ) from None

    def whole(self, name: str, *, default: int, least: int = 0, most: int = 1_000_000) -> int:
        """A whole number from `least` to `most`."""
        return int(self.seconds(name, default=default, least=least, most=most, whole=True))

    def seconds(
        self, name: str, *, default: float, least: float = 0.1, most: float = 3600, whole: bool = False
    ) -> float:
        """A number from `least` to `most`, with a fraction or without."""
        given = self.text(name)
        if not given:
            return default
        try:
            value = int(given) if whole else float(given)
        except ValueError:
            value = math.nan
        # A comparison with what is no number is false.
        if least <= value <= most:
            return value
        self.misfits.append(Misfit(name, given, least, most))
        return default


def load(base_dir: Path) -> Environment:
    """The environment, completed by `base_dir/.env`; what is already set wins."""
    # It would print the address of a database that it does not know, password and all; `tuned` says what is wrong.
    warnings.filterwarnings("ignore", message="Engine not recognized")
    dotenv = base_dir / ".env"
    if dotenv.is_file():
        Environment.read_env(dotenv)
    return Environment()


def kept_secret(path: Path, *, make: str | None = None) -> str:
    """A secret that is made once and kept in a file only its owner can read.

    Two processes that start together agree: the file is created exclusively, the loser reads the winner's.
    """
    try:
        return _kept(path, make=make)
    except OSError as error:
        raise ImproperlyConfigured(f"VAR_DIR must be a folder that can be written to: {error}") from None


def _kept(path: Path, *, make: str | None) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    value = make or secrets.token_urlsafe(48)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(value)
    try:
        os.link(draft, path)
    except FileExistsError:
        value = path.read_text().strip()
    finally:
        draft.unlink()
    return value


def unknown_coze_names() -> dict[str, str]:
    """Every `COZE_…` variable that nobody reads, with the nearest known name ("" if none is near)."""
    found: dict[str, str] = {}
    for name in sorted(os.environ):
        plain = name.removesuffix("_FILE")
        if name.startswith("COZE_") and plain not in KNOWN_COZE_NAMES:
            near = difflib.get_close_matches(plain, sorted(KNOWN_COZE_NAMES), n=1, cutoff=0.6)
            found[name] = near[0] if near else ""
    return found


def short_digest(*parts: str) -> str:
    """A name that is the same wherever the parts are, and tells nothing about them."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def tuned(database: dict[str, Any], *, var_dir: Path) -> dict[str, Any]:
    """A database of Django's settings, with what this site needs of its kind."""
    if "ENGINE" not in database:
        raise ImproperlyConfigured(
            "DATABASE_URL is no database's address: sqlite:////path/to/file or postgresql://user:password@host:5432/name."
        )
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # Without these, 344 of 480 concurrent writers were told "database is locked"; with them none.
        options: dict[str, Any] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
        # Tests use a file too: database threads must see what the test wrote.
        return database | {"OPTIONS": options, "TEST": {"NAME": str(var_dir / "test.sqlite3")}}
    if database["ENGINE"] == "django.db.backends.postgresql":
        # Persistent connections exhaust the server under ASGI, where every request has a thread of its own.
        pool = {"min_size": 2, "max_size": 16, "timeout": 5}
        options = {**database.get("OPTIONS", {}), "pool": pool}
        return database | {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True, "OPTIONS": options}
    return database
