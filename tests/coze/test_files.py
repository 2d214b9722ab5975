"""Files: one form with one field, whatever the file is called and however large it is."""

import email.parser
import email.policy
from email.message import EmailMessage
from typing import Any, cast

import pytest

from cozechat.coze import errors
from cozechat.coze.calls import PIECE
from cozechat.coze.files import UploadedFile
from cozechat.coze.refusals import FileRefused
from tests.coze.asking import ask, refusal
from tests.coze.wire import ALICE, LOG_ID, Received, Step, envelope

WIRE = {"id": "736949598110202", "bytes": "152236", "created_at": 1715847583, "file_name": "1120.png"}
FILE = UploadedFile("736949598110202", "1120.png", 152236, 1715847583)


def form_of(request: Received) -> EmailMessage:
    """The one part of a form, as somebody else's parser reads it."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    (part,) = parsed.iter_parts()
    return cast("EmailMessage", part)


def upload(**given: Any) -> tuple[Any, Received]:
    given = {"name": "a.txt", "content": b"abc"} | given
    return ask(lambda client: client.files.upload(ALICE, **given), envelope(WIRE))


def test_a_file_is_the_only_field_of_its_form():
    found, request = upload(name="图.png", content=b"\x00\r\n--\xff", media_type="image/png")
    assert found == FILE
    assert (request.method, request.target) == ("POST", "/v1/files/upload")
    assert request.headers["authorization"] == "Bearer czs_alice"
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    part = form_of(request)
    assert part.get_content_type() == "image/png"
    assert part.get_payload(decode=True) == b"\x00\r\n--\xff"
    assert 'name="file"; filename="图.png"'.encode() in request.body
    assert b"session_name" not in request.body


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ('a"b.txt', "a%22b.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\fakepath\\a.txt", "a.txt"),
        ("a\r\nX-Evil: 1.txt", "aX-Evil: 1.txt"),
        ("a\ud83d.txt", "a\ufffd.txt"),
        ("folder/", "file"),
        ("", "file"),
        ("x" * 500, "x" * 200),
    ],
)
def test_a_name_stays_within_its_quotes(name: str, sent: str):
    _, request = upload(name=name)
    head = request.body.partition(b"\r\n\r\n")[0].decode()
    assert head.split("\r\n")[1:] == [
        f'Content-Disposition: form-data; name="file"; filename="{sent}"',
        "Content-Type: application/octet-stream",
    ]


def test_a_media_type_cannot_add_a_header():
    _, request = upload(media_type="text/plain\r\nX-Evil: 1")
    assert b"\r\nX-Evil" not in request.body


@pytest.mark.parametrize("size", [0, PIECE, PIECE + 1, 5 * PIECE])
def test_a_file_of_any_size_arrives_whole(size: int):
    content = bytes(range(256)) * (size // 256) + b"!" * (size % 256)
    _, request = upload(content=content)
    assert form_of(request).get_payload(decode=True) == content
    assert "transfer-encoding" not in request.headers


@pytest.mark.parametrize("code", [4300, 4301, 4302, 4303, "4304"])
def test_a_file_that_coze_does_not_take_is_the_users_matter(code: Any):
    error = refusal(
        lambda client: client.files.upload(ALICE, name="a", content=b""), envelope(code=code, msg="no")
    )
    assert (type(error), error.code, error.kind) == (FileRefused, int(code), "content_refused")


def test_an_upload_whose_answer_is_lost_is_not_repeated():
    async def act(client: Any) -> None:
        with pytest.raises(errors.ConnectionLost):
            await client.files.upload(ALICE, name="a", content=b"abc")

    ask(act, [b"", Step(reset=True)])  # which sees one request, no more


def test_a_file_is_looked_up_by_its_id():
    found, request = ask(lambda client: client.files.retrieve(ALICE, "736949598110202"), envelope(WIRE))
    assert found == FILE
    assert (request.method, request.target) == ("GET", "/v1/files/retrieve?file_id=736949598110202")
    error = refusal(lambda client: client.files.retrieve(ALICE, "1"), envelope({"file_name": "x"}))
    assert type(error) is errors.BadResponse


def test_a_file_that_is_not_there_is_not_called_unpublished():
    missing = envelope(code=4200, msg="File not found.")
    error = refusal(lambda client: client.files.retrieve(ALICE, "1"), missing)
    assert (type(error), error.code, error.log_id) == (errors.NotFound, 4200, LOG_ID)
    unpublished = envelope(code=4015, msg="not published")
    assert type(refusal(lambda client: client.bots.retrieve(ALICE, "1"), unpublished)) is errors.NotPublished
