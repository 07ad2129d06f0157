"""Describe a report in sections of words and tables, for the terminal, for CSV and for the mail to the team.

What servers and other people wrote (replies, names of organisations, titles) has no control characters,
which a terminal would obey. Whoever shows it escapes it for where it goes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from editions.unsafe_characters import remove_unsafe_characters
from locales.countries import country_name
from mailer.campaigns.report.acceptance_times import format_duration
from mailer.campaigns.report.breakdown import Breakdown, BreakdownRow
from mailer.campaigns.report.campaign_report import CampaignFigures, CampaignReport, TimeLine
from mailer.campaigns.report.disclosure import HIDDEN, HIDDEN_NOTE
from mailer.campaigns.report.reasons import list_advice
from mailer.campaigns.report.summary import OUTCOME_WORDS, count_readers, describe_counts
from mailer.database.models import DeliveryState
from mailer.database.report_models import ReportPart
from mailer.utc import format_utc
from subscribers.segments.description import Vocabulary

Cell = str | int | None
"""A cell of a table. None is a figure that is hidden or not known."""
OPENS_NOTE: Final = (
    "Opens are not counted: Apple Mail and Gmail fetch the pictures of a mail whether or not anybody reads "
    "it, so their number would tell nothing true."
)
_OUTCOMES: Final = {state: state.value.replace("_", " ") for state in DeliveryState}
_LEAVING_REASONS: Final = {
    "too_many": "too many emails",
    "not_mine": "the topics are not relevant",
    "moved_on": "their work has changed",
    "not_asked": "they did not ask for it",
    "hard_to_read": "hard to read, or not in their language",
    "other": "another reason",
}


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """A table of a report; ``name`` chooses it on the command line, and ``note`` belongs below it. Cells in
    the columns ``right`` are numbers, those in ``titled`` say nothing without their title. One that
    ``is_wide`` does not fit a phone: there, each row is a paragraph that begins with its first cell."""

    name: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: frozenset[int] = frozenset()
    titled: frozenset[int] = frozenset()
    note: str = ""
    is_wide: bool = False

    @property
    def hides(self) -> bool:
        """Whether a figure is hidden or not known."""
        return any(cell is None for row in self.rows for cell in row)


@dataclass(frozen=True, kw_only=True)
class ReportSection:
    """A section of a report. ``counted_at`` is the moment of its figures if they are not of this one."""

    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    counted_at: datetime | None = None


def format_cell(cell: Cell) -> str:
    return HIDDEN if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def tidy_words(words: str) -> str:
    """Words of others on one line, without control characters."""
    return " ".join(remove_unsafe_characters(words.replace("\n", " ").replace("\t", " ")).split())


def format_share(number: int | None, of: int) -> str:
    """``number`` in per cent: ``98.3 %``; a dash if it is not known."""
    return HIDDEN if number is None or not of else f"{100 * number / of:.1f} %"


def describe_moment(section: ReportSection) -> str:
    """Return when the figures of a section were counted, "" if they are of this moment."""
    return "" if section.counted_at is None else f"Counted at {format_utc(section.counted_at)}."


def describe_report(report: CampaignReport, vocabulary: Vocabulary) -> tuple[ReportSection, ...]:
    sections = (
        *_describe_numbers(report),
        *_describe_reasons(report),
        *_describe_breakdown(report, vocabulary),
        *_describe_departures(report),
        *_describe_links(report),
        *_describe_hand_over(report),
        *_describe_returned(report),
        *_describe_warnings(report),
        *_describe_organisations(report),
        *_describe_comparison(report),
        ReportSection(title="Opens", sentences=(OPENS_NOTE,)),
    )
    return tuple(sections)


def describe_time_line(time_line: TimeLine) -> tuple[ReportSection, ...]:
    """Describe all campaigns over time, and the growth of the list."""
    campaigns = ReportSection(title="Campaigns", tables=(_tabulate_campaigns(time_line.campaigns),))
    if time_line.months is None:
        words = _uncounted_words("the list")
        return (campaigns, ReportSection(title="The list by month", sentences=(words,)))
    months = ReportTable(
        name="months",
        head=("month", "joined", "left", "people"),
        rows=tuple((month.month, month.joined, month.left, month.people) for month in time_line.months),
        right=frozenset({1, 2, 3}),
        note=HIDDEN_NOTE if any(None in (one.joined, one.people) for one in time_line.months) else "",
    )
    growth = ReportSection(title="The list by month", tables=(months,), counted_at=time_line.counted_at)
    return (campaigns, growth)


def _describe_numbers(report: CampaignReport) -> Iterator[ReportSection]:
    counts = report.summary.counts
    if ReportPart.ledger in report.uncounted:
        yield ReportSection(title="Numbers", sentences=(_uncounted_words("the campaign"),))
        return
    outcomes = [(words, getattr(counts, name)) for name, words in OUTCOME_WORDS.items()]
    outcomes.append(("still to do", counts.still_to_do))
    rows = [(words, number, format_share(number, counts.audience)) for words, number in outcomes if number]
    rows.append(("audience", counts.audience, ""))
    table = ReportTable(
        name="numbers", head=("", "readers", "share"), rows=tuple(rows), right=frozenset({1, 2})
    )
    yield ReportSection(
        title="Numbers",
        sentences=(describe_counts(counts),),
        tables=(table,) if counts.audience else (),
        counted_at=report.counted_at.get(ReportPart.ledger),
    )


def _describe_reasons(report: CampaignReport) -> Iterator[ReportSection]:
    if not report.reasons:
        return
    rows = tuple(
        (
            group.cause.words if group.cause else _OUTCOMES[group.state],
            group.number,
            _OUTCOMES[group.state],
            group.fault.label if group.fault else "",
            tidy_words(group.reason),
        )
        for group in report.reasons
    )
    table = ReportTable(
        name="reasons",
        head=("why", "readers", "outcome", "whose fault", "in their words"),
        rows=rows,
        right=frozenset({1}),
        titled=frozenset({3}),
        is_wide=True,
    )
    dead = f"{report.bounced:,} of those rejected bounced: the address is dead and gets no more mail."
    yield ReportSection(
        title="Why readers did not get it",
        sentences=(*((dead,) if report.bounced else ()), *list_advice(report.reasons)),
        tables=(table,),
        counted_at=report.counted_at.get(ReportPart.reasons),
    )


def _describe_breakdown(report: CampaignReport, vocabulary: Vocabulary) -> Iterator[ReportSection]:
    found = report.breakdown
    if found is None or not (found.total.sent or found.rows):
        return
    countries = ReportTable(
        name="countries",
        head=("country", "sent", "not sent", "left since"),
        rows=tuple((name, row.sent, row.not_sent, row.left) for name, row in _name_rows(found, vocabulary)),
        right=frozenset({1, 2, 3}),
    )
    sectors = ReportTable(
        name="sectors",
        head=("sent", *map(vocabulary.sector, found.sectors), "no sector"),
        rows=tuple((name, *row.by_sector, row.no_sector) for name, row in _name_rows(found, vocabulary)),
        right=frozenset(range(1, len(found.sectors) + 2)),
        note=HIDDEN_NOTE if found.hides else "",
    )
    yield ReportSection(
        title="By country and sector",
        sentences=("A reader who follows two sectors is counted in both.",) if found.sectors else (),
        tables=(countries, *([sectors] if found.sectors else [])),
        counted_at=report.counted_at.get(ReportPart.breakdown),
    )


def _name_rows(found: Breakdown, vocabulary: Vocabulary) -> Iterator[tuple[str, BreakdownRow]]:
    for row in found.rows:
        yield name_countries(row, vocabulary), row
    yield "all", found.total


def name_countries(row: BreakdownRow, vocabulary: Vocabulary) -> str:
    """Return the name of a row's country, or how many countries it puts together."""
    if len(row.countries) > 1:
        return f"{len(row.countries):,} others"
    code = row.countries[0] if row.countries else None
    return "unknown" if code is None else country_name(code, "en", vocabulary.countries)


