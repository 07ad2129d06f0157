"""What hypothesis draws: the same each time, so that no change is red by a throw of the dice; ten examples
for `make quick`; and others each time for `make explore`, which throws the dice.

No test is about time, and on a busy machine an example may take long.
"""

import pytest
from hypothesis import HealthCheck, settings

_UNTIMED = settings(
    database=None, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
PROFILES = {
    "repeated": settings(_UNTIMED, derandomize=True),
    "quick": settings(_UNTIMED, derandomize=True, max_examples=10),
    "explore": settings(_UNTIMED, derandomize=False),
}


def register_profiles() -> None:
    """Register the profiles, and load the one that is used where no other is asked for."""
    for name, profile in PROFILES.items():
        settings.register_profile(name, profile)
    settings.load_profile("repeated")


def settle(item: pytest.Item) -> None:
    """Let a test with settings of its own be as little about time as the others, and have no more examples
    than `make quick` allows.
    """
    test = getattr(item, "function", None)
    own: settings | None = getattr(test, "_hypothesis_internal_use_settings", None)
    if test is None or own is None:
        return
    is_quick = item.config.getoption("--hypothesis-profile") == "quick"
    test._hypothesis_internal_use_settings = settings(
        own,
        deadline=None,
        max_examples=min(own.max_examples, PROFILES["quick"].max_examples) if is_quick else own.max_examples,
        suppress_health_check={*own.suppress_health_check, HealthCheck.too_slow},
    )
