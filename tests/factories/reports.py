"""Reports as values: of a campaign with everything in it, of an empty one, and of many over time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import exp, sin

from mailer.campaigns.draft import CheckWarning
from mailer.campaigns.report.acceptance_times import HandOver, PlaceHandOver
from mailer.campaigns.report.breakdown import Breakdown, BreakdownRow
from mailer.campaigns.report.campaign_report import (
    CampaignComparison,
    CampaignFigures,
    CampaignReport,
    TimeLine,
)
from mailer.campaigns.report.clicks import ChangedChoices, ClickCell, ClickReport, LinkClicks
from mailer.campaigns.report.departures import Departures, ListMonth, LostOrganisation
from mailer.campaigns.report.doubts import InDoubtReader
from mailer.campaigns.report.reasons import Alarm, ReasonGroup, Returned, ReturnedGroup
from mailer.campaigns.report.summary import CampaignSummary
from mailer.database.feedback_models import FeedbackKind
from mailer.database.models import CampaignState, DeliveryState
from mailer.database.report_models import ReportPart
from mailer.dispatch.deliveries import Counts
from mailer.reasons.reason import Reason

LAUNCHED = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 28, 10, 40, tzinfo=UTC)
SECTORS = (
    "education",
    "culture",
    "natural-sciences",
    "social-and-human-sciences",
    "communication-and-information",
)
COUNTS = Counts(audience=12_404, sent=11_930, rejected=391, failed=4, suppressed=61, in_doubt=3, deferred=15)


def make_summary(
    counts: Counts = COUNTS,
    *,
    state: CampaignState = CampaignState.finished,
    launched: bool = True,
    **values: str,
) -> CampaignSummary:
    """A campaign with ``counts``; ``values`` replace its words."""
    words = {
        "edition": "2026-2",
        "title": "What we did this autumn",
        "subject": "Forums, workshops and four campaigns",
        "segment": "country:CN,MN,KR,KP,JP",
        "reason": "",
        **values,
    }
    return CampaignSummary(
        id=7,
        **words,
        created_at=LAUNCHED - timedelta(days=1),
        launched_at=LAUNCHED if launched else None,
        state=state,
        counts=counts,
    )


def make_empty_report(summary: CampaignSummary | None = None) -> CampaignReport:
    """A report with nothing in it but its numbers."""
    return CampaignReport(summary=summary or make_summary(), reasons=(), in_doubt=(), switched_off={})


def make_report(*, scale: int = 1, words: str = "") -> CampaignReport:
    """A report with something in every part. ``scale`` multiplies its people; ``words`` stand wherever a
    server, a reader or an editor may have written something."""
    summary = make_summary(Counts(**{name: scale * n for name, n in vars(COUNTS).items()}))
    if words:
        summary = replace(summary, title=words, subject=words, edition=words, segment=words, reason=words)
    return CampaignReport(
        summary=summary,
        reasons=_make_reasons(scale, words),
        in_doubt=tuple(
            InDoubtReader(
                email=words or f"reader{number}@example.org",
                message_id=f"<{number}.4f0c2ab19d@example.org>",
                reason=words or "the connection was closed",
            )
            for number in range(3)
        ),
        switched_off={"long-alt": words or "The captions are poems."},
        bounced=212 * scale,
        left=Departures(unsubscribed=38 * scale, complained=2 * scale, through_mail=31 * scale),
        returned=_make_returned(scale, words),
        lost_organisations=tuple(
            LostOrganisation(name=name, readers=number)
            for name, number in ((words or "Institute of Hydrology", 2), ("蒙古国立大学图书馆", 1))
        ),
        warnings=(
            CheckWarning(
                code="repeated-subject",
                path="edition.md",
                line=9,
                message=words or "The subject is that of the edition before.",
            ),
            CheckWarning(
                code="long-alt",
                path="stories/010-esd-hiratsuka.md",
                line=14,
                message=words
                or "The alternative text has 212 characters; a screen reader reads all of them.",
            ),
        ),
        breakdown=make_breakdown(scale),
        hand_over=make_hand_over(scale, words),
        choices=ChangedChoices(
            people=64 * scale,
            by_choice={"sectors": 41 * scale, "language": 12 * scale, "paused": 11 * scale, "country": None},
            leaving_reasons={"too_many": 12 * scale, "moved_on": 9 * scale, "hard_to_read": None},
        ),
        comparison=_make_comparison(scale, words),
        clicks=make_clicks(scale, words),
        counted_at={
            ReportPart.breakdown: NOW - timedelta(minutes=8),
            ReportPart.departures: NOW - timedelta(days=2),
        },
    )


def make_report_with_words(words: Sequence[str]) -> CampaignReport:
    """A report with each of ``words`` wherever somebody else may have written something."""
    clicks = make_clicks()
    return replace(
        make_report(words=words[0]),
        reasons=tuple(
            ReasonGroup(state=DeliveryState.rejected, number=9, reason=one, dead_address=False)
            for one in words
        ),
        in_doubt=tuple(InDoubtReader(email=one, message_id=one, reason=one) for one in words),
        switched_off={one: one for one in words},
        lost_organisations=tuple(LostOrganisation(name=one, readers=1) for one in words),
        warnings=tuple(CheckWarning(code=one, path=one, line=1, message=one) for one in words),
        clicks=replace(
            clicks,
            links=tuple(
                replace(link, label=one, url=one, story=one)
                for one, link in zip(words, clicks.links * len(words), strict=False)
            ),
        ),
    )


def _make_reasons(scale: int, words: str) -> tuple[ReasonGroup, ...]:
    rejected, deferred = DeliveryState.rejected, DeliveryState.deferred
    found = (
        (rejected, 188, "550 5.1.1 <…>: Recipient address rejected: User unknown", True),
        (
            rejected,
            96,
            "550 5.7.1 Our system has detected that this message is likely unsolicited mail",
            False,
        ),
        (DeliveryState.suppressed, 61, "unsubscribed", False),
        (rejected, 58, "554 5.7.5 Permanent error evaluating DMARC policy", False),
        (rejected, 25, "552 5.2.2 邮箱空间已满，请联系收件人清理邮箱后再发送", False),
        (deferred, 15, "451 4.7.1 Greylisting in action, please come back later", False),
        (DeliveryState.failed, 4, "the address needs SMTPUTF8, which the relay does not offer", False),
    )
    return tuple(
        ReasonGroup(state=state, number=number * scale, reason=words or told, dead_address=dead)
        for state, number, told, dead in found
    )


def _make_returned(scale: int, words: str) -> Returned:
    groups = (
        (FeedbackKind.bounce, Reason.full, 14),
        (FeedbackKind.bounce, Reason.no_such_user, 9),
        (FeedbackKind.complaint, Reason.complaint, 2),
        (FeedbackKind.reply, None, 37),
    )
    return Returned(
        groups=tuple(
            ReturnedGroup(kind=kind, reason=reason, readers=readers * scale)
            for kind, reason, readers in groups
        ),
        alarms=(
            Alarm(
                reason=Reason.authentication,
                words=words or "550 5.7.26 This mail has been blocked because the sender is unauthenticated.",
                readers=58 * scale,
                last_at=LAUNCHED,
            ),
        ),
        left_by_mail=(words or "mei@example.org",),
        left_by_mail_count=1,
    )


def make_breakdown(scale: int = 1, *, sectors: tuple[str, ...] = SECTORS) -> Breakdown:
    """Five countries, several put together, and the unknown."""
    rows = (
        (("CN",), 6120, 210, 21),
        (("MN",), 2210, 96, 9),
        (("KR",), 1604, 71, 5),
        (("JP",), 1288, 55, None),
        (("KP",), 401, 22, None),
        (("FR", "DE", "TH"), 204, 15, 0),
        ((None,), 103, 5, 0),
    )
    return Breakdown(
        sectors=sectors,
        rows=tuple(_make_row(countries, scale, sectors, *figures) for countries, *figures in rows),  # type: ignore[arg-type]
        total=_make_row((), scale, sectors, 11_930, 474, 40),
    )


def _make_row(
    countries: tuple[str | None, ...],
    scale: int,
    sectors: tuple[str, ...],
    sent: int,
    not_sent: int,
    left: int | None,
) -> BreakdownRow:
    counts = [round(sent * (0.44 + 0.3 * sin(7 * index + sent))) for index in range(len(sectors))]
    return BreakdownRow(
        countries=countries,
        sent=sent * scale,
        not_sent=not_sent * scale,
        left=None if left is None else left * scale,
        by_sector=tuple(None if count < 40 else count * scale for count in counts),
        no_sector=round(sent * 0.08) * scale,
    )


def make_hand_over(scale: int = 1, words: str = "") -> HandOver:
    """Half an hour of sending, to three providers."""
    last = 1_812.0
    curve = tuple(
        (last * step / 60, round(11_930 * scale * (1 - exp(-step / 14)) / (1 - exp(-60 / 14))))
        for step in range(61)
    )
    places = (
        ("Microsoft 365", 4_120, 620.0),
        ("QQ", 2_890, 1_105.0),
        (words or "moe.example.cn", 611, 212.0),
    )
    return HandOver(
        sent=11_930 * scale,
        first=0.4,
        median=302.0,
        most=1_204.0,
        last=last,
        curve=curve,
        places=tuple(
            PlaceHandOver(place=place, sent=sent * scale, first=0.4, median=median, most=1_600.0, last=last)
            for place, sent, median in places
        ),
    )


def _make_comparison(scale: int, words: str) -> CampaignComparison:
    figures = make_figures(4, scale=scale, words=words)
    return CampaignComparison(segment=words or "all", this=replace(figures[0], id=7), earlier=figures[1:])


def make_clicks(scale: int = 1, words: str = "") -> ClickReport:
    """Five links that were followed, one of them by too few people to say, and one that was not."""
    found = (
        ("Read more: Youth forum", "youth-forum", 812, 34),
        ("Read more: Teachers in Hiratsuka", "esd-hiratsuka", 507, 31),
        ("报名参加研讨会", "cop15-kunming", 266, 30),
        ("", "", 41, 29),
        ("Register", "register", None, 28),
        ("Our annual report", "", 0, 0),
    )
    links = tuple(
        LinkClicks(
            number=number,
            url=words or f"https://example.org/stories/{number}",
            story=words or story,
            label=words or label,
            people=people * scale if people else people,
            scanners=scanners,
            cells=(),
        )
        for number, (label, story, people, scanners) in enumerate(found)
    )
    return ClickReport(
        campaign_id=7,
        people=1_204 * scale,
        scanners=36,
        waiting=12,
        cells=tuple(_make_click_cells(scale)),
        links=links,
    )


def _make_click_cells(scale: int) -> Iterator[ClickCell]:
    sectors = {"": 48, "education": 402, "culture": 211}
    for sector, people in sectors.items():
        yield ClickCell(country=None, sector=sector, people=people * scale, scanners=20)
    for country, share in (("CN", 0.6), ("MN", 0.3), ("", 0.02)):
        yield ClickCell(country=country, sector=None, people=round(1_204 * share) * scale, scanners=9)
        for sector, people in sectors.items():
            count = round(people * share)
            yield ClickCell(
                country=country, sector=sector, people=None if count < 9 else count * scale, scanners=3
            )


def make_figures(number: int, *, scale: int = 1, words: str = "") -> tuple[CampaignFigures, ...]:
    """The figures of ``number`` campaigns, newest first, a little more than a week between them."""
    return tuple(
        CampaignFigures(
            id=number - index,
            edition_label=words or f"{2026 - index // 40}-{40 - index % 40}",
            title=words or ("What we did this autumn" if index % 3 else "今年秋天我们做了什么"),
            launched_at=LAUNCHED - timedelta(days=9 * index, hours=index % 5),
            audience=(12_404 - 50 * index + round(900 * sin(index))) * scale,
            sent=(11_930 - 52 * index + round(900 * sin(index))) * scale,
            rejected=(391 - 2 * (index % 90) + round(60 * sin(2 * index))) * scale,
            left=None if index % 50 == 49 else (40 + round(22 * sin(3 * index))) * scale,
            left_through_mail=20 * scale,
            complained=2 * scale,
            median_seconds=302.0 + 7 * index,
        )
        for index in range(number)
    )


def make_time_line(number: int = 200) -> TimeLine:
    """``number`` campaigns, and five years of the list."""
    months = []
    people = 6_400
    for index in range(60):
        joined, left = 130 + round(60 * sin(index)), 24 + round(12 * sin(2 * index))
        people += joined - left
        shown = (None, None) if index % 17 == 16 else (joined, left)
        year, month = divmod(2021 * 12 + 11 + index, 12)
        months.append(
            ListMonth(month=f"{year}-{month + 1:02}", joined=shown[0], left=shown[1], people=people)
        )
    return TimeLine(
        campaigns=make_figures(number), months=tuple(months), counted_at=NOW - timedelta(minutes=8)
    )