def _describe_departures(report: CampaignReport) -> Iterator[ReportSection]:
    left, choices = report.left, report.choices
    sentences = []
    if left.total:
        kinds = ((left.unsubscribed, "unsubscribed"), (left.complained, "reported spam"))
        words = " and ".join(f"{number:,} {kind}" for number, kind in kinds if number)
        sentences.append(f"Left since: {words}; {left.through_mail:,} of {left.total:,} through this mail.")
    tables = []
    if choices and choices.people:
        sentences.append(f"{count_readers(choices.people)} changed what they get through this mail.")
        rows = tuple((choice, number) for choice, number in choices.by_choice.items())
        tables.append(_tabulate_groups("choices", "changed", rows))
    if choices and choices.leaving_reasons:
        answers = tuple((_LEAVING_REASONS.get(name, name), n) for name, n in choices.leaving_reasons.items())
        tables.append(_tabulate_groups("leaving", "why they left", answers))
    if sentences or tables:
        yield ReportSection(
            title="Who left, and what was changed",
            sentences=tuple(sentences),
            tables=tuple(tables),
            counted_at=report.counted_at.get(ReportPart.departures),
        )


def _tabulate_groups(name: str, head: str, rows: tuple[tuple[Cell, ...], ...]) -> ReportTable:
    note = HIDDEN_NOTE if any(None in row for row in rows) else ""
    return ReportTable(name=name, head=(head, "readers"), rows=rows, right=frozenset({1}), note=note)


def _describe_links(report: CampaignReport) -> Iterator[ReportSection]:
    found = report.clicks
    if found is None:
        return
    rows = tuple(
        (tidy_words(link.label or link.url), link.people, link.scanners, tidy_words(link.story))
        for link in found.links
        if link.people != 0 or link.scanners
    )
    table = ReportTable(
        name="links",
        head=("link", "people", "programs", "story"),
        rows=rows,
        right=frozenset({1, 2}),
        note=HIDDEN_NOTE if any(None in row for row in rows) else "",
        is_wide=True,
    )
    waiting = f" {found.waiting:,} more are not judged yet." if found.waiting else ""
    words = f"People who followed a link: {format_cell(found.people)}; programs: {found.scanners:,}.{waiting}"
    yield ReportSection(
        title="Links",
        sentences=(words,),
        tables=(table,) if rows else (),
        counted_at=report.counted_at.get(ReportPart.clicks),
    )


