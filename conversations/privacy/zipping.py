"""A ZIP file that is sent while it is written: only what has not been sent yet is in memory."""

import zipfile
from collections.abc import AsyncIterator
from datetime import datetime

# So much is compressed at a time: a few milliseconds of the event loop.
_SLICE = 128 * 1024
_ENOUGH = 64 * 1024


class _Sink:
    """What `zipfile` takes for a pipe: it can be written to, and cannot be asked where one is."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes, /) -> int:
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """What is in it can still be taken."""

    def take(self) -> bytes:
        """What has piled up."""
        taken = b"".join(self._parts)
        self._parts, self.size = [], 0
        return taken


class ZipStream:
    """One file, entry after entry."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)

    async def entry(self, name: str, *, chunks: AsyncIterator[bytes], at: datetime) -> AsyncIterator[bytes]:
        """The bytes of the file that this entry adds."""
        info = zipfile.ZipInfo(name, at.timetuple()[:6])
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as entry:
            async for chunk in chunks:
                for start in range(0, len(chunk), _SLICE):
                    entry.write(chunk[start : start + _SLICE])
                    if self._sink.size >= _ENOUGH:
                        yield self._sink.take()
        yield self._sink.take()

    def end(self) -> bytes:
        """The directory, which comes last."""
        self._zip.close()
        return self._sink.take()
