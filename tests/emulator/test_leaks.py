"""Leaky modes: each lets exactly the one thing through that it is named for."""

from typing import Any

from .raw import Session


def test_a_leaky_memory_knows_what_others_said(start: Any) -> None:
    emulator = start(leaky=["memory"])
    alice, bob = Session(emulator), Session(emulator)
    alice.chat("你好,我叫张三,我25岁", mine := alice.conversation())
    bob.chat("你好,我叫李四,我是程序员", theirs := bob.conversation())
    assert "程序员" in alice.chat("李四是谁?", mine).answer
    assert "25" in bob.chat("张三是谁?", theirs).answer
    assert bob.chat("hello", mine).json["code"] == 4002


def test_a_leaky_default_conversation_is_the_same_for_everybody(start: Any) -> None:
    emulator = start(leaky=["default-conversation"])
    alice, bob = Session(emulator), Session(emulator)
    used = [
        asker.chat(text).data("conversation.chat.created")["conversation_id"]
        for asker, text in ((alice, "我叫张三"), (bob, "我叫李四,我是程序员"))
    ]
    assert used[0] == used[1]
    assert "程序员" in alice.chat("我是做什么的?").answer
    assert len(bob.messages(used[0])["data"]) == 6
    own = alice.conversation()
    assert "程序员" not in alice.chat("我是做什么的?", own).answer
    assert bob.chat("hello", own).json["code"] == 4002


def test_a_token_without_a_session_falls_into_the_leaky_default_even_with_a_bot(start: Any) -> None:
    emulator = start(leaky=["default-conversation"])
    bot = {"app_id": None, "bot_id": emulator.credentials.bot_id}
    used = [
        Session(emulator, name=None).chat("hello", **bot).data("conversation.chat.created")["conversation_id"]
        for _ in range(2)
    ]
    assert used[0] == used[1]


def test_leaky_ownership_lets_anybody_at_any_conversation(start: Any) -> None:
    emulator = start(leaky=["ownership"])
    alice, bob = Session(emulator), Session(emulator)
    conversation = alice.conversation(bot_id=emulator.credentials.bot_id)
    alice.chat("我叫张三", conversation)
    assert bob.get(f"/v1/conversation/retrieve?conversation_id={conversation}").json["code"] == 0
    assert len(bob.messages(conversation)["data"]) == 2
    assert "张三" in bob.chat("我叫什么名字?", conversation).answer
    listed = bob.get(f"/v1/conversations?bot_id={emulator.credentials.bot_id}").json["data"]["conversations"]
    assert [row["id"] for row in listed] == [conversation]


def test_a_leaky_wrong_conversation_shows_in_the_first_frame(start: Any) -> None:
    alice = Session(start(leaky=["wrong-conversation"]))
    conversation = alice.conversation()
    reply = alice.chat("hello", conversation)
    shown = reply.data("conversation.chat.created")["conversation_id"]
    assert shown != conversation
    assert len(shown) == 19


def test_leaks_can_be_combined(start: Any) -> None:
    emulator = start(leaky=["memory", "ownership"])
    alice, bob = Session(emulator), Session(emulator)
    alice.chat("暗号是斑马", conversation := alice.conversation())
    assert "斑马" in bob.chat("暗号是什么?", bob.conversation()).answer
    assert bob.get(f"/v1/conversation/retrieve?conversation_id={conversation}").json["code"] == 0
