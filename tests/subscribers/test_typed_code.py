"""Codes that people type: read however they are typed, and never read wrong."""

from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.typed_code import ALPHABET, read_code, write_code

DATA = st.integers(0, 2**75 - 1)


@given(DATA)
def test_what_is_written_is_read(data: int) -> None:
    assert read_code(write_code(data)) == data


@pytest.mark.parametrize(
    "change",
    [
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: code.replace("-", "–"),
        lambda code: code.replace("-", "\u2011").replace("0", "O").replace("1", "l"),
        lambda code: "".join(chr(ord(one) + 0xFEE0) for one in code),
        lambda code: f"  {code}\n",
        lambda code: "\u200b".join(code),
    ],
    ids=["small", "without dashes", "spaces", "long dashes", "look-alikes", "full width", "pasted", "marks"],
)
@given(data=DATA)
def test_a_code_is_understood_however_it_is_typed(change: Callable[[str], str], data: int) -> None:
    assert read_code(change(write_code(data))) == data


@given(DATA)
def test_a_wrong_character_and_two_exchanged_ones_are_always_noticed(data: int) -> None:
    code = write_code(data).replace("-", "")
    for place, right in enumerate(code):
        for wrong in ALPHABET.replace(right, ""):
            assert read_code(code[:place] + wrong + code[place + 1 :]) is None
    for one, other in combinations(range(16), 2):
        swapped = list(code)
        swapped[one], swapped[other] = code[other], code[one]
        assert code[one] == code[other] or read_code("".join(swapped)) is None


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    assert read_code(text) is None or len(text) >= 16


def test_a_code_has_no_letter_that_is_read_as_another() -> None:
    assert not set("ILOU") & set(write_code(2**75 - 1) + write_code(0) + ALPHABET)
