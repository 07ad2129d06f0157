"""How many followed the links of a campaign, by country and sectors, and what readers changed through them.

What is known is how many visitors followed each link, not who (:mod:`mailer.feedback.clicks`). No figure of
fewer than five people is in these values, and none can be worked out from the others
(:mod:`mailer.campaigns.report.disclosure`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, func, select
from sqlmodel import col

from mailer.campaigns.report.disclosure import Cell, Figure, choose_hidden_cells, hide_groups
from mailer.database.models import Campaign
from mailer.database.report_models import ANY_LINK, CampaignLink, Click, ClickCount, Clicker
from mailer.dispatch.ledger_changes import name_consent_source
from subscribers.models import ConsentEvent, ConsentRecord

_CHANGED: Final = "changed: "
_LEAVING: Final = "reason for leaving: "
_STATUS_CHOICES: Final = {
    ConsentEvent.paused: "paused",
    ConsentEvent.resumed: "resumed",
    ConsentEvent.subscribed: "returned",
}


@dataclass(frozen=True, kw_only=True)
class ClickCell:
    """The number who followed a link, of the readers of a country who follow a sector.

    ``country`` is "" for readers without one, ``sector`` for readers who follow none; None stands for all. A
    reader of several sectors is in the cell of each. ``people`` is None where the figure is hidden.
    ``scanners`` are programs.
    """

    country: str | None
    sector: str | None
    people: Figure
    scanners: int


@dataclass(frozen=True, kw_only=True)
class LinkClicks:
    """A link of a campaign, of a story or "", with the figures of all readers; ``cells`` has the countries,
    the sectors and both. A figure of nobody is not in it."""

    number: int
    url: str
    story: str
    label: str
    people: Figure
    scanners: int
    cells: tuple[ClickCell, ...]


@dataclass(frozen=True, kw_only=True)
class ClickReport:
    """The links of a campaign in the order of its content. ``people`` and ``scanners`` followed at least one
    of them, each counted once a day; ``waiting`` requests are not judged yet."""

    campaign_id: int
    people: Figure
    scanners: int
    waiting: int
    cells: tuple[ClickCell, ...]
    links: tuple[LinkClicks, ...]


def read_clicks(connection: Connection, campaign_id: int) -> ClickReport | None:
    """Return the clicks of a campaign; None if it was sent without counting them."""
    links = connection.execute(
        select(CampaignLink.__table__)  # type: ignore[attr-defined]
        .where(col(CampaignLink.campaign_id) == campaign_id)
        .order_by(col(CampaignLink.number))
    ).all()
    if not links:
        return None
    figures = _read_figures(connection, campaign_id)
    whole = _make_cells(figures.get(ANY_LINK, {}))
    return ClickReport(
        campaign_id=campaign_id,
        people=_find_total(whole).people,
        scanners=_find_total(whole).scanners,
        waiting=_count_waiting(connection, campaign_id),
        cells=_without_total(whole),
        links=tuple(_describe_link(link, _make_cells(figures.get(link.number, {}))) for link in links),
    )


def _read_figures(connection: Connection, campaign_id: int) -> dict[int, dict[Clicker, Counter[Cell]]]:
    columns = (
        *(col(ClickCount.link_number), col(ClickCount.country), col(ClickCount.sectors)),
        *(col(ClickCount.clicker), col(ClickCount.clicks)),
    )
    found: dict[int, dict[Clicker, Counter[Cell]]] = {}
    counted = select(*columns).where(col(ClickCount.campaign_id) == campaign_id)
    for link_number, country, sectors, clicker, clicks in connection.execute(counted):
        of_link = found.setdefault(link_number, {clicker: Counter() for clicker in Clicker})
        for place in (country, None):
            of_link[clicker][place, None] += clicks
            for sector in sectors.split(","):
                of_link[clicker][place, sector] += clicks
    return found


def _make_cells(figures: Mapping[Clicker, Counter[Cell]]) -> Sequence[ClickCell]:
    people = _drop_idle_sectors(figures.get(Clicker.person, Counter()))
    scanners = _drop_idle_sectors(figures.get(Clicker.scanner, Counter()))
    hidden = choose_hidden_cells(people)
    cells = {(None, None), *people, *scanners}
    return [
        ClickCell(
            country=country,
            sector=sector,
            people=None if (country, sector) in hidden else people[country, sector],
            scanners=scanners[country, sector],
        )
        for country, sector in sorted(cells, key=_sort_key)
    ]


def _drop_idle_sectors(figures: Counter[Cell]) -> Counter[Cell]:
    """Leave out the readers without a sector if nobody has one: they are all readers."""
    if {sector for _, sector in figures} <= {None, ""}:
        return Counter({cell: figure for cell, figure in figures.items() if cell[1] is None})
    return figures


def _find_total(cells: Sequence[ClickCell]) -> ClickCell:
    return next(cell for cell in cells if cell.country is None and cell.sector is None)


def _without_total(cells: Sequence[ClickCell]) -> tuple[ClickCell, ...]:
    return tuple(cell for cell in cells if cell.country is not None or cell.sector is not None)


def _describe_link(link: Any, cells: Sequence[ClickCell]) -> LinkClicks:
    total = _find_total(cells)
    return LinkClicks(
        number=link.number,
        url=link.url,
        story=link.story,
        label=link.label,
        people=total.people,
        scanners=total.scanners,
        cells=_without_total(cells),
    )


def _count_waiting(connection: Connection, campaign_id: int) -> int:
    waiting = select(func.count()).where(col(Click.campaign_id) == campaign_id, col(Click.clicker).is_(None))
    return connection.execute(waiting).scalar_one()


def _sort_key(cell: Cell) -> tuple[bool, str, bool, str]:
    country, sector = cell
    return (country is not None, country or "", sector is not None, sector or "")


@dataclass(frozen=True, kw_only=True)
class ChangedChoices:
    """Readers who changed what they get through this very mail since its launch, as the consent records tell.

    ``by_choice`` counts them by what they changed; somebody who changed two is counted in both.
    ``leaving_reasons`` are the answers of those who left, by
    :class:`mailer.selfservice.unsubscribe.UnsubscribeReason`. Small figures are hidden.
    """

    people: int
    by_choice: Mapping[str, Figure] = field(default_factory=dict)
    leaving_reasons: Mapping[str, Figure] = field(default_factory=dict)


def read_choices(connection: Connection, campaign_id: int) -> ChangedChoices:
    record = (col(ConsentRecord.subscriber_id), col(ConsentRecord.event), col(ConsentRecord.evidence))
    statement = (
        select(*record)
        .join(Campaign, col(Campaign.id) == campaign_id)
        .where(
            col(ConsentRecord.source) == name_consent_source(campaign_id),
            col(ConsentRecord.event).in_((ConsentEvent.updated, *_STATUS_CHOICES)),
            col(ConsentRecord.at) >= col(Campaign.launched_at),
        )
        .order_by(col(ConsentRecord.id))
    )
    choices: dict[str, set[int]] = {}
    reasons: dict[int, str] = {}
    for person, event, evidence in connection.execute(statement):
        if evidence.startswith(_LEAVING) and (reason := evidence.removeprefix(_LEAVING)):
            reasons[person] = reason
        for choice in _list_choices(event, evidence):
            choices.setdefault(choice, set()).add(person)
    people = len(set().union(*choices.values()))
    answers = {reason: list(reasons.values()).count(reason) for reason in sorted(set(reasons.values()))}
    return ChangedChoices(
        people=people,
        by_choice=_hide(people, {choice: len(who) for choice, who in sorted(choices.items())}),
        leaving_reasons=_hide(len(reasons), answers),
    )


def _list_choices(event: ConsentEvent, evidence: str) -> Iterable[str]:
    if event in _STATUS_CHOICES:
        return (_STATUS_CHOICES[event],)
    line = evidence.rpartition("\n")[2]
    return line.removeprefix(_CHANGED).split(", ") if line.startswith(_CHANGED) else ()


def _hide(people: int, counted: Mapping[str, int]) -> dict[str, Figure]:
    """Return the groups by size; those whose figure is hidden last, by name."""
    figures = dict(zip(counted, hide_groups(people, list(counted.values())), strict=True))
    return dict(sorted(figures.items(), key=lambda item: (item[1] is None, -(item[1] or 0), item[0])))
