"""Tables on a terminal: an audience, what providers ask for, a diagnosis, and a report."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from locales.countries import country_name
from mailer.campaigns.report.sections import ReportSection, ReportTable, describe_moment, format_cell
from mailer.doctor import Diagnosis, Health
from mailer.doctor.diagnosis import list_findings, split_record
from mailer.doctor.provider_checks import Demand, DemandState
from mailer.providers.provider_table import Level, Requirement
from subscribers.queries import CrossTable, CrossTableRow
from subscribers.segments.description import Vocabulary

# Output that does not go to a terminal is never wrapped.
_UNLIMITED_WIDTH = 1000
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
_DEMAND_MARKS = {
    DemandState.met: ("✓", "green"),
    DemandState.missing: ("✗", "red"),
    DemandState.unknown: ("?", "yellow"),
}
_MOST = 15
_MARKS = {Health.bad: ("✗", "red"), Health.doubtful: ("!", "yellow"), Health.good: ("✓", "green")}
_WIDTH = 100
_SUBJECT_WIDTH = 15
_MAX_WIDTH = 100
_MAX_ROWS = 20


def print_table(table: CrossTable, vocabulary: Vocabulary) -> None:
    """Print the table to stdout: one line for each country, with the number of people in the last column."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNLIMITED_WIDTH
    drawn = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    total = table.total
    drawn.add_column("country", footer="all")
    for slug, number in zip(table.sectors, total.by_sector, strict=True):
        drawn.add_column(vocabulary.sector(slug), footer=f"{number:,}", justify="right", overflow="fold")
    if total.other:
        drawn.add_column("other sectors", footer=f"{total.other:,}", justify="right")
    drawn.add_column("no sector", footer=f"{total.none:,}", justify="right")
    drawn.add_column("people", footer=f"{total.people:,}", justify="right", style="bold", no_wrap=True)
    for code, counts in table.countries.items():
        numbers = [*counts.by_sector, *([counts.other] if total.other else []), counts.none, counts.people]
        drawn.add_row(_name(code, vocabulary), *(f"{number:,}" if number else "·" for number in numbers))
    console.print(drawn)


def as_dict(table: CrossTable, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the table in the form of the JSON output."""
    return {
        "countries": [
            {"country": code, "name": _name(code, vocabulary), **_numbers(table, counts)}
            for code, counts in table.countries.items()
        ],
        "total": _numbers(table, table.total),
    }


def _numbers(table: CrossTable, counts: CrossTableRow) -> dict[str, Any]:
    return {
        "sectors": dict(zip(table.sectors, counts.by_sector, strict=True)),
        "other": counts.other,
        "none": counts.none,
        "people": counts.people,
    }


def _name(code: str | None, vocabulary: Vocabulary) -> str:
    return "unknown" if code is None else country_name(code, "en", vocabulary.countries)


def print_demands(demands: Sequence[Demand], *, console: Console | None = None) -> None:
    """Print the providers of most readers, and for each what it asks for; nothing if there is none."""
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
    sign, colour = _DEMAND_MARKS[mark]
    return Text(sign if level is Level.required else f"({sign})", style=colour)


def print_findings(findings: Sequence[Diagnosis], *, show_good: bool, console: Console | None = None) -> None:
    """Print the findings on stdout; those that are good in full only with ``show_good``.

    A record to publish stands below its finding, each of its parts on one line that is never broken, so that
    it can be copied.
    """
    console = console or Console(highlight=False)
    if not console.is_terminal or console.width > _WIDTH:
        console.width = _WIDTH
    for verdict in (Health.bad, Health.doubtful, Health.good):
        found = list_findings(findings, verdict)
        if not found or (verdict is Health.good and not show_good):
            continue
        mark, colour = _MARKS[verdict]
        console.print(Text(verdict.words, style=f"bold {colour}"))
        console.print()
        for subject, group in groupby(found, key=lambda finding: finding.subject):
            _print_group(console, subject, list(group), mark=Text(mark, style=colour))
        if verdict is Health.good:
            console.print()
    _print_end(console, findings, show_good=show_good)


def _print_group(console: Console, subject: str, findings: Sequence[Diagnosis], *, mark: Text) -> None:
    label = Text(subject, style="bold")
    for finding in findings:
        grid = Table.grid(padding=(0, 2), expand=False)
        grid.add_column(width=1)
        grid.add_column(width=_SUBJECT_WIDTH)
        grid.add_column(overflow="fold")
        grid.add_row(mark, label, _describe(finding))
        _print_trimmed(console, Padding(grid, (0, 0, 0, 2)))
        if finding.record:
            console.print()
            for name, value in split_record(finding.record):
                line = Text(f"{'':22}{name.lower():<7}", style="dim")
                console.print(line.append(value, style="cyan not dim"), soft_wrap=True)
        if finding.record or finding.verdict is not Health.good:
            console.print()
        label = Text("")


def _print_trimmed(console: Console, renderable: RenderableType) -> None:
    """Print without the blanks at the ends of lines that rich fills them with."""
    options = console.options.update(width=console.width)
    for line in console.render_lines(renderable, options, pad=False):
        text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
        text.rstrip()
        console.print(text, soft_wrap=True)


def _describe(finding: Diagnosis) -> Text:
    message = Text(finding.sentence)
    if finding.code:
        message.append(f"  {finding.code}", style="dim")
    return message


def _print_end(console: Console, findings: Sequence[Diagnosis], *, show_good: bool) -> None:
    good = list(dict.fromkeys(f.subject for f in findings if f.verdict is Health.good))
    troubled = [finding for finding in findings if finding.verdict is not Health.good]
    bad_or_doubtful = {finding.subject for finding in troubled}
    if not show_good and good:
        names = [subject for subject in good if subject not in bad_or_doubtful]
        if names:
            line = Text("Good: ", style="bold green")
            line.append(", ".join(names), style="default not bold")
            console.print(line)
            console.print()
    if troubled:
        worst = min(troubled, key=lambda finding: finding.verdict is not Health.bad)
        example = worst.code
        hint = f"`mailer doctor --explain {example}` says more"
        if not show_good:
            hint += ", `mailer doctor --all` shows what is good"
        console.print(Text(f"{hint}.", style="dim"))
    else:
        console.print(Text("Nothing stands in the way of your mail.", style="green"))


def print_sections(sections: Sequence[ReportSection], *, all_rows: str) -> None:
    """Print sections to stdout. Of a long table the first rows; ``all_rows`` with the table's name is the
    command for all of them."""
    # Words of others must not be taken for markup ("[red]") or for names of emoji (":x:").
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, _MAX_WIDTH) if console.is_terminal else _UNLIMITED_WIDTH
    for section in sections:
        console.print()
        console.print(Text(section.title, style="bold"))
        for sentence in section.sentences:
            console.print(Text(sentence))
        for table in section.tables:
            _print_table(console, table, all_rows)
        if moment := describe_moment(section):
            console.print(Text(moment, style="dim"))


def _print_table(console: Console, table: ReportTable, all_rows: str) -> None:
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for place, title in enumerate(table.head):
        drawn.add_column(
            Text(title),
            justify="right" if place in table.right else "left",
            overflow="fold",
            no_wrap=place in table.right and len(title) < 12,
        )
    for row in table.rows[:_MAX_ROWS]:
        drawn.add_row(*(Text(format_cell(cell)) for cell in row))
    console.print(drawn)
    if (more := len(table.rows) - _MAX_ROWS) > 0:
        console.print(Text(f"… and {more:,} more rows. For all of them: {all_rows} {table.name}"))
    if table.note:
        console.print(Text(table.note))
