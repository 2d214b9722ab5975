"""Files beside a question: picked, dropped, pasted, refused, kept without a line, and still there after a reload."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.chat import PATIENCE, Chat
from tests.browser.test_kinds import ends, pick

pytestmark = pytest.mark.browser

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63f8cfc0f01f00050001ff89993d1d0000000049454e44ae426082"
)
PASTE = """([name, type, size]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(size)], name, { type }));
  document.getElementById("composer-input").dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""
DROP = """(words) => {
  const data = new DataTransfer();
  data.items.add(new File([words], "notes.txt", { type: "text/plain" }));
  const main = document.getElementById("main");
  main.dispatchEvent(new DragEvent("dragover", { dataTransfer: data, bubbles: true, cancelable: true }));
  main.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def attach(chat: Chat, *files: Any) -> None:
    chat.page.locator("#attach-file").set_input_files(list(files))


def picture(name: str = "cat.png") -> dict[str, Any]:
    return {"name": name, "mimeType": "image/png", "buffer": PIXEL}


def attached(chat: Chat) -> Any:
    return chat.page.locator(".attached")


def test_a_picture_goes_with_its_question_and_is_there_after_a_reload(chat: Chat, tmp_path: Path) -> None:
    pick(chat, "Barista")
    attach(chat, picture())
    expect(attached(chat)).to_have_attribute("data-state", "ready", timeout=PATIENCE)
    chat.ask("What is this?")
    expect(attached(chat)).to_have_count(0)
    ends(chat)
    expect(chat.answer).to_contain_text("cat.png")
    for _time in range(2):
        shown = chat.page.locator(".message-user .file-image img")
        expect(shown).to_have_count(1)
        assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
        chat.page.reload()
        chat.connected()


def test_dropped_and_pasted_files_are_attached_and_one_can_be_removed(chat: Chat) -> None:
    pick(chat, "Barista")
    chat.page.evaluate(DROP, "words")
    chat.page.evaluate(PASTE, ["empty.png", "image/png", 0])
    expect(chat.page.locator(".toast")).to_contain_text("is empty")
    attach(chat, picture())
    expect(attached(chat)).to_have_count(2)
    attached(chat).first.locator("[data-attached=remove]").click()
    expect(attached(chat)).to_have_count(1)
    expect(attached(chat)).to_contain_text("cat.png")


def test_what_the_server_refuses_says_why_and_the_rest_stays(chat: Chat) -> None:
    pick(chat, "Barista")
    chat.box.fill("look at these")
    attach(chat, picture(), {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture"})
    failed = chat.page.locator(".attached[data-state=failed]")
    expect(failed).to_contain_text("is not what its ending says", timeout=PATIENCE)
    expect(failed.locator("[data-attached=retry]")).to_be_visible()
    expect(chat.page.locator(".attached[data-state=ready]")).to_have_count(1)
    expect(chat.box).to_have_value("look at these")
    expect(chat.send).to_be_disabled()
    failed.locator("[data-attached=remove]").click()
    expect(chat.send).to_be_enabled()


def test_who_takes_no_files_is_not_offered_any(chat: Chat) -> None:
    expect(chat.page.locator("#attach")).to_be_visible()
    pick(chat, "Order")
    expect(chat.page.locator("#attach")).to_be_hidden()


def test_files_asked_without_a_line_wait_in_the_browser_and_go_out_later(chat: Chat) -> None:
    pick(chat, "Barista")
    chat.page.context.set_offline(True)
    expect(chat.page.locator("html")).not_to_have_attribute("data-connection", "online", timeout=PATIENCE)
    attach(chat, picture())
    expect(attached(chat)).to_have_attribute("data-state", "waiting", timeout=PATIENCE)
    chat.ask("Later")
    expect(chat.page.locator(".message-user .file-image")).to_have_count(1)
    chat.page.context.set_offline(False)
    chat.page.reload()
    chat.connected()
    ends(chat)
    expect(chat.answer).to_contain_text("cat.png")
