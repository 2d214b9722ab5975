"""The whole site as a process of its own, with its emulator, and a Chromium in front of it."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests import fresh_databases
from tests.browser.chat import Chat

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]
MEMBERS = 100
START_SECONDS = 60
WEBHOOK_TOKEN = "token-of-an-automation"


class Site:
    """A running site: its address, and members that nobody has used yet."""

    def __init__(self, environment: dict[str, str], *, members: int = MEMBERS) -> None:
        self.environment = environment
        self.members = iter(self._make_members(members))
        self.base_url = ""
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _make_members(self, count: int) -> list[dict[str, Any]]:
        fresh_databases.lay(self.environment)
        self._run("manage.py", "migrate", "--verbosity=0")
        members: list[dict[str, Any]] = json.loads(self._run("-m", "tests.browser.people", str(count)))
        return members

    def start(self) -> None:
        """Start the server; again at the same port, if it has had one."""
        port = self.base_url.rpartition(":")[2] or "0"
        command = [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", port]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=_drain, args=(self._process.stdout, lines))
        self._reader.start()
        heard = ""
        while "CozeChat is at " not in heard:
            try:
                heard += lines.get(timeout=START_SECONDS)
            except queue.Empty:
                pytest.fail(f"the site did not start:\n{heard}")
        self.base_url = heard.rpartition("CozeChat is at ")[2].split()[0]

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(30)
        self._reader.join(10)
        if self._process.stdout:
            self._process.stdout.close()


def _drain(stream: Any, lines: "queue.Queue[str]") -> None:
    for line in stream:
        lines.put(line)


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")}
    environment |= {
        "VAR_DIR": str(home),
        "DATABASE_URL": f"sqlite:///{home / 'db.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "cozechat.settings",
        "COZE_EMULATOR_PORT": "0",
        "COZE_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
    }
    running = Site(environment)
    yield running
    running.stop()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; name one in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the scripts complained about; a test that expects something removes it."""
    return []


@pytest.fixture
def browser_of(chromium: Browser, complaints: list[str]) -> Iterator[Callable[..., BrowserContext]]:
    """A fresh browser profile; its pages may not throw, nor break the content security policy."""
    contexts: list[BrowserContext] = []

    def listen(page: Page) -> None:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", hear)

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            complaints.append(message.text)

    def open_profile(**options: Any) -> BrowserContext:
        context = chromium.new_context(
            **{"locale": "en-US", "viewport": {"width": 1280, "height": 800}, **options}
        )
        context.on("page", listen)
        contexts.append(context)
        return context

    yield open_profile
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def member(site: Site, browser_of: Callable[..., BrowserContext]) -> Callable[..., BrowserContext]:
    """The browser of a member who is logged in and has no conversation yet."""

    def log_in(**options: Any) -> BrowserContext:
        context = browser_of(**options)
        session = next(site.members)["session"]
        context.add_cookies([{"name": "sessionid", "value": session, "url": site.base_url}])
        return context

    return log_in


@pytest.fixture
def chat(site: Site, member: Callable[..., BrowserContext]) -> Chat:
    """A member at a new chat."""
    return Chat.open(member(), site.base_url)
