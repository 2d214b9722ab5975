"""Putting together what Coze cuts in two."""

from cozechat.coze.types import mend_surrogates

REPLACEMENT = "\ufffd"


class SurrogateJoiner:
    """One text that comes in pieces: an emoji that was cut in two comes out whole, with its second half."""

    def __init__(self) -> None:
        self._pending = ""

    def join(self, piece: str) -> str:
        """What can be said for certain after `piece`."""
        if not self._pending:
            try:
                piece.encode()
            except UnicodeEncodeError:
                pass
            else:
                return piece
        text = self._pending + piece
        cut = len(text) - 1 if "\ud800" <= text[-1] <= "\udbff" else len(text)
        self._pending = text[cut:]
        return mend_surrogates(text[:cut])

    def end(self) -> str:
        """What is left when nothing follows: nothing, or the mark of half a pair."""
        left, self._pending = self._pending, ""
        return REPLACEMENT if left else ""
