"""The chat on pages of other sites: those that are named, and no other; with cookies or without."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect

from tests.browser import foreign
from tests.browser.chat import PATIENCE, Chat
from tests.browser.conftest import Site
from tests.browser.foreign import Foreign

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shop() -> Iterator[Foreign]:
    with foreign.serve() as running:
        yield running


@pytest.fixture(scope="module")
def stranger() -> Iterator[Foreign]:
    with foreign.serve() as running:
        yield running


@pytest.fixture(scope="module")
def embedded(site: Site, shop: Foreign) -> Iterator[Site]:
    """The site, restarted so that the shop's page may show the chat: from another port, and from another host."""
    site.stop()
    site.environment["WIDGET_ORIGINS"] = f"{shop.url()},{shop.url('localhost')}"
    site.start()
    yield site
    site.stop()
    del site.environment["WIDGET_ORIGINS"]
    site.start()


def script(site: Site, **data: str) -> str:
    attributes = " ".join(f'data-{name}="{value}"' for name, value in data.items())
    return f'<script src="{site.base_url}/widget.js" {attributes} async></script>'


def open_chat(page: Page) -> FrameLocator:
    page.locator("cozechat-widget .bubble").click()
    frame = page.frame_locator("cozechat-widget iframe")
    expect(frame.locator("html")).to_have_attribute("data-connection", "online", timeout=PATIENCE)
    return frame


def ask(frame: FrameLocator, text: str) -> None:
    frame.locator("#composer-input").fill(text)
    frame.locator("#composer-input").press("Enter")
    answer = frame.locator(".message-assistant").last
    expect(answer).to_have_attribute("data-status", "completed", timeout=PATIENCE)


# "127.0.0.1" is the chat's own host (another port: another origin, the same site); to the browser "localhost" is
# another site altogether, whose frames keep neither cookies nor storage where these are blocked.
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_named_site_shows_the_chat_and_one_can_talk(
    embedded: Site, shop: Foreign, browser_of: Callable[..., BrowserContext], host: str
) -> None:
    shop.head, shop.policy = script(embedded), ""
    context = browser_of()
    page = context.new_page()
    page.goto(shop.url(host))
    frame = open_chat(page)
    expect(frame.locator("#composer-input")).to_be_focused()
    ask(frame, "hello, my name is Sam and I am 25")
    ask(frame, "what is my name?")
    expect(frame.locator(".message-assistant .prose").last).to_contain_text("Sam")
    assert context.cookies() == []
    frame.locator("#frame-close").click()
    expect(page.locator("cozechat-widget iframe")).to_be_hidden()
    expect(page.locator("cozechat-widget .bubble")).to_be_focused()
    assert page.url == shop.url(host) + "/"
    # Back leads out of the shop's page, not through the chat.
    assert page.evaluate("history.length") <= 2


def test_the_chat_is_still_there_when_the_shops_page_is_loaded_anew(
    embedded: Site, shop: Foreign, browser_of: Callable[..., BrowserContext]
) -> None:
    shop.head, shop.policy = script(embedded), ""
    page = browser_of().new_page()
    page.goto(shop.url())
    ask(open_chat(page), "hello, my name is Sam and I am 25")
    page.reload()
    frame = open_chat(page)
    expect(frame.locator(".message-user .bubble")).to_have_text(["hello, my name is Sam and I am 25"])
    other = page.context.new_page()
    other.goto(shop.url())
    expect(open_chat(other).locator(".message-user")).to_have_count(0)


def test_a_site_that_is_not_named_shows_nothing(
    embedded: Site,
    stranger: Foreign,
    browser_of: Callable[..., BrowserContext],
    complaints: list[str],
) -> None:
    stranger.head = script(embedded)
    page = browser_of().new_page()
    page.goto(stranger.url())
    page.locator("cozechat-widget .bubble").click()
    page.wait_for_timeout(1_000)
    refused = [complaint for complaint in complaints if "frame-ancestors" in complaint]
    assert refused
    assert not [
        frame for frame in page.frames if "/widget/" in frame.url and frame.locator("#composer-input").count()
    ]
    complaints.clear()


def test_no_other_page_of_the_site_can_be_framed_even_by_a_named_site(
    embedded: Site, shop: Foreign, browser_of: Callable[..., BrowserContext], complaints: list[str]
) -> None:
    shop.head, shop.policy = "", ""
    paths = ("/visit/", "/accounts/login/", "/accounts/signup/")
    shop.body = "".join(f'<iframe src="{embedded.base_url}{path}"></iframe>' for path in paths)
    page = browser_of().new_page()
    page.goto(shop.url())
    page.wait_for_timeout(1_000)
    shop.body = ""
    assert len([complaint for complaint in complaints if "frame-ancestors" in complaint]) >= len(paths)
    complaints.clear()


def test_who_is_logged_in_on_the_site_is_a_visitor_in_the_widget(
    embedded: Site, shop: Foreign, member: Callable[..., BrowserContext]
) -> None:
    context = member()
    chat = Chat.open(context, embedded.base_url)
    chat.ask("the secret word is zebra")
    chat.ends()
    shop.head, shop.policy = script(embedded), ""
    page = context.new_page()
    page.goto(shop.url())
    frame = open_chat(page)
    expect(frame.locator(".conversation")).to_have_count(0)
    ask(frame, "what is the secret word?")
    chat.reload()
    expect(chat.items).to_have_count(1)


def test_it_works_under_a_strict_policy_of_the_shop_and_in_chinese(
    embedded: Site, shop: Foreign, browser_of: Callable[..., BrowserContext]
) -> None:
    shop.head = script(embedded, lang="zh-hans", theme="dark", side="left")
    own = embedded.base_url
    shop.policy = f"default-src 'none'; img-src data:; script-src {own}; frame-src {own}"
    page = browser_of().new_page()
    page.goto(shop.url("localhost"))
    expect(page.locator("cozechat-widget .bubble")).to_have_text("在线咨询")
    frame = open_chat(page)
    expect(frame.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    ask(frame, "你好")


def test_the_shops_own_scripts_cannot_open_or_read_the_chat(
    embedded: Site, shop: Foreign, browser_of: Callable[..., BrowserContext]
) -> None:
    shop.head, shop.policy = script(embedded), ""
    page = browser_of().new_page()
    page.goto(shop.url())
    open_chat(page)
    tried = page.evaluate(
        """async (site) => {
          const found = [];
          for (const [method, path] of [["POST", "/api/visit"], ["GET", "/api/visit"], ["POST", "/api/token"]]) {
            const headers = { Authorization: "Visit x" };
            await fetch(site + path, { method, headers }).then(() => found.push(path), () => {});
          }
          const socket = new WebSocket(site.replace("http", "ws") + "/ws/chat/");
          await new Promise((done) => (socket.onclose = done, socket.onopen = () => done(found.push("socket"))));
          const widget = document.querySelector("cozechat-widget");
          if (widget.shadowRoot.querySelector("iframe").contentDocument) found.push("frame");
          return found;
        }""",
        embedded.base_url,
    )
    assert tried == []


def test_on_a_phone_the_chat_takes_the_whole_screen(
    embedded: Site, shop: Foreign, browser_of: Callable[..., BrowserContext]
) -> None:
    shop.head, shop.policy = script(embedded), ""
    page = browser_of(viewport={"width": 360, "height": 740}).new_page()
    page.goto(shop.url())
    open_chat(page)
    box = page.locator("cozechat-widget iframe").bounding_box()
    assert box is not None
    assert (box["x"], box["width"], box["height"]) == (0, 360, 740)
    expect(page.locator("cozechat-widget .bubble")).to_be_hidden()
