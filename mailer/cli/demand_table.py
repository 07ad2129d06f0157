"""What the providers of the readers ask for, on a terminal: a table with ticks."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailer.doctor.provider_checks import Demand, Mark
from mailer.providers.provider_table import Level, Requirement

# In the order in which people mend them. What only people can know has no column.
_COLUMNS = {
    Requirement.spf: "SPF",
    Requirement.dkim: "DKIM",
    Requirement.dmarc: "DMARC",
    Requirement.alignment: "From",
    Requirement.ptr: "PTR",
    Requirement.tls: "TLS",
    Requirement.from_domain: "MX",
    Requirement.one_click: "click",
    Requirement.unsubscribe_mailto: "mailto",
}
_MARKS = {Mark.met: ("✓", "green"), Mark.missing: ("✗", "red"), Mark.unknown: ("?", "yellow")}
_MOST = 15


def print_demands(demands: Sequence[Demand], *, console: Console | None = None) -> None:
    """Print the providers of most readers, and for each what it asks for; nothing if there is none.

    A mark in brackets is for what a provider only recommends.
    """
    if not demands:
        return
    console = console or Console(highlight=False)
    console.print()
    console.print(Text("What the providers of your readers ask for", style="bold"))
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    table.add_column("provider", no_wrap=True, max_width=30, overflow="ellipsis")
    for title in _COLUMNS.values():
        table.add_column(title, justify="center", no_wrap=True)
    for demand in demands[:_MOST]:
        table.add_row(demand.audience.provider.name, *(_show(demand, each) for each in _COLUMNS))
    console.print(table)
    more = f" {len(demands) - _MOST} more are in `mailer providers`." if len(demands) > _MOST else ""
    console.print(
        Text(
            "✓ it has it   ✗ it is missing   ? no check can tell   in brackets: recommended, not required."
            f"{more}",
            style="dim",
        )
    )


def _show(demand: Demand, requirement: Requirement) -> Text:
    if requirement not in demand.marks:
        return Text("·", style="dim")
    level, mark = demand.marks[requirement]
    sign, colour = _MARKS[mark]
    return Text(sign if level is Level.required else f"({sign})", style=colour)
