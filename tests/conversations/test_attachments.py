"""Files beside a question: taken in, told to Coze, shown to their owner alone, and gone with what they belong to."""

import uuid
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import F
from django.test import Client
from django.utils import timezone

from conversations import turns
from conversations.attaching import kinds
from conversations.models import Attachment, AttachmentPiece, Conversation
from conversations.turns import sweeping
from cozechat import database
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant
from tests.tabs import HOST

PATH = "/api/uploads/"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


def client_of(user):
    client = Client(HTTP_HOST=HOST)
    client.force_login(user)
    return client


def put(user, name="cat.png", content=PNG):
    return client_of(user).post(PATH, {"file": SimpleUploadedFile(name, content)})


def put_name(user, name, content=b"words"):
    """A name that no browser would send: straight into the form."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + name.encode() + b'"\r\n'
        b"Content-Type: text/plain\r\n\r\n" + content + b"\r\n--b--\r\n"
    )
    return client_of(user).generic("POST", PATH, body, content_type="multipart/form-data; boundary=b")


def uploaded(user, **given):
    answer = put(user, **given)
    assert answer.status_code == 201, answer.content
    return answer.json()


def fetch(user, attachment_id):
    return client_of(user).get(f"{PATH}{attachment_id}/")


def bot():
    default_assistant()
    return Assistant.objects.get(kind=Assistant.Kind.BOT).pk


async def refusal(page, **fields):
    question = {"client_id": str(uuid.uuid4()), "conversation": None, "content": "look", **fields}
    await page.send("turn.start", **question)
    return await page.until("error", "turn.accepted")


def test_a_picture_comes_back_to_its_owner_as_it_was_and_can_run_nothing(alice):
    made = uploaded(alice)
    assert (made["name"], made["size"], made["image"]) == ("cat.png", len(PNG), True)
    found = fetch(alice, made["id"])
    assert found.content == PNG
    assert found["Content-Type"] == "image/png"
    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["Content-Disposition"].startswith("inline")
    assert "sandbox" in found["Content-Security-Policy"]
    assert "no-store" in found["Cache-Control"]


@pytest.mark.parametrize("name", ["page.html", "notes.md", "table.csv"])
def test_anything_but_a_picture_is_only_for_download(alice, name):
    made = uploaded(alice, name=name, content=b"<script>alert(1)</script>")
    found = fetch(alice, made["id"])
    assert found["Content-Type"] == "application/octet-stream"
    assert found["Content-Disposition"].startswith("attachment")


def test_a_drawing_that_can_run_scripts_is_never_shown(alice, settings):
    settings.ATTACHMENT_TYPES = ("svg",)
    made = uploaded(alice, name="a.svg", content=b"<svg onload='alert(1)'/>")
    assert not made["image"]
    assert fetch(alice, made["id"])["Content-Type"] == "application/octet-stream"


def test_a_large_file_is_kept_in_pieces(alice):
    content = b"0123456789" * 100_000
    made = uploaded(alice, name="long.txt", content=content)
    assert AttachmentPiece.objects.filter(attachment_id=made["id"]).count() == 2
    assert fetch(alice, made["id"]).content == content


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("empty.txt", b"", 400, "empty"),
        ("virus.exe", b"MZ", 415, "wrong_type"),
        ("no-ending", b"words", 415, "wrong_type"),
        ("cat.png", b"<html>", 415, "wrong_content"),
        ("cat.webp", b"RIFF....WAVE", 415, "wrong_content"),
        ("words.txt", b"a\x00b", 415, "wrong_content"),
        ("big.txt", b"x" * (1024 * 1024 + 1), 413, "too_large"),
    ],
)
def test_what_is_not_taken_is_refused_by_name(alice, settings, name, content, status, code):
    settings.ATTACHMENT_BYTES = 1024 * 1024
    answer = put(alice, name, content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not Attachment.objects.exists()


def test_a_zip_bomb_is_just_bytes(alice):
    bomb = b"PK\x03\x04" + b"\x00" * 5000
    assert uploaded(alice, name="bomb.docx", content=bomb)["size"] == len(bomb)


def test_nobody_takes_more_room_than_there_is_for_one(alice, bob, settings):
    settings.ATTACHMENT_ROOM_BYTES = 2 * len(PNG)
    uploaded(alice)
    uploaded(alice)
    assert put(alice).json()["error"]["code"] == "no_room"
    uploaded(bob)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\folder\\a.txt", "a.txt"),
        ("evil\u202etxt.exe.txt", "eviltxt.exe.txt"),
        ("a\x00b\x01\n.txt", "ab.txt"),
        ("...txt", "txt"),
        ("\u4f60\u597d.txt", "\u4f60\u597d.txt"),
        ("x" * 300 + ".txt", "x" * 116 + ".txt"),
    ],
)
def test_names_lose_what_would_lead_astray(given, kept):
    assert kinds.plain_name(given) == kept


def test_a_name_with_folders_and_marks_is_stored_plain(alice):
    answer = put_name(alice, "../../\u202eevil.txt")
    assert answer.json()["name"] == "evil.txt"


@pytest.mark.parametrize("body", [{}, {"file": "words"}, {"other": SimpleUploadedFile("a.txt", b"x")}])
def test_rubbish_instead_of_a_file_is_refused(alice, body):
    assert client_of(alice).post(PATH, body).status_code == 400


def test_a_body_that_is_no_form_is_refused(alice):
    answer = client_of(alice).generic(
        "POST", PATH, b"\x00\xff" * 50, content_type="multipart/form-data; boundary=b"
    )
    assert answer.status_code == 400
    assert client_of(alice).post(PATH, "[]", content_type="application/json").status_code == 400


def test_without_a_log_in_and_without_its_token_nothing_is_taken(alice):
    assert Client(HTTP_HOST=HOST).post(PATH, {}).status_code == 401
    strict = Client(HTTP_HOST=HOST, enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post(PATH, {"file": SimpleUploadedFile("a.txt", b"x")}).status_code == 403


def test_bob_neither_sees_nor_removes_alices_file(alice, intruder):
    made = uploaded(alice)
    nothing = fetch(intruder, uuid.uuid4())
    theirs = fetch(intruder, made["id"])
    assert theirs.status_code == nothing.status_code == 404
    assert theirs.json()["error"]["message"] == nothing.json()["error"]["message"]
    assert client_of(intruder).delete(f"{PATH}{made['id']}/").status_code == 404
    assert fetch(alice, made["id"]).status_code == 200


async def test_bob_cannot_ask_with_alices_file(coze, alice, bob, tab):
    made = await database.run(uploaded, alice)
    assistant = await database.run(bot)
    async with tab(bob) as bobs:
        theirs = await refusal(bobs, attachments=[made["id"]], assistant=assistant)
        nobodys = await refusal(bobs, attachments=[str(uuid.uuid4())], assistant=assistant)
    assert theirs["code"] == nobodys["code"] == "attachment"
    assert theirs["message"] == nobodys["message"]
    assert not await database.run(Conversation.objects.filter(owner=bob).exists)


@pytest.mark.parametrize(
    "rubbish", ["x", 7, {}, [7], ["x"], [None], [str(uuid.uuid4())] * 2, [str(uuid.uuid4())] * 21, [["x"]]]
)
async def test_rubbish_in_the_frame_is_refused(coze, alice, tab, rubbish):
    async with tab(alice) as page:
        answer = await refusal(page, attachments=rubbish)
    assert answer["code"] == "bad_frame"


async def test_a_bot_is_shown_the_picture_and_the_words(coze, alice, tab):
    made = await database.run(uploaded, alice)
    async with tab(alice) as page:
        asked = await page.ask("What is this?", assistant=await database.run(bot), attachments=[made["id"]])
        await asked.end()
        assert asked.last["type"] == "turn.completed"
        assert f"`cat.png` ({len(PNG)} B)" in asked.text
        await page.send("conversation.open", conversation=asked.conversation)
        state = await page.until("conversation.state")
    question = state["messages"][0]
    assert question["content"] == "What is this?"
    assert question["attachments"] == [made]


async def test_a_chatflow_gets_one_file_through_its_input(coze, alice, tab):
    first, second = [await database.run(uploaded, alice) for _each in range(2)]
    async with tab(alice) as page:
        asked = await page.ask("And this?", attachments=[first["id"]])
        await asked.end()
        assert f"`cat.png` ({len(PNG)} B)" in asked.text
        refused = await refusal(page, attachments=[second["id"]], conversation=asked.conversation)
        assert refused["type"] == "turn.accepted"
        both = [(await database.run(uploaded, alice))["id"] for _each in range(2)]
        refused = await refusal(page, attachments=both)
    assert refused["code"] == "attachment"


async def test_who_takes_no_files_says_so_and_nothing_begins(coze, alice, tab):
    made = await database.run(uploaded, alice)
    await database.run(default_assistant)
    await database.run(Assistant.objects.filter(kind="chat_workflow").update, inputs=[])
    async with tab(alice) as page:
        refused = await refusal(page, attachments=[made["id"]])
    assert (refused["code"], refused["message"]) == ("attachment", "This assistant takes no files.")
    assert not await database.run(Conversation.objects.exists)


async def test_files_alone_have_their_names_for_words(coze, alice, tab):
    made = await database.run(uploaded, alice)
    async with tab(alice) as page:
        asked = await page.ask("", assistant=await database.run(bot), attachments=[made["id"]])
        await asked.end()
    assert asked.last["type"] == "turn.completed"
    conversation = await database.run(Conversation.objects.get, pk=asked.conversation)
    assert conversation.title == "cat.png"


async def test_a_file_of_another_chat_is_not_there(coze, alice, tab):
    made = await database.run(uploaded, alice)
    assistant = await database.run(bot)
    async with tab(alice) as page:
        asked = await page.ask("one", assistant=assistant, attachments=[made["id"]])
        await asked.end()
        refused = await refusal(page, attachments=[made["id"]], assistant=assistant)
        assert refused["code"] == "attachment"
        again = await page.ask("two", conversation=asked.conversation, attachments=[made["id"]])
        await again.end()
    assert "cat.png" in again.text


async def test_what_coze_has_let_go_is_uploaded_anew(coze, alice, tab):
    made = await database.run(uploaded, alice)
    async with tab(alice) as page:
        asked = await page.ask("one", assistant=await database.run(bot), attachments=[made["id"]])
        await asked.end()
        rows = Attachment.objects.filter(pk=made["id"])
        before = (await database.run(rows.get)).coze_file_id
        again = await page.ask("two", conversation=asked.conversation, attachments=[made["id"]])
        await again.end()
        assert (await database.run(rows.get)).coze_file_id == before
        await database.run(rows.update, at_coze_since=F("at_coze_since") - timedelta(days=81))
        later = await page.ask("three", conversation=asked.conversation, attachments=[made["id"]])
        await later.end()
    assert later.last["type"] == "turn.completed"
    assert (await database.run(rows.get)).coze_file_id not in ("", before)


async def test_files_go_with_their_conversation(coze, alice, tab):
    made = await database.run(uploaded, alice)
    async with tab(alice) as page:
        asked = await page.ask("one", assistant=await database.run(bot), attachments=[made["id"]])
        await asked.end()
        kept = await database.run(lambda: client_of(alice).delete(f"{PATH}{made['id']}/"))
        assert kept.status_code == 409
        await database.run(turns.delete_conversation, alice, conversation_id=uuid.UUID(asked.conversation))
    assert not await database.run(Attachment.objects.exists)
    assert not await database.run(AttachmentPiece.objects.exists)


def test_what_nobody_asked_with_can_be_removed_and_goes_after_a_day(alice):
    made, left = uploaded(alice), uploaded(alice)
    assert client_of(alice).delete(f"{PATH}{made['id']}/").status_code == 204
    sweeping._sweep()
    assert Attachment.objects.filter(pk=left["id"]).exists()
    Attachment.objects.update(created_at=timezone.now() - timedelta(hours=25))
    sweeping._sweep()
    assert not Attachment.objects.exists()


async def test_a_question_with_a_file_is_never_answered_from_an_earlier_one(coze, alice, tab, settings):
    settings.ANSWER_CACHE_SECONDS = 300
    assistant = await database.run(bot)
    first = await database.run(uploaded, alice)
    async with tab(alice) as page:
        asked = await page.ask("What is it?", assistant=assistant, attachments=[first["id"]])
        await asked.end()
        plain = await page.ask("What is it?", assistant=assistant)
        await plain.end()
        second = await database.run(lambda: uploaded(alice, name="dog.png"))
        other = await page.ask("What is it?", assistant=assistant, attachments=[second["id"]])
        await other.end()
    assert "cat.png" not in plain.text
    assert "dog.png" in other.text


async def test_a_question_in_the_queue_keeps_its_files(coze, alice, tab):
    assistant = await database.run(bot)
    made = await database.run(uploaded, alice)
    async with tab(alice) as page:
        first = await page.ask("count to 200 slowly", assistant=assistant)
        waiting = await page.ask("look", conversation=first.conversation, attachments=[made["id"]])
        queued = await page.until("turn.queued", turn=waiting.turn)
        assert queued["question"]["attachments"] == [made]
        await page.send("turn.stop", turn=first.turn)
        started = await page.until("turn.started", turn=waiting.turn)
        assert started["question"]["attachments"] == [made]
        await waiting.end()
    assert waiting.last["type"] == "turn.completed", waiting.last
    assert "cat.png" in waiting.text


@pytest.mark.parametrize("about", ["regenerates", "edits"])
async def test_a_question_that_is_asked_again_has_its_files(coze, alice, tab, about):
    made = await database.run(uploaded, alice)
    async with tab(alice) as page:
        asked = await page.ask("one", assistant=await database.run(bot), attachments=[made["id"]])
        await asked.end()
        again = await page.ask("two", conversation=asked.conversation, **{about: asked.turn})
        await again.end()
    assert "cat.png" in again.text
