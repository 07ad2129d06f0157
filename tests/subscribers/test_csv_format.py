"""Cells escaped against spreadsheet formulas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.csv_format import escape_formula, unescape_formula


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("＝1", "'＝1"),
        ("a;=b", "a;'=b"),
        ("'=1", "''=1"),
        ("'quoted'", "'quoted'"),
        ("Jean-Paul", "Jean-Paul"),
        ("a@example.org", "a@example.org"),
        ("", ""),
    ],
)
def test_a_formula_becomes_text_and_nothing_else_changes(cell: str, safe: str) -> None:
    assert escape_formula(cell) == safe
    assert unescape_formula(safe) == cell


@given(st.text() | st.text(";'=+-@\t\rab＝", max_size=12))
def test_restoring_takes_away_exactly_what_was_added(cell: str) -> None:
    safe = escape_formula(cell)
    assert unescape_formula(safe) == cell
    # Some spreadsheets split our lines at semicolons too: no piece may begin like a formula.
    for piece in [safe, *safe.split(";")]:
        assert piece[:1] not in {*"=+-@\t\r＝＋－＠"}
