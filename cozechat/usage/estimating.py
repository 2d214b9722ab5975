"""How many tokens a text may have, and what Coze says it had; pure."""

from cozechat.coze.types import Usage
from cozechat.usage.pricing import Tokens


def weight(text: str) -> int:
    """About how many tokens a text has, times four: a Chinese character is mostly one of its own."""
    ascii_only = len(text.encode("ascii", "ignore"))
    return ascii_only + 4 * (len(text) - ascii_only)


def tokens_in(weights: int) -> int:
    """The tokens of so much text, never none."""
    return max(1, -(-weights // 4))


def fewest_tokens_in(weights: int) -> int:
    """A low guess, where Coze did not count: nobody pays for more than was said."""
    return weights // 6


def tokens_of(usage: Usage | None) -> Tokens | None:
    """What Coze counted; all zeros is what it sends when it did not count."""
    if usage is None or not (usage.input_tokens or usage.output_tokens or usage.total_tokens):
        return None
    total = usage.total_tokens or None
    return Tokens(usage.input_tokens, usage.output_tokens, total)
