"""Pieces encoded once: however they are joined, they decode to the original text."""

import base64
import quopri
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.rendering.body.assembly import (
    MAX_LINE,
    Base64Piece,
    encode_base64,
    encode_crlf,
    encode_quoted_printable,
    join_base64,
    prefers_base64,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=400)
AWKWARD = st.sampled_from(
    ["", ".", "..", "From ", "=", "==", " ", "\t", "a ", "\n", "\n.\n", "\r\nFrom x\n", "é"]
)
PIECES = st.lists(st.one_of(TEXT, AWKWARD, st.text(".F =\nrom", max_size=200)), max_size=12)


@given(PIECES)
def test_joined_quoted_printable_pieces_decode_to_their_text(texts: list[str]) -> None:
    data = [encode_crlf(text) for text in texts]
    joined = b"".join(map(encode_quoted_printable, data))
    assert quopri.decodestring(joined.replace(b"\r\n", b"\n")) == b"".join(data).replace(b"\r\n", b"\n")
    lines = joined.split(b"\r\n")
    assert max(map(len, lines)) <= MAX_LINE
    assert not [line for line in lines if line.startswith((b".", b"From "))]
    assert joined.isascii()
    assert b"\n" not in joined.replace(b"\r\n", b"")


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=200)), max_size=12))
def test_joined_base64_pieces_decode_to_their_bytes(pieces: list[tuple[bool, bytes]]) -> None:
    joined = join_base64([Base64Piece(data) if kept else data for kept, data in pieces])
    assert base64.b64decode(joined, validate=False) == b"".join(data for _, data in pieces)
    assert max(map(len, joined.split(b"\r\n"))) <= MAX_LINE
    # Padding may only end a body: most programs stop reading there.
    assert b"=" not in joined.rstrip(b"\r\n").rstrip(b"=")


@pytest.mark.parametrize("start", ["", ".", "From ", "é", "="])
def test_a_piece_of_any_length_ends_with_a_short_enough_line(start: str) -> None:
    for length in range(60, 160):
        data = (start + "x" * length).encode()
        lines = encode_quoted_printable(data).split(b"\r\n")
        assert max(map(len, lines)) <= MAX_LINE
        assert quopri.decodestring(b"\n".join(lines)) == data


def test_a_base64_piece_may_start_at_any_byte() -> None:
    for sizes in product(range(7), repeat=3):
        data = [bytes([65 + place]) * size for place, size in enumerate(sizes)]
        assert base64.b64decode(join_base64([Base64Piece(one) for one in data])) == b"".join(data)


def test_base64_lines_have_the_maximum_length() -> None:
    assert encode_base64(b"x" * 57 * 3).split(b"\r\n")[:3] == [base64.b64encode(b"x" * 57)] * 3


def test_trailing_white_space_in_a_piece_is_kept() -> None:
    assert quopri.decodestring(encode_quoted_printable(b"a ") + encode_quoted_printable(b" b")) == b"a  b"


@pytest.mark.parametrize(
    ("text", "base64_is_smaller"),
    [("", False), ("plain words", False), ("看见残障人", True), ("naïveté", True)],
)
def test_the_smaller_encoding_is_preferred(text: str, *, base64_is_smaller: bool) -> None:
    assert prefers_base64(text * 20) is base64_is_smaller


def test_line_ends_of_any_kind_become_crlf() -> None:
    assert encode_crlf("a\r\nb\rc\nd") == b"a\r\nb\r\nc\r\nd"


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="the body contains a NUL"):
        encode_crlf("a\0b")
