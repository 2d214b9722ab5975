"""What a page shows while nobody asks: every state of a part of it, noted by the page itself."""

import json
from typing import Any

from playwright.sync_api import Page

_WATCH = """
([selector, name]) => {
  const seen = (window[name] = []);
  const look = () => {
    const found = document.querySelector(selector);
    const shown = found && !found.hidden ? found.innerText : "";
    if (!seen.length || seen.at(-1).shown !== shown) seen.push({ shown, at: Date.now(), html: found?.innerHTML ?? "" });
  };
  look();
  new MutationObserver(look).observe(document, {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["hidden"],
  });
}
"""


def watch(page: Page, selector: str, *, name: str = "watched") -> None:
    """From now on note what this shows (nothing, while it is hidden), and when."""
    page.evaluate(_WATCH, [selector, name])


def noted(page: Page, *, name: str = "watched") -> list[dict[str, Any]]:
    """[{shown, at, html}], each different from the one before; `at` in milliseconds."""
    seen: list[dict[str, Any]] = page.evaluate(f"window[{json.dumps(name)}]")
    return seen


def first(seen: list[dict[str, Any]], words: str) -> int:
    """When these words were shown first."""
    return next(int(state["at"]) for state in seen if words in state["shown"])
