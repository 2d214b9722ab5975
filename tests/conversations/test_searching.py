"""The search through what was said: Chinese and English, one's own alone, in step with what is said and deleted."""

import time
import uuid

import pytest
from django.test import Client

from accounts.models import User
from conversations.finding import index, words
from conversations.models import Message, SearchEntry
from conversations.turns import delete_conversation
from tests.conversations import rows

SEARCH = "/api/search"


@pytest.fixture(autouse=True)
def no_coze(settings, tmp_path):
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.COZE_EMULATOR_DIR = tmp_path


@pytest.fixture
def alice(db) -> User:
    return User.objects.create_user("alice")


@pytest.fixture
def bob(db) -> User:
    return User.objects.create_user("bob")


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def found(user: User, query: str) -> list[dict]:
    return client_of(user).get(SEARCH, {"q": query}).json()["items"]


def titles(user: User, query: str) -> set[str]:
    return {item["title"] for item in found(user, query)}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("张三", {"names"}),
        ("李四", set()),
        ("张", {"names"}),
        ("我叫张三", {"names"}),
        ("三张", set()),  # both characters and both pairs around it are there, the word is not
        ("程序员", {"job"}),
        ("程员", set()),
        ("latte", {"coffee"}),
        ("lat", {"coffee"}),
        ("LATTE art", {"coffee"}),
        ("latte fine", {"coffee"}),
        ("latte 程序员", set()),
        ("latté", set()),
        ("ﬁne", {"coffee"}),  # a ligature is the same word
        ("ＣＯＦＦＥＥ", {"coffee"}),  # so are full-width letters
        ("3.5", {"coffee"}),
        ("35", set()),
        ("c++", {"job"}),
        ("straße", {"job"}),
        ("STRASSE", {"job"}),
        ("привет", {"job"}),
        ("안녕", {"job"}),
        ("🍵", {"tea"}),
        ("コーヒー", {"tea"}),
        ("สวัสดี", {"tea"}),
    ],
)
def test_words_of_many_scripts_are_found(query, wanted, alice):
    for title, question, answer in [
        ("names", "你好,我叫张三,我25岁", "张先生,您好"),
        ("job", "我是程序员,写 C++ in der Straße", "Привет 안녕하세요"),
        ("coffee", "Coffee: fine latte art, 3.5 bar", "拿铁艺术"),
        ("tea", "🍵 コーヒーではなく", "สวัสดีครับ"),
    ]:
        rows.turn(rows.conversation(alice, title=title), question, answer)
    assert titles(alice, query) == wanted | ({"coffee"} if query == "coffee" else set())


def test_every_piece_of_the_query_has_to_be_there(alice):
    rows.turn(rows.conversation(alice, title="one"), "red green", "blue")
    rows.turn(rows.conversation(alice, title="two"), "red", "green")
    assert titles(alice, "red green") == {"one"}
    assert titles(alice, "green red") == {"one"}


def test_title_and_excerpt_come_in_pieces_that_say_what_was_found(alice):
    rows.turn(rows.conversation(alice, title="Tea <b>Latte</b>"), "x" * 80 + " a latte, please", "")
    (item,) = found(alice, "latte")
    assert item["parts"]["title"] == [["Tea <b>", False], ["Latte", True], ["</b>", False]]
    assert ["latte", True] in item["parts"]["excerpt"]
    assert "".join(text for text, _hit in item["parts"]["excerpt"]) == item["excerpt"]
    message = Message.objects.get(role="user")
    assert (item["message"], item["turn"]) == (message.pk, str(message.turn_id))


def test_bob_finds_nothing_of_alices_even_with_what_the_index_writes_for_her(alice, bob):
    rows.turn(rows.conversation(alice, title="secret plans"), "secret 张三", "secret")
    assert titles(alice, "secret") == {"secret plans"}
    for query in (
        "secret",
        "张三",
        "plans",
        words.owner_word(alice.pk),
        f"secret {words.owner_word(alice.pk)}",
    ):
        assert found(bob, query) == []


@pytest.mark.parametrize(
    "query",
    ['"', "'", "''", "\\", "' | 'secret", '" OR "secret', "secret*", ":*", "&", "a AND", "NEAR(", "\ue000", "\ue125",
     "words:secret", "{words}", "^", "-", "(", "\U0010ffff", "\u0301", "a\u0301", "٣", "᠎", "x" * 5000],
)  # fmt: skip
def test_no_query_speaks_to_the_database(query, alice, bob):
    rows.turn(rows.conversation(bob, title="his"), "secret", "secret")
    rows.turn(rows.conversation(alice, title="hers"), "hidden", "hidden")
    assert found(alice, query) == []


def test_an_answer_is_found_once_it_has_ended_and_not_before(alice):
    thread = rows.conversation(alice, title="x")
    turn = rows.turn(thread, "question", "growing answer", status="in_progress")
    assert titles(alice, "growing") == set()
    turn.status, turn.ended_at = "completed", "2026-01-01T00:00:00Z"
    turn.save()
    assert titles(alice, "growing") == {"x"}


def test_what_is_deleted_leaves_the_index(alice):
    thread = rows.conversation(alice, title="gone")
    rows.turn(thread, "needle", "haystack")
    assert titles(alice, "needle") == {"gone"}
    assert index.holding("needle", owner_id=alice.pk, before=2**62, most=5)
    delete_conversation(alice, conversation_id=thread.pk)
    Message.objects.filter(conversation=thread).delete()
    assert found(alice, "needle") == []
    assert index.holding("needle", owner_id=alice.pk, before=2**62, most=5) == []
    assert SearchEntry.objects.count() == 0


def test_words_that_are_taken_in_again_take_the_place_of_the_former(alice):
    rows.turn(rows.conversation(alice, title="x"), "before", "")
    assert titles(alice, "before") == {"x"}
    Message.objects.filter(role="user").update(content="after", is_indexed=False)
    assert titles(alice, "after") == {"x"}
    assert index.holding("before", owner_id=alice.pk, before=2**62, most=5) == []


def test_old_messages_are_taken_in_piece_by_piece_newest_first(alice):
    thread = rows.conversation(alice)
    for number in range(6):
        rows.turn(thread, f"question {number}", f"answer {number}")
    newest = list(Message.objects.order_by("-pk").values_list("pk", flat=True)[:5])
    assert index.take_in(index.pending(), most=5) == 5
    assert set(SearchEntry.objects.values_list("pk", flat=True)) == set(newest)
    assert index.take_in(index.pending(), most=50) == 7
    assert index.take_in(index.pending(), most=50) == 0


def test_a_huge_text_is_kept_as_far_as_there_is_room(alice):
    huge = " ".join(f"word{number}" for number in range(100_000)) + " 终点"
    rows.turn(rows.conversation(alice, title="huge"), huge, "x" * 2_000_000)
    began = time.monotonic()
    assert titles(alice, "word1") == {"huge"}
    assert titles(alice, "word20000") == {"huge"}
    assert len(SearchEntry.objects.order_by("message").first().words) < 600_000
    assert time.monotonic() - began < 20


def test_signs_and_owners_of_the_index_cannot_be_written_by_anybody(alice):
    typed = f"{words.owner_word(1)} {words.index_text('%', owner_id=2)}"
    kept = words.index_text(typed, owner_id=3).split(" ")
    assert [word for word in kept if word.startswith("\ue000")] == [words.owner_word(3)]


def test_a_strange_conversation_id_finds_no_message(alice):
    rows.turn(rows.conversation(alice, title=str(uuid.uuid4())), "a", "b")
    assert found(alice, str(uuid.uuid4())) == []
