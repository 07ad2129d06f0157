"""What is sent to a provider at most: the settings, else the published numbers."""

import pytest

from mailer.errors import ConfigurationError
from mailer.providers.provider_directory import ProviderLimit, make_provider_limits
from mailer.providers.provider_table import load_providers
from mailer.settings import Settings

_SENDER = {"name": "N", "address": "n@example.org", "organisation": "O", "postal_address": "1 Street"}


def settings_with(**sections: object) -> Settings:
    return Settings.model_validate({"sender": _SENDER, **sections})


def test_only_providers_with_a_published_number_are_limited() -> None:
    limits = make_provider_limits(settings_with())
    table = load_providers().by_key
    assert limits.keys() == {key for key, provider in table.items() if provider.limits}
    assert limits["qq"].rate == pytest.approx(4000 / 3600)
    assert not limits["qq"].is_set
    assert "google" not in limits


def test_the_settings_lower_raise_add_and_take_away() -> None:
    limits = make_provider_limits(
        settings_with(
            provider_rates={"qq": 0.5, "orange": 0, "netease": "unlimited", "google": 30},
            provider_daily_limits={"netease": 100_000, "sina": 0},
        )
    )
    assert limits["qq"].rate == 0.5
    assert "orange" not in limits
    assert limits["netease"] == ProviderLimit(
        key="netease", name=limits["netease"].name, rate=None, daily=100_000, is_set=True
    )
    assert (limits["google"].rate, limits["google"].is_set) == (30, True)


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ({"provider_rates": {"qqq": 1}}, r"\[provider_rates\] qqq: there is no provider .*Did you mean qq\?"),
        ({"provider_daily_limits": {"zzz": 1}}, r"\[provider_daily_limits\] zzz: .*mailer providers --all"),
        ({"provider_rates": {"qq": -1}}, r"\[provider_rates\] qq = -1.*above 0"),
        ({"provider_rates": {"qq": float("inf")}}, r"\[provider_rates\] qq = inf"),
        ({"provider_rates": {"qq": float("nan")}}, r"\[provider_rates\] qq = nan"),
        ({"provider_daily_limits": {"qq": -5}}, r"\[provider_daily_limits\] qq = -5"),
    ],
)
def test_what_cannot_be_a_limit_is_named(sections: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        make_provider_limits(settings_with(**sections))
