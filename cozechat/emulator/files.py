"""Files: uploaded once, referred to by id; what they contain is not kept."""

from typing import Any

from cozechat.emulator import multipart
from cozechat.emulator.calls import UPLOAD, Call, Route
from cozechat.emulator.refusals import Refusal, not_found
from cozechat.emulator.wire import Reply, envelope

KIND = "file"


async def upload(call: Call) -> Reply:
    body = call.request.body
    limit = call.world.options.upload_megabytes
    if body is None:
        raise Refusal(4302, f"The file is larger than {limit} MB.")
    content_type = call.request.headers.get(b"content-type", b"")
    if not body:
        raise _nothing()
    if not content_type.lower().startswith(b"multipart/form-data"):
        raise multipart.invalid_upload()
    parts = [part for part in multipart.read(body, content_type=content_type) if part.name == "file"]
    if len(parts) > 1:
        raise Refusal(4301, "Only one file can be uploaded at a time.")
    if not parts or not parts[0].content:
        raise _nothing()
    if len(parts[0].content) > limit * 1024 * 1024:
        raise Refusal(4302, f"The file is larger than {limit} MB.")
    return envelope(call.log_id, data=_keep(call, parts[0]))


def _nothing() -> Refusal:
    return Refusal(4300, "The uploaded file is empty.")


def _keep(call: Call, part: multipart.FormPart) -> dict[str, Any]:
    file: dict[str, Any] = {
        "id": call.world.ids.next(),
        "bytes": len(part.content),
        "created_at": call.world.now(),
        "file_name": part.file_name or "file",
    }
    kept = file | {"account_id": call.identity.account_id}
    call.world.store.documents.put(KIND, file["id"], kept)
    return file


async def retrieve(call: Call) -> Reply:
    """Files belong to the account; sessions do not divide them."""
    file = call.world.store.documents.get(KIND, call.query.required("file_id"))
    if file is None or file.pop("account_id") != call.identity.account_id:
        raise not_found("File")
    return envelope(call.log_id, data=file)


ROUTES = (
    Route("POST", UPLOAD, upload),
    Route("GET", "/v1/files/retrieve", retrieve),
)
