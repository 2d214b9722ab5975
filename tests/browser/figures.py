"""Measures the page in a browser, and prints what docs/page.md says: `.venv/bin/python -m tests.browser.figures`.

Times of scripts are of the main thread's processor time, so that a busy machine does not count as a slow page; where
it says 4×, Chromium makes the processor four times slower. What people wait for is in seconds of a clock.
"""

import gzip
import json
import os
import sys
import tempfile
from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Page, sync_playwright

from tests.browser.chat import Chat
from tests.browser.conftest import CHROMIUM, FLAGS, ROOT, Site

MESSAGES, ANSWERS, KEYS, NUMBERS = 1_000, 50, 40, 5_000
_PROSE = "A paragraph of an answer with **some** weight and `code` in it, long enough for two lines on a screen.\\n\\n"
_SEED = f"""
import json, uuid
from django.utils import timezone
from accounts.models import User
from conversations.models import Conversation, Message, Turn
from cozechat.catalog.environment import default_assistant
user = User.objects.get(username="member0")
thread = Conversation.objects.create(owner=user, assistant=default_assistant(), title="Long")
for number in range({MESSAGES} // 2):
    turn = Turn(conversation=thread, owner=user, client_id=uuid.uuid4(), status="completed", ended_at=timezone.now())
    turn.save()
    Message.objects.create(conversation=thread, turn=turn, role="user", content=f"Question {{number}}")
    answer = "{_PROSE}" * 2 + f"- one\\n- two {{number}}\\n"
    Message.objects.create(conversation=thread, turn=turn, role="assistant", content=answer)
print(json.dumps(str(thread.pk)))
"""
_WATCH = """
window.frameTimes = [];
const ask = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (act) => ask((now) => {
  const began = performance.now();
  act(now);
  window.frameTimes.push(performance.now() - began);
});
window.keyTimes = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (entry.name === "keydown") window.keyTimes.push(entry.duration);
}).observe({ type: "event", durationThreshold: 16 });
"""


def say(what: str, value: object) -> None:
    sys.stdout.write(f"{what:<66} {value}\n")
    sys.stdout.flush()


def share(values: list[float], part: float) -> float:
    """The value below which this part of them is; 0 for none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else 0.0


class Tab:
    """A page with the browser's own instruments."""

    def __init__(self, context: BrowserContext, base_url: str) -> None:
        self.page: Page = context.new_page()
        self.base_url = base_url
        self.tools: CDPSession = context.new_cdp_session(self.page)
        self.tools.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.page.add_init_script(_WATCH)
        self.foreign: set[str] = set()
        self.page.on("request", self._requested)

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.base_url, "data:", "blob:")):
            self.foreign.add(request.url)

    def slow_down(self, rate: int) -> None:
        self.tools.send("Emulation.setCPUThrottlingRate", {"rate": rate})

    def metric(self, name: str) -> float:
        found = {each["name"]: each["value"] for each in self.tools.send("Performance.getMetrics")["metrics"]}
        return float(found[name])

    def heap(self) -> float:
        """Used after collecting what is not used any more (MB)."""
        self.tools.send("HeapProfiler.collectGarbage")
        return self.metric("JSHeapUsedSize") / 1e6

    def chat(self, path: str) -> Chat:
        chat = Chat(self.page, self.base_url)
        self.page.goto(self.base_url + path)
        chat.connected()
        return chat


def opening(tab: Tab, path: str, *, rate: int) -> None:
    tab.slow_down(rate)
    paints, scripts = [], []
    for _round in range(3):
        before = tab.metric("ScriptDuration")
        tab.chat(path)
        entry = tab.page.evaluate(
            "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
        )
        paints.append(entry / 1_000)
        scripts.append(tab.metric("ScriptDuration") - before)
    say(f"{MESSAGES} messages, {rate}×: first paint, with the last message (s)", f"{share(paints, 0.5):.2f}")
    say(
        f"{MESSAGES} messages, {rate}×: scripts until connected (s of processor time)",
        f"{share(scripts, 0.5):.3f}",
    )


def all_of_it(tab: Tab) -> None:
    """Loads the older messages until there are no more."""
    older = tab.page.locator("#thread-older button")
    while older.is_visible():
        count = tab.page.locator(".message").count()
        older.click()
        tab.page.wait_for_function("n => document.querySelectorAll('.message').length > n", arg=count)
        tab.page.wait_for_timeout(100)
    say(
        "messages on the page · elements",
        f"{tab.page.locator('.message').count()} · {tab.page.locator('*').count()}",
    )


