"""Bytes become the right events, wherever the network cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cozechat.coze.sse import EventParser


def parse(*chunks: bytes) -> list[tuple[str, str]]:
    parser = EventParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def test_a_space_after_the_colon_is_optional():
    assert parse(b"event: a\ndata: {}\n\nevent:b\ndata:{}\n\n") == [("a", "{}"), ("b", "{}")]


def test_only_one_space_is_taken_away():
    assert parse(b"data:  two\n\n") == [("", " two")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_of_the_standard_ends_a_line(end: bytes):
    assert parse(end.join([b"event: a", b"data: 1", b"", b"data: 2", b"", b""])) == [("a", "1"), ("", "2")]


def test_a_crlf_cut_in_two_is_one_line_end():
    assert parse(b"event: a\r", b"\ndata: 1\r", b"\n\r", b"\n") == [("a", "1")]


@pytest.mark.parametrize("letter", ["\u2028", "\u2029", "\u0085", "\f", "\v", "\x1c", "\x00"])
def test_a_letter_that_only_looks_like_a_line_end_stays_in_the_text(letter: str):
    assert parse(f"data: a{letter}b\n\n".encode()) == [("", f"a{letter}b")]


def test_a_byte_order_mark_at_the_start_is_no_part_of_the_first_line():
    assert parse(b"\xef", b"\xbb\xbfevent: a\ndata: 1\n\n") == [("a", "1")]


def test_a_byte_order_mark_later_on_is_text():
    assert parse("data: 1\n\ndata: \ufeff2\n\n".encode()) == [("", "1"), ("", "\ufeff2")]


def test_comments_ids_and_retries_are_passed_over():
    assert parse(b": ping\n\nid: 4\nretry: 5\n\n: x\nevent: a\nid: 7\ndata: 1\n\n") == [("a", "1")]


def test_several_data_lines_are_one_text_of_several_lines():
    assert parse(b"data: 1\ndata:\ndata: 3\n\n") == [("", "1\n\n3")]


def test_an_event_without_data_is_dropped_and_lends_its_name_to_nobody():
    assert parse(b"event: a\n\ndata: 1\n\n") == [("", "1")]


def test_a_data_line_without_a_colon_counts_as_an_empty_one():
    assert parse(b"data\n\n") == [("", "")]


def test_bytes_that_are_no_text_are_replaced_and_counted():
    parser = EventParser()
    assert parser.feed(b"data: \xff!\n\n") == [("", "\ufffd!")]
    assert parser.replaced == 1


@pytest.mark.parametrize("rest", [b"data: 1\n", b"data: 1", b"event: a\n", b"da"])
def test_half_an_event_at_the_end_is_dropped_and_reported(rest: bytes):
    parser = EventParser()
    assert parser.feed(b"data: 0\n\n" + rest) == [("", "0")]
    assert parser.end()


def test_a_whole_number_of_events_leaves_nothing_behind():
    parser = EventParser()
    parser.feed(b"event: a\ndata: 1\n\n: bye\n\n")
    assert not parser.end()


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("tail", [b"", b"\n\n"])
def test_a_line_over_the_limit_is_a_breach_and_what_came_before_still_counts(size: int, tail: bytes):
    wire = b"data: 1\n\ndata: " + b"x" * 100 + tail
    parser = EventParser(max_line=64)
    events = [event for at in range(0, len(wire), size) for event in parser.feed(wire[at : at + size])]
    assert events == [("", "1")]
    assert parser.breach is not None


def test_an_event_over_the_limit_is_a_breach_though_its_lines_are_short():
    parser = EventParser(max_line=64, max_event=100)
    assert parser.feed(b"data: 1234567890\n" * 20 + b"\n") == []
    assert parser.breach is not None


def test_after_a_breach_nothing_more_is_kept_or_told():
    parser = EventParser(max_line=64)
    parser.feed(b"x" * 65)
    assert parser.feed(b"\n\ndata: 1\n\n") == []


LINES = st.lists(
    st.sampled_from(
        [b"event: a", b"event:", b"data: \xf0\x9f\x98\x80", b"data:", b"", b": c", b"id: 1", b"\xff", b"data"]
    ),
    max_size=30,
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.data())
def test_where_the_bytes_are_cut_changes_nothing(data: st.DataObject):
    wire = b"".join(line + data.draw(ENDS) for line in data.draw(LINES)) + data.draw(st.binary(max_size=8))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert parse(*pieces) == parse(wire)


@given(st.binary(max_size=400))
def test_any_bytes_parse_alike_one_by_one_and_at_once(wire: bytes):
    assert parse(*(wire[at : at + 1] for at in range(len(wire)))) == parse(wire)


@given(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])))
def test_any_text_on_one_line_comes_out_as_it_went_in(text: str):
    assert parse(b"data: " + text.encode() + b"\n\n") == [("", text)]
