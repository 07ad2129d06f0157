"""Country codes, and what people write instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editions.territories import country_codes, country_name, suggest_countries


def test_there_are_the_codes_of_iso_and_kosovo() -> None:
    assert len(country_codes()) == 250
    assert {"CN", "KP", "KR", "JP", "MN", "NO", "PS", "XK"} <= country_codes()
    assert not {"EU", "UN", "ZZ", "UK", "AC", "XA"} & country_codes()


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("UK", ("GB",)),
        ("uk", ("GB",)),
        ("mn", ("MN",)),
        ("MNG", ("MN",)),
        ("USA", ("US",)),
        ("496", ("MN",)),
        ("Mongolia", ("MN",)),
        ("mongolai", ("MN",)),
        ("Norway", ("NO",)),
        ("Korea", ("KR", "KP")),
        ("Republic of Korea", ("KR",)),
        ("South Korea", ("KR",)),
        ("the Democratic People’s Republic of Korea", ("KP",)),
        ("DPRK", ("KP",)),
        ("Viet Nam", ("VN",)),
        ("Cote d'Ivoire", ("CI",)),
        ("Côte d’Ivoire", ("CI",)),
        ("Bosnia and Herzegovina", ("BA",)),
        ("SU", ()),
        ("EU", ()),
        ("Atlantis", ()),
        ("", ()),
    ],
)
def test_the_likely_country_is_suggested(written: str, codes: tuple[str, ...]) -> None:
    assert suggest_countries(written) == codes


@given(st.text(max_size=20))
def test_a_suggestion_is_always_a_code(written: str) -> None:
    assert set(suggest_countries(written)) <= country_codes()


def test_a_code_has_a_name() -> None:
    assert country_name("MN") == "Mongolia"
    assert country_name("??") == "??"
