from datetime import datetime

import pytest

from mailer.privacy.retention import RULES, months_before
from mailer.settings import RetentionSettings


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [("2026-11-25", 12, "2025-11-25"), ("2026-03-31", 1, "2026-02-28"), ("2026-01-15", 1, "2025-12-15")],
)
def test_months_are_those_of_the_calendar(day: str, months: int, before: str) -> None:
    assert months_before(datetime.fromisoformat(day), months) == datetime.fromisoformat(before)


def test_every_setting_that_can_be_off_is_a_rule() -> None:
    can_be_off = [
        name for name, one in RetentionSettings.model_fields.items() if one.annotation == int | None
    ]
    assert sorted(rule.setting for rule in RULES) == sorted(can_be_off)
