"""Cells with an address in them, as people and programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.address import normalise_address
from subscribers.errors import AddressError
from subscribers.imports.row_parser import parse_address_cell


@pytest.mark.parametrize(
    ("text", "email", "name"),
    [
        ("ann@x.org", "ann@x.org", ""),
        ("Ann Li <Ann@X.org>", "ann@x.org", "Ann Li"),
        ('"Li, Ann" <ann@x.org>', "ann@x.org", "Li, Ann"),
        ("Li, Ann <ann@x.org>", "ann@x.org", "Li, Ann"),
        ("'Ann Li' <ann@x.org>", "ann@x.org", "Ann Li"),
        ("<ann@x.org>", "ann@x.org", ""),
        ("ann@x.org <mailto:ann@x.org>", "ann@x.org", ""),
        ("mailto:ann@x.org", "ann@x.org", ""),
        ("MAILTO:a%2Bb@x.org?subject=Hi,%20you", "a+b@x.org", ""),
        ("SMTP:ann@x.org", "ann@x.org", ""),
        ("E-mail: ann@x.org", "ann@x.org", ""),
        ("ann@x.org.", "ann@x.org", ""),
        (" ann@x.org ;", "ann@x.org", ""),
        ("\u00a0ann@x.org\u200b", "ann@x.org", ""),
        ("\ufeff\u202aann@x.org\u202c", "ann@x.org", ""),
        ("ann\u200b@\u00adx.org", "ann@x.org", ""),
        ("'ann@x.org'", "ann@x.org", ""),
        ("ann@x.org (work)", "ann@x.org", ""),
        ("ａｎｎ＠x.org,", "ann@x.org", ""),
        ("n/a; ann@x.org", "ann@x.org", ""),
        ("Ann Li\nann@x.org", "ann@x.org", ""),
        ("a/b@x.org", "a/b@x.org", ""),
        ("{ann}@x.org", "{ann}@x.org", ""),
        ("o'neil@x.org,", "o'neil@x.org", ""),
    ],
)
def test_one_address_is_found_however_it_is_written(text: str, email: str, name: str) -> None:
    found, rest = parse_address_cell(text)
    assert ([(address.email, beside) for address, beside in found], rest) == ([(email, name)], [])


@pytest.mark.parametrize(
    ("text", "others", "rest"),
    [
        ("a@x.org ::: b@x.org", ["b@x.org"], []),
        ("a@x.org; b@x.org;c@x.org", ["b@x.org", "c@x.org"], []),
        ("a@x.org, b@x.org", ["b@x.org"], []),
        ("a@x.org,,b@x.org", ["b@x.org"], []),
        ("a@x.org / b@x.org", ["b@x.org"], []),
        ("a@x.org/b@x.org", ["b@x.org"], []),
        ("a@x.org | b@x.org", ["b@x.org"], []),
        ("a@x.org\nb@x.org", ["b@x.org"], []),
        ("a@x.org b@x.org", ["b@x.org"], []),
        ("a@x.org or b@x.org", ["b@x.org"], []),
        ("A <a@x.org>, B <b@x.org>", ["b@x.org"], []),
        ("mailto:a@x.org,b@x.org", ["b@x.org"], []),
        ("a@x.org、b@x.org", ["b@x.org"], []),
        ("a@x.org; A@X.org", [], []),
        ("b@; a@x.org", [], ["b@"]),
        ("a@x.org, Bcc: b@x.org", [], ["Bcc: b@x.org"]),
    ],
)
def test_the_first_address_that_can_be_used_is_chosen_and_the_others_are_named(
    text: str, others: list[str], rest: list[str]
) -> None:
    found, unusable = parse_address_cell(text)
    assert [address.email for address, _ in found] == ["a@x.org", *others]
    assert unusable == rest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "ann@",
        "a@b@x.org",
        "jon smith@x.org",
        "jon,smith@x.org",
        "jon, smith@x.org",
        "Ann <ann@x.org",
        '"ann li"@x.org',
        "-ann@x.org",
        "a@x.org " * 1000,
    ],
)
def test_an_address_that_may_be_misspelt_is_not_taken_for_another(text: str) -> None:
    with pytest.raises(AddressError):
        parse_address_cell(text)


@given(st.text("ann@x.org<>\"'(),;:/| \n\u200b\\-?%", max_size=60) | st.text(max_size=60))
def test_no_cell_makes_it_crash_and_what_it_finds_is_an_address(text: str) -> None:
    try:
        found, _ = parse_address_cell(text)
    except AddressError:
        return
    for address, _ in found:
        assert normalise_address(address.envelope) == address


@given(st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?@[a-z]{1,8}\.org", fullmatch=True))
def test_what_is_an_address_by_itself_stays_that_address(text: str) -> None:
    [(address, _)], _ = parse_address_cell(text)
    assert address == normalise_address(text)
