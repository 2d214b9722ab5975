"""A person sees who did what to their own data, what there is, and nothing of anybody else."""

import asyncio
import csv
import io
import json
import zipfile

import pytest
from django.test import AsyncClient, Client

from accounts.models import User
from conversations.models import Message
from cozechat.audit.models import AuditEvent, Verb
from cozechat.audit.recording import record
from tests.audit.conftest import SECRET, signed_in
from tests.conversations import rows

pytestmark = pytest.mark.django_db(transaction=True)


def text_of(user, query="", **headers) -> str:
    return signed_in(user).get(f"/accounts/privacy/{query}", headers=headers).content.decode()


def test_alice_reads_that_root_opened_her_conversation(root, alice, thread):
    quiet = text_of(alice)
    assert "nobody but you has opened your conversations" in quiet
    signed_in(root).get(f"/admin/conversations/conversation/{thread.pk}/change/")
    page = text_of(alice)
    assert f'<a href="/c/{thread.pk}/">Administrator root opened: one of your conversations</a>' in page
    assert "administrators looked at your data once" in page
    assert "You signed in" in page


def test_bob_reads_nothing_of_it(root, alice, bob, thread):
    signed_in(root).get(f"/admin/conversations/conversation/{thread.pk}/change/")
    record(Verb.SEEING_BEGAN, subject_id=alice.pk, actor_id=root.pk, reason="about alice", is_staff_act=True)
    for query in ("", "?show=staff", "?show=own", f"?subject_id={alice.pk}&user={alice.pk}", "?show=rubbish"):
        page = text_of(bob, query)
        assert "root" not in page
        assert "about alice" not in page
        assert str(thread.pk) not in page


def test_root_does_not_read_of_others_in_the_own_log(root, alice, thread):
    signed_in(root).get(f"/admin/conversations/conversation/{thread.pk}/change/")
    assert str(thread.pk) not in text_of(root)


def test_the_staffs_network_is_not_shown(root, alice, thread):
    AuditEvent.objects.create(
        verb=Verb.OPENED, subject_id=alice.pk, actor_id=root.pk, is_staff_act=True, address="198.51.100.0/24",
        agent="Opera, Windows", kind="conversations.conversation", object_id=str(thread.pk),
    )  # fmt: skip
    page = text_of(alice)
    assert "198.51.100" not in page
    assert "Opera" not in page


def test_the_log_is_paged_and_filtered(alice, root):
    for number in range(65):
        record(Verb.KEY_MADE, subject_id=alice.pk, actor_id=alice.pk, object_id=str(number))
    record(
        Verb.CHANGED,
        subject_id=alice.pk,
        actor_id=root.pk,
        kind="accounts.user",
        is_staff_act=True,
        detail="Email",
    )
    client = signed_in(alice)
    first = client.get("/accounts/privacy/")
    lines, seen = list(first.context["lines"]), 1
    while first.context["next"]:
        first = client.get(f"/accounts/privacy/?after={first.context['next']}")
        lines += first.context["lines"]
        seen += 1
    assert (len(lines), seen) == (67, 3)
    (staff,) = client.get("/accounts/privacy/?show=staff").context["lines"]
    assert (staff.text, staff.detail) == ("Administrator root changed: your account", "Email")


@pytest.mark.parametrize(("query", "status"), [
    ("after=rubbish", 404), ("after=1-", 404), ("after=%00", 404), ("after=" + "9" * 18 + "-1", 404),
    ("after=1-1", 200), ("show=%00", 200), ("show=staff&show=own", 200), ("after=", 200),
])  # fmt: skip
def test_rubbish_in_the_address(alice, query, status):
    assert signed_in(alice).get(f"/accounts/privacy/?{query}").status_code == status


def test_an_event_that_makes_no_sense_is_still_shown(alice, root):
    for kind, verb in (
        ("rubbish", "opened"),
        ("no.model", "acted"),
        ("", "listed"),
        ("accounts.user", "new_verb"),
    ):
        for as_staff in (True, False):
            record(verb, subject_id=alice.pk, actor_id=10**9, kind=kind, object_id="x", is_staff_act=as_staff)
    page = text_of(alice)
    assert "A former administrator did something with: no.model" in page


def test_it_is_there_in_chinese(alice, root, thread):
    signed_in(root).get(f"/admin/conversations/conversation/{thread.pk}/change/")
    page = text_of(alice, **{"accept-language": "zh-hans"})
    assert "管理员 root 打开了：你的一个对话" in page


