"""The colours of both themes: what is read stands out from its ground (WCAG 2.2 AA), computed from tokens.css."""

import math
import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "conversations/static/conversations/css/tokens.css"
PAIR = re.compile(r"--([\w-]+): light-dark\(oklch\(([^)]*)\), oklch\(([^)]*)\)\)")
GROUNDS = ("paper", "side", "float", "field", "well")
READ_ON = {
    "ink": (*GROUNDS, "hover", "chosen", "bubble", "accent-wash", "good-wash", "warn-wash", "bad-wash"),
    "ink-soft": (*GROUNDS, "hover", "chosen", "bubble"),
    "ink-faint": GROUNDS,
    "accent": GROUNDS,
    "accent-strong": (*GROUNDS, "accent-wash", "hover"),
    "on-accent": ("accent", "accent-strong"),
    "on-bad": ("bad", "bad-strong"),
    "good": ("paper", "float", "good-wash"),
    "warn": ("paper", "float", "warn-wash"),
    "bad": ("paper", "float", "field", "bad-wash"),
    "code-word": ("well",),
    "code-name": ("well",), "code-text": ("well",), "code-number": ("well",), "code-note": ("well",),
}  # fmt: skip
# What is seen and not read: borders of fields, the ring of the focus.
SEEN_ON = {"line-strong": ("paper", "field", "float"), "focus": GROUNDS}


def linear(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    """Oklch to linear sRGB (Björn Ottosson's matrices), cut to what a screen can show."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
    colour = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short,
    )
    red, green, blue = (min(1.0, max(0.0, part)) for part in colour)
    return red, green, blue


def luminance(value: str) -> float:
    lightness, chroma, hue = value.split("/", maxsplit=1)[0].split()
    red, green, blue = linear(float(lightness.rstrip("%")) / 100, float(chroma), float(hue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


TOKEN = {name: {"light": light, "dark": dark} for name, light, dark in PAIR.findall(TOKENS.read_text())}


def faint(pairs: dict[str, tuple[str, ...]], *, theme: str, least: float) -> dict[str, float]:
    found = {
        f"{name} on {ground}": round(contrast(TOKEN[name][theme], TOKEN[ground][theme]), 2)
        for name, grounds in pairs.items()
        for ground in grounds
    }
    return {pair: value for pair, value in found.items() if value < least}


def test_the_contrast_is_computed_as_wcag_says() -> None:
    assert contrast("0% 0 0", "100% 0 0") == pytest.approx(21, abs=0.01)
    # #767676 on white, the grey that just passes.
    assert contrast("56.6% 0 0", "100% 0 0") == pytest.approx(4.54, abs=0.1)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_read_stands_out(theme: str) -> None:
    assert faint(READ_ON, theme=theme, least=4.5) == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_seen_stands_out(theme: str) -> None:
    assert faint(SEEN_ON, theme=theme, least=3) == {}
