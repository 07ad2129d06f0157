"""The advice that comes with an error in a file of an edition."""

import pytest

from editions.source.field_values import suggest_choice


@pytest.mark.parametrize(
    ("known", "advice"),
    [
        (("culture", "education"), "Did you mean `culture`?"),
        (("water", "education"), "Choose one of: education, water."),
        ((), "There are none yet."),
    ],
)
def test_the_likeliest_value_is_suggested_or_all_that_there_are(known: tuple[str, ...], advice: str) -> None:
    assert suggest_choice("cultur", known) == advice
