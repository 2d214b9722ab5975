"""API keys in a browser: made, copied, rotated and revoked; and never seen a second time."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.conftest import CHROMIUM, FLAGS, Site

pytestmark = pytest.mark.browser

HOME = "/accounts/keys/"
PHONE = {"width": 320, "height": 640}


def make(page: Page, site: Site, name: str = "laptop") -> str:
    """A key from the page."""
    page.goto(site.base_url + HOME + "new/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Make the key").click()
    return page.locator("#secret").input_value()


def status_of(site: Site, secret: str) -> int:
    """What the API says to it."""
    request = urllib.request.Request(
        site.base_url + "/v1/models", headers={"Authorization": f"Bearer {secret}"}
    )
    # No proxy stands between a machine and itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            assert json.load(answer)["object"] == "list"
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_a_key_is_made_copied_rotated_and_revoked(site: Site, member: Callable[..., BrowserContext]) -> None:
    page = member(permissions=["clipboard-read", "clipboard-write"]).new_page()
    page.goto(site.base_url + "/")
    page.locator("#account-button").click()
    page.locator("#account-menu").get_by_role("link", name="API keys").click()
    page.get_by_role("link", name="Make your first key").click()
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_role("button", name="Make the key").click()
    page.locator(".made").get_by_role("button", name="Copy").click()
    expect(page.locator(".made [role=status]")).to_have_text("Copied")
    first = page.evaluate("navigator.clipboard.readText()")
    assert first == page.locator("#secret").input_value()
    assert status_of(site, first) == 200

    page.get_by_role("link", name="I have it").click()
    page.get_by_role("link", name="laptop").click()
    page.get_by_role("link", name="Rotate").click()
    page.get_by_role("button", name="Rotate and show the new key").click()
    second = page.locator("#secret").input_value()
    expect(page.locator(".made")).to_contain_text(f"The old key {first[:10]}…{first[-4:]} works until")
    assert (status_of(site, first), status_of(site, second)) == (200, 200)

    page.get_by_role("link", name="I have it").click()
    old = page.locator(".key").filter(has_text="being replaced")
    old.get_by_role("link", name="laptop").click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator(".note-good")).to_contain_text("opens nothing any more")
    assert (status_of(site, first), status_of(site, second)) == (401, 200)
    expect(page.locator("details .key")).to_have_count(1)


def test_reloading_and_going_back_never_show_a_key_again_nor_make_another(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    page = member().new_page()
    secret = make(page, site)
    page.reload()
    expect(page).to_have_url(site.base_url + HOME)
    expect(page.locator(".key")).to_have_count(1)
    assert secret not in page.content()
    secret = make(page, site, "second")
    page.goto(site.base_url + "/accounts/profile/")
    page.go_back()
    expect(page.locator("h1")).to_be_visible()
    assert secret not in page.content()
    expect(page.locator("#secret")).to_have_count(0)
    page.goto(site.base_url + HOME)
    expect(page.locator(".key")).to_have_count(2)


TWICE = """form => {
  const held = [];
  form.addEventListener("submit", (event) => held.push(event.defaultPrevented));
  form.requestSubmit();
  form.requestSubmit();
  return held;
}"""


def test_a_form_that_is_on_its_way_is_not_sent_again(
    site: Site, member: Callable[..., BrowserContext]
) -> None:
    page = member().new_page()
    page.goto(site.base_url + HOME + "new/")
    page.get_by_label("Name", exact=True).fill("hurried")
    assert page.locator("form.key-form").evaluate(TWICE) == [False, True]
    secret = page.locator("#secret").input_value()
    assert status_of(site, secret) == 200
    page.goto(site.base_url + HOME)
    expect(page.locator(".key")).to_have_count(1)


def test_without_a_clipboard_the_key_is_selected(site: Site, member: Callable[..., BrowserContext]) -> None:
    page = member().new_page()
    page.add_init_script("delete Navigator.prototype.clipboard")
    secret = make(page, site)
    page.evaluate("getSelection().removeAllRanges(); document.activeElement.blur()")
    page.locator(".made").get_by_role("button", name="Copy").click()
    expect(page.locator(".made [role=status]")).to_have_text("Selected: copy it now")
    assert page.evaluate("getSelection().toString()") == secret


def test_only_chosen_models_are_asked_for_and_kept(site: Site, member: Callable[..., BrowserContext]) -> None:
    page = member().new_page()
    page.goto(site.base_url + HOME + "new/")
    page.get_by_label("Name", exact=True).fill("narrow")
    expect(page.get_by_label("Other names")).to_be_hidden()
    page.get_by_label("Only these").check()
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator(".field-error")).to_have_text("Choose at least one model, or write a name.")
    page.get_by_label("demo", exact=True).check()
    page.get_by_label("Other names").fill("workflow:*")
    page.get_by_role("button", name="Make the key").click()
    page.get_by_role("link", name="I have it").click()
    expect(page.locator(".key-facts")).to_contain_text("demo, workflow:*")
    page.get_by_role("link", name="narrow").click()
    expect(page.get_by_label("demo", exact=True)).to_be_checked()
    expect(page.get_by_label("Other names")).to_have_value("workflow:*")


def test_it_all_works_on_a_narrow_phone_without_javascript(
    site: Site, member: Callable[..., BrowserContext], chromium: Browser
) -> None:
    state = member().storage_state()
    bare = chromium.new_context(
        java_script_enabled=False, storage_state=state, viewport=PHONE, locale="en-US"
    )
    page = bare.new_page()
    secret = make(page, site, "x" * 100)
    assert status_of(site, secret) == 200
    expect(page.locator("[data-copy]").first).to_be_hidden()
    page.reload()  # sends the form again
    expect(page.locator(".note-warn")).to_contain_text("cannot be shown again")
    expect(page.locator(".key")).to_have_count(1)
    page.locator(".key a").click()
    page.get_by_role("button", name="Switch off").click()
    assert status_of(site, secret) == 401
    page.get_by_role("button", name="Switch on").click()
    page.get_by_label("Credits").fill("12.5")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".key-facts")).to_contain_text("0.00 of 12.50 credits")
    bare.close()


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone(
    language: str, scheme: str, site: Site, member: Callable[..., BrowserContext]
) -> None:
    page = member(viewport=PHONE, locale=language, color_scheme=scheme).new_page()
    places = ["", "new/"]
    page.goto(site.base_url + HOME + "new/")
    page.locator("[name=name]").fill("W" * 100)
    page.locator("[name=which][value=some]").check()
    page.locator("[name=patterns]").fill("workflow:" + "7" * 100)
    page.locator("main form details").evaluate("element => { element.open = true }")
    page.locator("[name=addresses]").fill("2001:db8:1111:2222:3333:4444:5555:6666")
    page.locator("[name=limit]").fill("123456789.123456789")
    assert too_wide(page) == 0
    page.locator("main form button[type=submit]").click()
    page.wait_for_selector("#secret")
    assert too_wide(page) == 0
    page.goto(site.base_url + HOME)
    number = page.locator(".key a").first.get_attribute("href")
    assert number is not None
    places += [number.removeprefix(HOME) + rest for rest in ("", "rotate/", "revoke/")]
    for place in places:
        page.goto(site.base_url + HOME + place)
        assert too_wide(page) == 0, place


def too_wide(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.fixture
def keeping(site: Site, chromium: Browser) -> Iterator[Page]:
    """A member's page in a browser that keeps left pages whole (bfcache), also those that forbid it with no-store."""
    browser = chromium.browser_type.launch(
        executable_path=CHROMIUM, args=FLAGS, ignore_default_args=["--disable-back-forward-cache"]
    )
    context = browser.new_context(locale="en-US")
    session = next(site.members)["session"]
    context.add_cookies([{"name": "sessionid", "value": session, "url": site.base_url}])

    def let_it_be_kept(route: Route) -> None:
        answer = route.fetch()
        headers = {name: value for name, value in answer.headers.items() if name != "cache-control"}
        route.fulfill(response=answer, headers=headers)

    context.route(site.base_url + HOME + "new/", let_it_be_kept)
    yield context.new_page()
    browser.close()


def test_a_page_that_the_browser_has_kept_whole_does_not_have_the_key(site: Site, keeping: Page) -> None:
    secret = make(keeping, site)
    keeping.goto(site.base_url + "/accounts/profile/")
    keeping.go_back(wait_until="commit")
    expect(keeping.locator("h1")).to_have_text("API keys")
    expect(keeping.locator(".key")).to_have_count(1)
    assert secret not in keeping.content()
