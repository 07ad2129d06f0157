"""The reader of one large file finds the same file whatever pieces the form arrives in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from mailer.web.upload import FileReader

BOUNDARY = b"----WebKitFormBoundary7MA4"


def make_form(content: bytes, name: str = "list.csv") -> bytes:
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n'
    field = b'Content-Disposition: form-data; name="note"\r\n\r\nhello'
    parts = (field, head.encode() + content, field)
    lines = b"".join(b"--" + BOUNDARY + b"\r\n" + part + b"\r\n" for part in parts)
    return lines + b"--" + BOUNDARY + b"--\r\n"


def read(form: bytes, cuts: list[int]) -> tuple[bytes, FileReader]:
    taken: list[bytes] = []
    reader = FileReader(BOUNDARY, taken.append)
    places = [0, *sorted(cut % (len(form) + 1) for cut in cuts), len(form)]
    for start, end in pairwise(places):
        reader.feed(form[start:end])
    return b"".join(taken), reader


NASTY = st.lists(st.sampled_from([b"\r\n--", b"\r\n", b"--", BOUNDARY[:9], b"a", b"\0", b"\r"]), max_size=20)


@given(
    content=st.binary(max_size=300) | NASTY.map(b"".join), cuts=st.lists(st.integers(0, 10_000), max_size=9)
)
def test_a_file_arrives_whole_in_any_pieces(content: bytes, cuts: list[int]) -> None:
    if b"\r\n--" + BOUNDARY in b"\r\n" + content:
        return
    taken, reader = read(make_form(content), cuts)
    assert (taken, reader.size, reader.is_complete) == (content, len(content), True)
    assert reader.file_name == "list.csv"


def test_a_name_is_shown_without_its_folder() -> None:
    for given_name, shown in (
        ("C:\\lists\\a.csv", "a.csv"),
        ("../../a.csv", "a.csv"),
        ("名单.csv", "名单.csv"),
        ("", ""),
    ):
        assert read(make_form(b"x", given_name), [])[1].file_name == shown


def test_a_form_that_is_cut_off_has_no_complete_file() -> None:
    form = make_form(b"a,b\r\n" * 50)
    assert not read(form[: len(form) // 2], [])[1].is_complete


def test_an_endless_head_is_refused() -> None:
    with pytest.raises(HTTPException):
        read(b"--" + BOUNDARY + b"\r\n" + b"a" * 40_000, [])
