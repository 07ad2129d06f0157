"""The command ``providers``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailer.providers.provider_directory import Audience, ProviderAudience, ProviderLimit

_FEW = 5
_HOUR = 3600


@click.command()
@click.option("--all", "show_all", is_flag=True, help="Also show providers where you have no reader.")
@json_option
@pass_context
def providers(context: CliContext, show_all: bool, as_json: bool) -> None:
    """Show who receives your readers' mail, and what they ask of you.

    Counts active subscribers, wherever their own domain is hosted. Domains that were not looked up yet are
    counted at the end; `mailer work` looks them up. Numbers under five are not shown.
    """
    from mailer.providers.provider_directory import make_provider_limits, read_audience

    workspace = context.workspace
    limits = make_provider_limits(workspace.settings)
    with workspace.use_database() as engine, engine.connect().execution_options(read_only=True) as connection:
        audience = read_audience(connection, uses_cache=workspace.settings.dns.look_up_providers)
    rows = _list_rows(audience, show_all=show_all)
    if as_json:
        emit_json(
            {
                "providers": [_describe(row, limits) for row in rows],
                "elsewhere": _hide_few(audience.elsewhere),
                "unknown": _hide_few(audience.unknown),
            }
        )
        return
    _print_table(rows, limits)
    say(
        f"{_show(audience.elsewhere)} readers have a mail server of their own; the domains of "
        f"{_show(audience.unknown)} were not looked up yet."
    )


def _list_rows(audience: Audience, *, show_all: bool) -> list[ProviderAudience]:
    from mailer.providers.provider_directory import ProviderAudience
    from mailer.providers.provider_table import load_providers

    rows = list(audience.providers)
    if show_all:
        found = {row.provider.key for row in rows}
        rows += [
            ProviderAudience(provider=each, readers=0, domains=0)
            for key, each in load_providers().by_key.items()
            if key not in found
        ]
    return rows


def _print_table(rows: list[ProviderAudience], limits: Mapping[str, ProviderLimit]) -> None:
    if not rows:
        say("No provider is known for any of your readers.")
        return
    table = []
    for row in rows:
        limit = limits.get(row.provider.key)
        asks = ", ".join(ask.requirement.label for ask in row.provider.asks if ask.level == "required")
        table.append(
            (
                row.provider.key,
                shorten(row.provider.name, 34),
                _show(row.readers),
                _show_limit(limit),
                _show_time(row.readers, limit),
                shorten(asks, 60),
            )
        )
    head = ("key", "provider", "readers", "at most", "takes", "requires")
    emit(columns(table, head=head, right=(2,)))


def _describe(row: ProviderAudience, limits: Mapping[str, ProviderLimit]) -> dict[str, Any]:
    limit = limits.get(row.provider.key)
    return {
        "key": row.provider.key,
        "name": row.provider.name,
        "readers": _hide_few(row.readers),
        "domains": _hide_few(row.domains),
        "rate": limit.rate if limit else None,
        "daily_limit": limit.daily if limit else None,
        "postmaster": row.provider.postmaster,
        "asks": [
            {
                "what": ask.requirement.value,
                "level": ask.level.value,
                "source": ask.source.url,
                "date": ask.source.date.isoformat(),
            }
            for ask in row.provider.asks
        ],
    }


def _hide_few(number: int) -> int | None:
    """Return the number, or None if so few could be recognised."""
    return None if 0 < number < _FEW else number


def _show(number: int) -> str:
    return f"under {_FEW}" if 0 < number < _FEW else f"{number:,}"


def _show_limit(limit: ProviderLimit | None) -> str:
    if limit is None:
        return "no limit"
    parts = []
    if limit.rate is not None:
        parts.append(f"{limit.rate * _HOUR:,.0f} an hour")
    if limit.daily is not None:
        parts.append(f"{limit.daily:,} a day")
    return ", ".join(parts)


def _show_time(readers: int, limit: ProviderLimit | None) -> str:
    """Return how long a campaign to all of them takes, if that is worth saying."""
    hours = readers / (limit.rate * _HOUR) if limit and limit.rate else 0.0
    if limit and limit.daily and readers > limit.daily:
        hours = max(hours, 24.0 * (readers // limit.daily))
    if hours < 0.25:
        return ""
    return f"{hours:.0f} hours" if hours >= 1.5 else f"{hours * 60:.0f} minutes"