def typing(tab: Tab, chat: Chat, *, rate: int) -> None:
    chat.ask(f"count to {NUMBERS} slowly")
    chat.running()
    tab.slow_down(rate)
    tab.page.evaluate("() => { window.keyTimes.length = 0; }")
    chat.box.click()
    tab.page.keyboard.type("x" * KEYS, delay=60)
    tab.page.wait_for_timeout(500)
    slow = tab.page.evaluate("() => window.keyTimes")
    times = [*[16.0] * (KEYS - len(slow)), *slow]
    say(f"a key while an answer streams, {rate}×: median · 95 % · longest (ms)",
        " · ".join(f"{share(times, part):.0f}" for part in (0.5, 0.95, 1.0)))  # fmt: skip
    tab.slow_down(1)
    chat.box.fill("")
    tab.page.locator("#send").click()
    chat.ends("canceled")


def streaming(tab: Tab, *, rate: int) -> None:
    chat = tab.chat("/")
    tab.slow_down(rate)
    chat.ask(f"count to {NUMBERS}")
    chat.running()
    before, frames = tab.metric("ScriptDuration"), tab.page.evaluate("() => window.frameTimes.length")
    tab.page.wait_for_function(
        "() => document.querySelector('.message-assistant:last-child')?.dataset.status === 'completed'",
        timeout=300_000,
    )
    scripting = tab.metric("ScriptDuration") - before
    times = tab.page.evaluate(f"() => window.frameTimes.slice({frames})")
    tokens = tab.page.evaluate(
        "() => document.querySelector('.message-assistant:last-child .prose').textContent.split(' ').length"
    )
    say(f"an answer of {tokens} words, {rate}×: scripts a frame (ms of processor time)",
        f"{1_000 * scripting / max(1, len(times)):.1f} in {len(times)} frames")  # fmt: skip
    say(
        "the same: drawing, median · 99 % of the frames (ms)",
        f"{share(times, 0.5):.1f} · {share(times, 0.99):.1f}",
    )
    tab.slow_down(1)


def growing(tab: Tab) -> None:
    chat = tab.chat("/")
    chat.ask("hello")
    chat.ends()
    before = tab.heap()
    for number in range(ANSWERS):
        chat.ask(f"count to {20 + number}")
        tab.page.wait_for_function(
            f"() => document.querySelectorAll('.message-assistant[data-status=completed]').length >= {number + 2}"
        )
    say(f"the heap after {ANSWERS} answers more (MB)", f"{tab.heap() - before:+.1f}")


def weight() -> float:
    import rjsmin

    scripts = (ROOT / "conversations/static").rglob("*.js")
    return sum(len(gzip.compress(rjsmin.jsmin(script.read_text()).encode(), 9)) for script in scripts) / 1_000


def measure(site: Site, context: BrowserContext) -> None:
    path = json.loads(site._run("manage.py", "shell", "-v", "0", "-c", _SEED).splitlines()[-1])
    tab = Tab(context, site.base_url)
    tab.chat("/")
    for rate in (1, 4):
        opening(tab, f"/c/{path}/", rate=rate)
    tab.slow_down(1)
    chat = tab.chat(f"/c/{path}/")
    all_of_it(tab)
    for rate in (1, 4):
        typing(tab, chat, rate=rate)
    streaming(tab, rate=4)
    growing(tab)
    say("own scripts as they travel, gzipped (kB)", f"{weight():.1f}")
    say("requests to other hosts", sorted(tab.foreign) or "none")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="figures-") as home, sync_playwright() as playwright:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")}
        environment |= {
            "VAR_DIR": home,
            "DATABASE_URL": f"sqlite:///{home}/db.sqlite3",
            "DJANGO_SETTINGS_MODULE": "cozechat.settings",
            "COZE_EMULATOR_PORT": "0",
            "TURNS_PER_MINUTE": "0",
            "API_PER_MINUTE": "0",
        }
        site = Site(environment)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 800})
            session = next(site.members)["session"]
            context.add_cookies([{"name": "sessionid", "value": session, "url": site.base_url}])
            measure(site, context)
        finally:
            browser.close()
            site.stop()


if __name__ == "__main__":
    main()
