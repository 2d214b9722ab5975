"""Pictures of every page, for people to look at side by side: `script/pictures`, into pictures/."""

import argparse
import itertools
import os
import sys
import tempfile
from html import escape
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, ROOT, Site
from tests.browser.walk import STOPS, Walker

WIDTHS, THEMES, LANGUAGES = (1440, 768, 360), ("light", "dark"), ("en-US", "zh-CN")
HEIGHTS = {1440: 900, 768: 1024, 360: 740}
INDEX = """<!doctype html><meta charset="utf-8"><title>Pictures</title>
<style>body{font:14px system-ui;margin:24px;background:#777}h2{color:#fff}div{display:flex;gap:12px;overflow-x:auto}
img{height:460px;border-radius:6px}</style>
"""


def _environment(home: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")}
    return kept | {
        "VAR_DIR": home,
        "DATABASE_URL": f"sqlite:///{home}/db.sqlite3",
        "DJANGO_SETTINGS_MODULE": "cozechat.settings",
        "COZE_EMULATOR_PORT": "0",
        "WIDGET_ORIGINS": "https://www.example.com",
        "TURNS_PER_MINUTE": "0",
        "API_PER_MINUTE": "0",
    }


def _take(walker: Walker, target: Path, *, only: str, ways: list[tuple[str, str, int]]) -> None:
    for language, theme, width in ways:
        folder = f"{language[:2]}-{theme}-{width}"
        (target / folder).mkdir(parents=True, exist_ok=True)
        size = {"width": width, "height": HEIGHTS[width]}
        for stop, page in walker.walk(only=only, locale=language, color_scheme=theme, viewport=size):
            page.screenshot(path=target / folder / f"{stop.name}.png", animations="disabled")
        sys.stdout.write(f"{folder}\n")


def _index(target: Path) -> None:
    """One page with everything: a line for each stop."""
    html = INDEX
    for stop in STOPS:
        found = sorted(target.glob(f"*/{stop.name}.png"))
        images = "".join(
            f'<img loading="lazy" title="{escape(each.parent.name)}" src="{escape(str(each.relative_to(target)))}">'
            for each in found
        )
        html += f"<h2>{escape(stop.name)}</h2><div>{images}</div>" if found else ""
    (target / "index.html").write_text(html)


def main() -> None:
    """Start a site with something in it, and walk through it in every way that was asked for."""
    parser = argparse.ArgumentParser(description="Writes pictures of every page into pictures/.")
    parser.add_argument("--only", default="", help="pages whose name contains this")
    parser.add_argument("--width", type=int, choices=WIDTHS, action="append")
    parser.add_argument("--theme", choices=THEMES, action="append")
    parser.add_argument("--language", choices=LANGUAGES, action="append")
    given = parser.parse_args()
    ways = list(itertools.product(given.language or LANGUAGES, given.theme or THEMES, given.width or WIDTHS))
    target = ROOT / "pictures"
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        site = Site(_environment(home), members=0)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            _take(Walker(site, browser), target, only=given.only, ways=ways)
        finally:
            browser.close()
            site.stop()
    _index(target)
    sys.stdout.write(f"{target / 'index.html'}\n")


if __name__ == "__main__":
    main()
