"""Pictures and files of a message: uploaded to Coze, or left where they are."""

import base64
import binascii
from urllib.parse import unquote_to_bytes

from cozechat.coze.client import CozeClient
from cozechat.coze.parts import Content, FilePart, ImagePart, TextPart
from cozechat.coze.types import Caller
from cozechat.gateway.errors import bad_request
from cozechat.gateway.messages import Attachment, Said


async def content_of(said: Said, *, client: CozeClient, caller: Caller) -> Content:
    """A message as Coze takes it. Raises CozeError and Refusal."""
    if not said.attachments:
        return said.text
    files = [await _file(attachment, client=client, caller=caller) for attachment in said.attachments]
    # Coze takes no list of files alone; a bot that is shown a picture without a word is asked what it sees.
    return [TextPart(said.text or "?"), *files]


async def _file(attachment: Attachment, *, client: CozeClient, caller: Caller) -> FilePart:
    part = ImagePart if attachment.kind == "image" else FilePart
    if not attachment.url.startswith("data:"):
        return part(file_url=attachment.url)
    media_type, content = read_data_url(attachment.url)
    name = attachment.name or f"{attachment.kind}.{media_type.rpartition('/')[2][:10] or 'bin'}"
    uploaded = await client.files.upload(caller, name=name, content=content, media_type=media_type)
    return part(file_id=uploaded.id)


def read_data_url(url: str) -> tuple[str, bytes]:
    """Media type and content of a data URL. Raises Refusal."""
    head, comma, data = url.removeprefix("data:").partition(",")
    media_type, *options = head.split(";")
    try:
        content = base64.b64decode(data, validate=True) if "base64" in options else unquote_to_bytes(data)
    except (binascii.Error, ValueError):
        content = b""
    if not comma or not content:
        raise bad_request("A data URL cannot be read.", param="messages")
    return media_type or "application/octet-stream", content