def _describe_hand_over(report: CampaignReport) -> Iterator[ReportSection]:
    found = report.hand_over
    if found is None:
        return
    times = (found.first, found.median, found.most, found.last)
    first, median, most, last = map(format_duration, times)
    words = (
        f"The relay took the first message {first} after the launch, half of them within {median}, 95 % "
        f"within {most} and the last after {last}."
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (tidy_words(place.place), place.sent, *map(format_duration, (place.median, place.most, place.last)))
        for place in found.places
    )
    table = ReportTable(
        name="hand-over",
        head=("mail for", "sent", "half in", "95 % in", "last in"),
        rows=rows,
        right=frozenset({1, 2, 3, 4}),
        is_wide=True,
    )
    yield ReportSection(
        title="Time to hand over",
        sentences=(words,),
        tables=(table,) if rows else (),
        counted_at=report.counted_at.get(ReportPart.hand_over),
    )


def _describe_returned(report: CampaignReport) -> Iterator[ReportSection]:
    returned = report.returned
    if not (returned.groups or returned.alarms or returned.left_by_mail_count):
        return
    sentences = []
    if returned.left_by_mail_count:
        sentences.append(f"{count_readers(returned.left_by_mail_count)} left by mail.")
    if returned.alarms:
        sentences.append(
            "Alarms are what servers say about the sender, so nobody was removed for them. Ask whoever runs "
            "your relay, and run `mailer doctor`."
        )
    groups = ReportTable(
        name="returned",
        head=("what came back", "readers"),
        rows=tuple((group.label, group.readers) for group in returned.groups),
        right=frozenset({1}),
    )
    alarms = ReportTable(
        name="alarms",
        head=("alarm", "readers", "in their words"),
        is_wide=True,
        rows=tuple((one.reason.words, one.readers, tidy_words(one.words)) for one in returned.alarms),
        right=frozenset({1}),
    )
    tables = tuple(table for table in (groups, alarms) if table.rows)
    yield ReportSection(title="What came back", sentences=tuple(sentences), tables=tables)


def _describe_warnings(report: CampaignReport) -> Iterator[ReportSection]:
    off = [
        f"Sent with the check {code} switched off: {tidy_words(why)}"
        for code, why in report.switched_off.items()
    ]
    rows = tuple(
        (one.code, f"{tidy_words(one.path)}:{one.line}", tidy_words(one.message))
        for one in report.warnings or ()
    )
    table = ReportTable(name="warnings", head=("check", "where", "warning"), rows=rows, is_wide=True)
    if off or rows:
        yield ReportSection(
            title="What the checks had warned of", sentences=tuple(off), tables=(table,) if rows else ()
        )


def _describe_organisations(report: CampaignReport) -> Iterator[ReportSection]:
    if not report.lost_organisations:
        return
    table = ReportTable(
        name="organisations",
        head=("organisation", "readers gone"),
        rows=tuple((tidy_words(lost.name), lost.readers) for lost in report.lost_organisations),
        right=frozenset({1}),
    )
    yield ReportSection(
        title="Organisations without a reader",
        tables=(table,),
        counted_at=report.counted_at.get(ReportPart.lost_organisations),
    )


def _describe_comparison(report: CampaignReport) -> Iterator[ReportSection]:
    found = report.comparison
    if found is None or not found.earlier:
        return
    table = _tabulate_campaigns([found.this, *found.earlier], name="comparison")
    words = f"The last {len(found.earlier)} to the same segment ({tidy_words(found.segment) or 'all'})."
    yield ReportSection(title="Beside the campaigns before it", sentences=(words,), tables=(table,))


def _tabulate_campaigns(campaigns: Sequence[CampaignFigures], name: str = "campaigns") -> ReportTable:
    with_clicks = any(one.clicks is not None for one in campaigns)
    rows = tuple(
        (
            tidy_words(one.edition_label),
            str(one.id),
            f"{one.launched_at:%Y-%m-%d}",
            one.audience,
            one.sent,
            format_share(one.rejected, one.audience),
            format_share(one.left, one.audience),
            *((one.clicks,) if with_clicks else ()),
            HIDDEN if one.median_seconds is None else format_duration(one.median_seconds),
        )
        for one in campaigns
    )
    clicks = ("clicked",) if with_clicks else ()
    head = ("edition", "id", "date (UTC)", "readers", "sent", "refused", "left", *clicks, "half in")
    numbers = frozenset(range(len(head))) - {0, 2}
    return ReportTable(name=name, head=head, rows=rows, right=numbers, is_wide=True)


def _uncounted_words(what: str) -> str:
    return (
        f"The figures of {what} are not counted yet, because it is large. `mailer work` or `mailer serve` "
        "counts them."
    )
