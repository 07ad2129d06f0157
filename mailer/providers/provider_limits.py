"""What is sent to each provider at most: the settings, else the published numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite

from mailer.errors import ConfigurationError
from mailer.providers.provider_table import ProviderTable, load_providers
from mailer.settings import Settings

UNLIMITED = "unlimited"


@dataclass(frozen=True, kw_only=True)
class ProviderLimit:
    """What is sent to one provider at most, over all machines.

    ``rate`` is in messages per second and ``daily`` in messages per day (UTC), None for no limit. ``is_set``
    says that the rate stands in the settings, and not only in the table.
    """

    key: str
    name: str
    rate: float | None = None
    daily: int | None = None
    is_set: bool = False


def make_provider_limits(
    settings: Settings, table: ProviderTable | None = None
) -> Mapping[str, ProviderLimit]:
    """The limits by key of the provider; one without any limit is not in it.

    Raises:
        ConfigurationError: the settings name an unknown provider, or a number that is none.
    """
    table = table or load_providers()
    rates = {key: _read_rate(key, value) for key, value in settings.provider_rates.items()}
    daily = {key: _read_daily(key, value) for key, value in settings.provider_daily_limits.items()}
    for section, keys in (("provider_rates", rates), ("provider_daily_limits", daily)):
        for key in keys:
            if key not in table.by_key:
                raise ConfigurationError(_explain_unknown(section, key, table))
    limits = {}
    for key, provider in table.by_key.items():
        rate = rates.get(key, provider.rate)
        number = daily.get(key, provider.daily_limit)
        if rate is not None or number is not None:
            limits[key] = ProviderLimit(
                key=key, name=provider.name, rate=rate, daily=number, is_set=key in rates
            )
    return limits


def _read_rate(key: str, value: float | str) -> float | None:
    if value in (UNLIMITED, 0):
        return None
    if isinstance(value, str) or not isfinite(value) or value < 0:
        raise ConfigurationError(
            f"[provider_rates] {key} = {value}: a rate is in messages per second and above 0. Correct it, or "
            f'write "{UNLIMITED}" for no limit.'
        )
    return value


def _read_daily(key: str, value: int | str) -> int | None:
    if value in (UNLIMITED, 0):
        return None
    if isinstance(value, str) or value < 0:
        raise ConfigurationError(
            f"[provider_daily_limits] {key} = {value}: a limit is a number of messages per day, above 0. "
            f'Correct it, or write "{UNLIMITED}" for no limit.'
        )
    return value


def _explain_unknown(section: str, key: str, table: ProviderTable) -> str:
    near = get_close_matches(key, table.by_key, n=1)
    hint = f"Did you mean {near[0]}?" if near else "`mailer providers --all` lists them."
    return f"[{section}] {key}: there is no provider of that name. {hint}"
