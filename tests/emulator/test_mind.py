"""The mind: pure, deterministic, and honest about what it does not know."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cozechat.emulator.mind import Utterance, answer
from cozechat.emulator.tokenizer import count_tokens, split_tokens


def ask(*said: str, others: tuple[tuple[str, ...], ...] = ()) -> str:
    """Says everything in turn and returns the last answer."""
    thread: list[Utterance] = []
    known = [[Utterance("user", text) for text in other] for other in others]
    for text in said:
        thread.append(Utterance("user", text))
        thread.append(Utterance("assistant", answer([*known, thread]).text))
    return thread[-1].content


@pytest.mark.parametrize(
    ("told", "asked", "expected"),
    [
        ("你好,我叫张三,我25岁", "我叫什么名字?我多大?", ["张三", "25"]),
        ("你好，我叫张三，我２５岁。", "我叫什么名字？我多大？", ["张三", "25"]),
        ("你好,我叫李四,我是程序员", "我叫什么名字?我的职业是什么?", ["李四", "程序员"]),
        ("我的名字是欧阳娜娜,今年二十五岁", "你还记得我的名字吗?我几岁?", ["欧阳娜娜", "二十五"]),
        ("我是李四", "我是谁?", ["李四"]),
        ("我叫张三25岁", "我叫什么?我多大了?", ["张三", "25"]),
        ("我叫王五,是一名老师", "我是做什么的?", ["老师"]),
        ("叫我小明吧", "我叫什么?", ["小明"]),
        ("暗号是斑马", "暗号是什么?", ["斑马"]),
        ("请记住暗号:紫色大象42", "我的暗号是什么？", ["紫色大象42"]),
        ("记住:密码是 abc-123。", "密码是多少?", ["abc-123"]),
        ("记住这个词:plum-4821", "我让你记住的词是什么?", ["plum-4821"]),
        ("我最喜欢的颜色是绿色", "我最喜欢的颜色是什么?", ["绿色"]),
        ("我的猫叫咪咪", "我的猫叫什么?", ["咪咪"]),
        ("My name is Alice and I am 30", "What is my name? How old am I?", ["Alice", "30"]),
        ("my name is Alice, I'm 30 years old.", "what's my name and how old am I", ["Alice", "30"]),
        ("Hi, I'm Bob. I am a carpenter.", "Who am I? What is my job?", ["Bob", "carpenter"]),
        ("I work as an engineer", "what do I do?", ["engineer"]),
        ("the secret word is zebra", "What is the secret word?", ["zebra"]),
        ("Remember the secret word: zebra-17!", "what's the secret word", ["zebra-17"]),
        ("My password is 'hunter 2'.", "Tell me my password", ["hunter 2"]),
        ("Please remember the word plum-4821", "What word did I ask you to remember?", ["plum-4821"]),
        ("My favourite colour is green.", "what's my favorite color?", ["green"]),
        ("My dog is called Rex", "What is my dog's name?", ["Rex"]),
        ("我叫张三,我的朋友叫李四", "李四是谁?", ["李四", "朋友"]),
    ],
)
def test_what_was_told_is_remembered(told: str, asked: str, expected: list[str]) -> None:
    said = ask(told, "好的 ok", asked)
    assert all(fact in said for fact in expected), said


def test_a_correction_replaces_what_was_told() -> None:
    assert "Bea" in ask("My name is Alice", "Sorry, my name is Bea", "what is my name?")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("李四是谁?", "我不知道李四是谁"),
        ("你认识李四吗?", "我不知道李四是谁"),
        ("谁是李四？", "我不知道李四是谁"),
        ("who is Bob?", "I do not know who Bob is"),
        ("Do you know Bob?", "I do not know who Bob is"),
        ("我叫什么名字?", "你还没有告诉我你的名字"),
        ("what is the secret word?", "You have not told me your secret word"),
        ("How old am I?", "You have not told me your age"),
        ("我的职业是什么?", "你还没有告诉我你的职业"),
    ],
)
def test_what_was_not_told_is_not_invented(asked: str, expected: str) -> None:
    said = ask("你好", asked)
    assert expected in said
    assert "程序员" not in said


def test_questions_are_not_taken_for_statements() -> None:
    assert "你还没有告诉我你的名字" in ask("我叫什么名字?", "我叫什么名字?")


def test_an_answer_of_the_assistant_is_no_fact() -> None:
    thread = [Utterance("assistant", "我叫王五"), Utterance("user", "我叫什么名字?")]
    assert "王五" not in answer([thread]).text


def test_other_threads_are_known_only_if_they_are_given() -> None:
    others = (("我叫李四,我是程序员,暗号是斑马",),)
    assert "程序员" in ask("我叫张三", "李四是谁?", others=others)
    assert "张三" in ask("我叫张三", "我叫什么名字?", others=others)
    assert "斑马" in ask("我叫张三", "暗号是什么?", others=others)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("画一张表格", "|:-----|"),
        ("show me a table", "|:-----|"),
        ("写一段代码", "```python"),
        ("show me some code", "```python"),
        ("写一首诗", "##"),
        ("来个公式", "$$"),
        ("some math please", "$$"),
        ("make a list", "1. "),
        ("你能做什么", "**扣子(Coze)的本地替身**"),
        ("help", "Count to 200"),
        ("写一篇长文", "## 8. 结语"),
        ("write a long text", "## 8. The end"),
    ],
)
def test_set_pieces_come_on_request_in_the_language_of_the_question(asked: str, expected: str) -> None:
    assert expected in ask(asked)


def test_a_long_text_is_long() -> None:
    assert count_tokens(ask("write a long text")) > 700


@pytest.mark.parametrize("asked", ["count to 200", "Please count from 1 to 200", "数到200", "从1数到 200"])
def test_counting_goes_up_to_the_number_and_gives_one_piece_for_each(asked: str) -> None:
    said = ask(asked)
    assert said == " ".join(str(number) for number in range(1, 201))
    assert len(list(split_tokens(said))) == 200


def test_counting_has_an_end() -> None:
    assert ask("count to 999999999").endswith(" 10000")


@pytest.mark.parametrize("asked", ["count to 5 slowly", "慢慢数到5"])
def test_slowly_is_slow(asked: str) -> None:
    assert answer([[Utterance("user", asked)]]).pace < 1


def test_the_same_conversation_gets_the_same_words_and_another_one_others() -> None:
    assert ask("The sky is blue") == ask("The sky is blue")
    assert len({ask(f"thought number {number}")[:12] for number in range(12)}) > 1


def test_known_facts_turn_up_in_small_talk() -> None:
    assert "张三" in ask("我叫张三", "今天的云很好看")


@given(st.text(max_size=300))
def test_the_pieces_of_any_text_add_up_to_it(text: str) -> None:
    assert "".join(split_tokens(text)) == text


@given(st.lists(st.text(max_size=80), min_size=1, max_size=4))
def test_the_mind_has_an_answer_to_anything(said: list[str]) -> None:
    assert answer([[Utterance("user", text) for text in said]]).text


@pytest.mark.parametrize(
    "text", [" " * 100_000, "a " * 50_000, "我叫" + "a" * 100_000, "and " * 30_000, "数到" + " " * 99_999]
)
def test_no_text_keeps_the_mind_busy(text: str) -> None:
    began = time.monotonic()
    answer([[Utterance("user", text)]])
    assert time.monotonic() - began < 0.5


def test_a_long_conversation_is_read_quickly() -> None:
    thread = [
        Utterance("user", f"My name is Alice and I am {number % 90}, 我喜欢红色") for number in range(1000)
    ]
    began = time.monotonic()
    assert "Alice" in answer([[*thread, Utterance("user", "what is my name?")]]).text
    assert time.monotonic() - began < 0.5


def test_chinese_comes_in_pieces_of_one_to_three_characters() -> None:
    pieces = list(split_tokens("流水不争先争的是滔滔不绝"))
    assert {len(piece) for piece in pieces} == {1, 2, 3}
