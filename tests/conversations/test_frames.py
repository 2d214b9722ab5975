"""Frames: read, built, and cut to a size that every socket takes."""

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import frames
from conversations.text import clean

LARGEST = 64 * 1024
ID = str(uuid.uuid4())
TEXTS = st.text(
    st.sampled_from("a中😀\x01\x7f\"\\\n\u2028") | st.characters(exclude_categories=("Cs",)), max_size=50
)  # fmt: skip


@given(seed=TEXTS, times=st.integers(1, 3000))
def test_pieces_fit_into_frames_and_are_the_text(seed, times):
    text = seed * times
    pieces = list(frames.pieces(text))

    assert "".join(pieces) == text
    assert pieces == [""] or all(pieces)
    for piece in pieces:
        frame = frames.build(
            "turn.sync", turn=ID, seq=2**53, content=piece, status="in_progress", offset=2**53, last=False
        )
        assert len(frame.encode()) <= LARGEST


@pytest.mark.parametrize("character", ["a", "中", "😀", "\x01", '"', "\u2028"])
def test_a_long_text_of_any_character_is_cut_between_characters(character):
    text = character * 100_000
    pieces = list(frames.pieces(text))

    assert len(pieces) > 1
    assert "".join(pieces) == text
    assert sum(map(frames.utf16_length, pieces)) == frames.utf16_length(text)


@given(TEXTS)
def test_lengths_are_counted_as_a_browser_counts(text):
    assert frames.utf16_length(text) == sum(2 if ord(character) > 0xFFFF else 1 for character in text)


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text):
    once = clean(text)

    assert clean(once) == once
    once.encode()
    assert "\x00" not in once


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\tb\nc\rd", "a\tb\nc\rd"),
        ("a\x00b\x1bc\x7fd", "abcd"),
        ("\ud83dx\udc00", "\ufffdx\ufffd"),
        ("中😀", "中😀"),
    ],
)
def test_what_a_text_may_hold_stays(text, cleaned):
    assert clean(text) == cleaned


@given(content=st.text(min_size=1), conversation=st.none() | st.uuids())
def test_a_question_is_read_as_it_was_written(content, conversation):
    written = {"type": "turn.start", "client_id": ID, "conversation": conversation and str(conversation)}
    try:
        frame = frames.parse(json.dumps(written | {"content": content}))
    except frames.Refused as refused:
        assert refused.code == "empty"
        assert not clean(content).strip()
    else:
        assert frame == frames.TurnStart(uuid.UUID(ID), conversation, clean(content).strip())


def test_every_other_frame_is_read():
    assert frames.parse('{"type":"ping"}') == frames.Ping()
    assert frames.parse(f'{{"type":"turn.stop","turn":"{ID}"}}') == frames.TurnStop(uuid.UUID(ID))
    assert frames.parse(f'{{"type":"turn.resume","turn":"{ID}","seq":3}}') == frames.TurnResume(
        uuid.UUID(ID), 3
    )
    assert frames.parse(f'{{"type":"turn.resume","turn":"{ID}"}}') == frames.TurnResume(uuid.UUID(ID), 0)
    opened = frames.parse(f'{{"type":"conversation.open","conversation":"{ID}"}}')
    assert opened == frames.ConversationOpen(uuid.UUID(ID))


def test_the_longest_question_is_taken_and_one_character_more_is_not(settings):
    question = {"type": "turn.start", "client_id": ID, "content": "中" * settings.TURN_CONTENT_LIMIT}
    assert frames.parse(json.dumps(question))
    question["content"] += "中"
    with pytest.raises(frames.Refused) as refused:
        frames.parse(json.dumps(question))
    assert refused.value.code == "too_long"
    assert refused.value.client_id == ID


def test_what_is_built_is_one_compact_json_object():
    text = frames.build("turn.delta", turn=uuid.UUID(ID), seq=1, content="中\n\u2028")
    assert json.loads(text) == {"type": "turn.delta", "turn": ID, "seq": 1, "content": "中\n\u2028"}
    assert "中" in text
    assert "\n" not in text


def test_an_error_names_the_question_it_is_about():
    assert json.loads(frames.error(frames.Refused("busy", "no", client_id=ID))) == {
        "type": "error", "code": "busy", "message": "no", "client_id": ID,
    }  # fmt: skip
    assert "client_id" not in json.loads(frames.error(frames.Refused("busy", "no")))
