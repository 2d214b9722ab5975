"""What may stand in a text that is stored and shown."""

import re

_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without what neither database nor browser can hold.

    Control characters go, lone surrogates become U+FFFD.
    """
    return _UNSAFE.sub(lambda found: "\ufffd" if found.group() >= "\ud800" else "", text)
