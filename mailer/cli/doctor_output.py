"""The doctor's findings on a terminal: the bad, the doubtful, and a line for all that is good."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mailer.doctor import Diagnosis, Health
from mailer.doctor.diagnosis import split_record

_TITLES = {
    Health.bad: "Bad: mend this before you send",
    Health.doubtful: "Doubtful: mail arrives, but not everywhere or not as well as it could",
    Health.good: "Good",
}
_MARKS = {Health.bad: ("✗", "red"), Health.doubtful: ("!", "yellow"), Health.good: ("✓", "green")}
_WIDTH = 100
_SUBJECT_WIDTH = 15


def print_findings(findings: Sequence[Diagnosis], *, show_good: bool, console: Console | None = None) -> None:
    """Print the findings on stdout; those that are good in full only with ``show_good``.

    A record to publish stands below its finding, each of its parts on one line that is never broken, so that
    it can be copied.
    """
    console = console or Console(highlight=False)
    if not console.is_terminal or console.width > _WIDTH:
        console.width = _WIDTH
    for verdict in (Health.bad, Health.doubtful, Health.good):
        found = [finding for finding in findings if finding.verdict is verdict]
        if not found or (verdict is Health.good and not show_good):
            continue
        mark, colour = _MARKS[verdict]
        console.print(Text(_TITLES[verdict], style=f"bold {colour}"))
        console.print()
        for subject, group in _group_by_subject(found):
            _print_group(console, subject, list(group), mark=Text(mark, style=colour))
        if verdict is Health.good:
            console.print()
    _print_end(console, findings, show_good=show_good)


def _group_by_subject(findings: Iterable[Diagnosis]) -> Iterator[tuple[str, Iterator[Diagnosis]]]:
    """Findings about one subject stand together, subjects in the order of their first finding."""
    order: dict[str, int] = {}
    listed = list(findings)
    for finding in listed:
        order.setdefault(finding.subject, len(order))
    return groupby(
        sorted(listed, key=lambda finding: order[finding.subject]), key=lambda finding: finding.subject
    )


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
            for part in split_record(finding.record):
                line = Text(f"{'':22}{part.name.lower():<7}", style="dim")
                console.print(line.append(part.value, style="cyan not dim"), soft_wrap=True)
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