@pytest.mark.parametrize("path", ["", "export.zip", "delete/"])
def test_nobody_is_sent_to_the_sign_in(path):
    assert Client().get(f"/accounts/privacy/{path}")["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("path", ["", "export.zip", "delete/"])
def test_other_methods_are_refused(alice, path):
    assert signed_in(alice).put(f"/accounts/privacy/{path}").status_code == 405


def test_what_is_stored_is_counted_for_oneself(alice, bob, thread):
    rows.turn(rows.conversation(bob), "bobs", "words")
    counted = {
        each.label: each.count for each in signed_in(alice).get("/accounts/privacy/").context["holdings"]
    }
    assert (counted["Conversations"], counted["Messages"], counted["Turns"]) == (1, 2, 1)


def unzipped(client, path="/accounts/privacy/export.zip") -> dict[str, bytes]:
    answer = client.get(path)
    assert answer["Content-Type"] == "application/zip"
    file = zipfile.ZipFile(io.BytesIO(b"".join(asyncio.run(_all(answer.streaming_content)))))
    assert file.testzip() is None
    return {name: file.read(name) for name in file.namelist()}


def test_everything_of_alices_is_in_the_file_and_nothing_of_bobs(alice, bob, root, thread):
    rows.turn(rows.conversation(bob, title="bobs affair"), "bobs words", "for bob")
    rows.conversation(alice, title="gone", deleted_at=thread.created_at)
    for number in range(25):
        rows.turn(thread, f"question {number}", "答案")
    signed_in(root).get(f"/admin/conversations/conversation/{thread.pk}/change/")
    files = unzipped(signed_in(alice))
    stem = f"conversations/{thread.created_at:%Y-%m-%d}-{thread.pk}"
    assert set(files) == {
        "README.txt", "profile.json", f"{stem}.md", f"{stem}.json", "usage.csv", "access-log.csv",
    }  # fmt: skip
    said = json.loads(files[f"{stem}.json"])
    assert [message["content"] for message in said["messages"]][:2] == [SECRET, f"{SECRET}, answered"]
    assert len(said["messages"]) == 52
    assert "html" not in str(said)
    assert files[f"{stem}.md"].decode().count("答案") == 25
    assert json.loads(files["profile.json"])["email_addresses"][0]["email"] == "alice@example.com"
    log = list(csv.DictReader(io.StringIO(files["access-log.csv"].decode("utf-8-sig"))))
    assert {line["act"] for line in log} == {"opened", "signed_in", "exported"}
    assert [line["network"] for line in log if line["act"] == "opened"] == [""]
    assert b"bob" not in b"".join(files.values())
    assert "password" not in str(json.loads(files["profile.json"]))


def test_the_export_of_one_and_of_all_say_the_same(alice, thread):
    client = signed_in(alice)
    one = client.get(f"/api/conversations/{thread.pk}/export?format=json").json()
    files = unzipped(client)
    (name,) = (name for name in files if name.startswith("conversations/") and name.endswith(".json"))
    assert json.loads(files[name]) == one


def test_an_account_without_anything_has_a_file_too(bob):
    assert set(unzipped(signed_in(bob))) == {"README.txt", "profile.json", "usage.csv", "access-log.csv"}


def test_a_cell_that_a_spreadsheet_would_compute_is_made_harmless(alice, root):
    record(Verb.SEEING_BEGAN, subject_id=alice.pk, actor_id=root.pk, reason="=1+1", is_staff_act=True)
    assert ",'=1+1," in unzipped(signed_in(alice))["access-log.csv"].decode()


def test_the_export_stands_in_the_log_and_is_limited(alice):
    client = signed_in(alice)
    assert asyncio.run(_statuses(client.cookies, count=5)) == [200, 200, 200, 429, 429]
    assert "You took all your data with you" in text_of(alice)
    assert AuditEvent.objects.about(alice).filter(verb=Verb.EXPORTED).count() == 3


def test_the_file_is_written_while_it_is_sent(alice, thread):
    """Of forty answers of a megabyte each, which do not get smaller, only some are in memory at a time."""
    import secrets
    import tracemalloc

    from django.utils import timezone

    from conversations.privacy.archive import archive

    for number in range(40):
        rows.turn(thread, f"question {number}", secrets.token_hex(512 * 1024))
    assert Message.objects.count() == 82
    tracemalloc.start()
    sizes = asyncio.run(_sizes(archive(User.objects.get(pk=alice.pk), now=timezone.now())))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(sizes) > 40 * 1024 * 1024
    assert max(sizes) < 1024 * 1024
    assert peak < 30 * 1024 * 1024


async def _all(chunks) -> list[bytes]:
    return [chunk async for chunk in chunks]


async def _statuses(cookies, *, count) -> list[int]:
    """On one loop, as a server has it."""
    client = AsyncClient()
    client.cookies = cookies
    found = []
    for _try in range(count):
        answer = await client.get("/accounts/privacy/export.zip")
        found.append(answer.status_code)
        if answer.streaming:
            await _all(answer.streaming_content)
    return found


async def _sizes(chunks) -> list[int]:
    return [len(chunk) async for chunk in chunks]


async def _some(chunks, count) -> None:
    async for _chunk in chunks:
        count -= 1
        if not count:
            break
    await chunks.aclose()


def test_a_download_that_is_broken_off_leaves_nothing_open(alice, thread):
    import gc

    from django.utils import timezone

    from conversations.privacy.archive import archive

    for number in range(30):
        rows.turn(thread, f"question {number}", "answer " * 20_000)
    for count in (1, 2, 3):
        asyncio.run(_some(archive(User.objects.get(pk=alice.pk), now=timezone.now()), count))
    gc.collect()
