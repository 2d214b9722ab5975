"""Files at Coze: uploaded once, referred to by id, kept for three months."""

import re
import secrets
from dataclasses import dataclass

from cozechat.coze import bodies
from cozechat.coze.api import Api
from cozechat.coze.errors import BadResponse
from cozechat.coze.refusals import named
from cozechat.coze.types import Caller, JsonObject, as_int, as_text, mend_surrogates

NAME_LIMIT = 200
_FOLDERS = re.compile(r".*[/\\]", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as Coze keeps it; it belongs to the account, sessions do not divide files."""

    id: str
    name: str
    size: int
    created_at: int

    @classmethod
    def from_json(cls, data: JsonObject) -> "UploadedFile":
        """From the `File` object of the API."""
        file_id = as_text(data.get("id"))
        if not file_id:
            raise BadResponse("Coze's file has no id")
        return cls(
            id=file_id,
            name=as_text(data.get("file_name")),
            size=as_int(data.get("bytes")) or 0,
            created_at=as_int(data.get("created_at")) or 0,
        )


class Files:
    """The files of the callers' account."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def upload(
        self,
        caller: Caller,
        *,
        name: str,
        content: bytes,
        media_type: str = "application/octet-stream",
    ) -> UploadedFile:
        """Upload one file of at most 512 MB; raises `FileRefused` when Coze does not take it."""
        boundary = secrets.token_hex(16)
        form = _form(boundary, name=name, content=content, media_type=media_type)
        kind = f"multipart/form-data; boundary={boundary}"
        with named():
            envelope = await self._api.upload(caller, "/v1/files/upload", form=form, content_type=kind)
        return UploadedFile.from_json(bodies.data_of(envelope))

    async def retrieve(self, caller: Caller, file_id: str) -> UploadedFile:
        """What is known of one file."""
        params = {"file_id": file_id}
        envelope = await self._api.send(caller, "GET", "/v1/files/retrieve", params=params)
        return UploadedFile.from_json(bodies.data_of(envelope))


def _form(boundary: str, *, name: str, content: bytes, media_type: str) -> bytes:
    """A form of one field, `file`; more than one is refused."""
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{_plain(name)}"\r\n'
        f"Content-Type: {_CONTROLS.sub('', media_type)}\r\n\r\n"
    )
    return b"".join((head.encode(), content, f"\r\n--{boundary}--\r\n".encode()))


def _plain(name: str) -> str:
    """A file's name that stays within its quotes: no folders, no controls, quotes as browsers write them."""
    bare = _CONTROLS.sub("", _FOLDERS.sub("", mend_surrogates(name)))[:NAME_LIMIT]
    return bare.replace('"', "%22") or "file"
