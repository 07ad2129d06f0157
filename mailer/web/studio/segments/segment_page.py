"""The page of a segment: whom it finds, in numbers by country and sector."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Request
from sqlmodel import Session, col, func, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.counts.counters import (
    CountedNumber,
    CountKind,
    read_cross_table,
    read_request,
    request_cross_table,
    request_difference,
    request_segment,
)
from mailer.database.models import Campaign, Correction
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import list_sectors, own_country_names
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.segment_query import (
    QUERY_PARAMETER,
    SegmentQuery,
    WrittenQuery,
    make_filter_form,
    read_query,
    read_query_form,
)
from subscribers.cross_table import CrossTable, CrossTableRow
from subscribers.models import Status, Subscriber
from subscribers.segments.segment import EVERYONE

STEPS = 5
"""How many grounds there are, besides none at all."""

_UNKNOWN_COUNTRY = gettext_noop("Unknown")
_MAILABLE = "status:active"


@dataclass(frozen=True, kw_only=True)
class HeatCell:
    """A number, the ``step`` of its ground, and where its partners are listed, "" if they cannot be."""

    number: int
    step: int
    path: str = ""

    @property
    def text(self) -> str:
        return f"{self.number:,}"


@dataclass(frozen=True, kw_only=True)
class HeatRow:
    """A country, or all: its cells in the order of the columns, and its people."""

    name: str
    code: str
    cells: Sequence[HeatCell]
    people: HeatCell


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """A table of countries and sectors. ``columns`` are pairs of a sector's slug and its name. If some follow
    other sectors, or none, there is a column for each."""

    columns: Sequence[tuple[str, str]]
    has_others: bool
    has_none: bool
    rows: Sequence[HeatRow]
    total: HeatRow
    mailable_only: bool


def make_heat_map(page: StudioPage, query: SegmentQuery, table: CountedNumber) -> HeatMap | None:
    """Make the map of a table that was counted; None if it was not yet, or there is nobody in it."""
    if table.value is None:
        return None
    counted, mailable_only = read_cross_table(table.value), bool(table.value["mailable_only"])
    if not counted.total.people:
        return None
    writer = _HeatMapWriter(page=page, query=query, table=counted, mailable_only=mailable_only)
    return writer.write()


@dataclass(frozen=True, kw_only=True)
class _HeatMapWriter:
    page: StudioPage
    query: SegmentQuery
    table: CrossTable
    mailable_only: bool

    def write(self) -> HeatMap:
        names = dict(list_sectors(self.page.translator, self.page.settings))
        return HeatMap(
            columns=[(slug, names.get(slug, slug)) for slug in self.table.sectors],
            has_others=self._has_others,
            has_none=self._has_none,
            rows=[self._write_row(code, row) for code, row in self.table.countries.items()],
            total=self._write_row("", self.table.total, is_total=True),
            mailable_only=self.mailable_only,
        )

    @property
    def _has_others(self) -> bool:
        return self.table.total.other > 0

    @property
    def _has_none(self) -> bool:
        return self.table.total.none > 0

    def _write_row(self, code: str | None, row: CrossTableRow, *, is_total: bool = False) -> HeatRow:
        place = "" if is_total else f"country:{code}" if code else None
        cells = [
            self._write_cell(number, place, f"sector:{slug}", is_total=is_total)
            for slug, number in zip(self.table.sectors, row.by_sector, strict=True)
        ]
        # No query asks for those who follow nothing, or something that is no sector of ours any more.
        cells += [self._write_cell(row.other, None, is_total=is_total)] if self._has_others else []
        cells += [self._write_cell(row.none, None, is_total=is_total)] if self._has_none else []
        return HeatRow(
            name=self._name_country(code),
            code=code or "none",
            cells=cells,
            people=HeatCell(number=row.people, step=0, path=self._make_path(row.people, place)),
        )

    def _name_country(self, code: str | None) -> str:
        if not code:
            return self.page.translator.translate(_UNKNOWN_COUNTRY)
        return self.page.translator.name_country(code, own_country_names(self.page.settings))

    def _write_cell(self, number: int, place: str | None, sector: str = "", *, is_total: bool) -> HeatCell:
        largest = 0 if is_total else self._largest
        return HeatCell(
            number=number, step=choose_step(number, largest), path=self._make_path(number, place, sector)
        )

    @property
    def _largest(self) -> int:
        return max(max((*row.by_sector, row.other, row.none)) for row in self.table.countries.values())

    def _make_path(self, number: int, place: str | None, sector: str = "") -> str:
        if not number or place is None or not self.page.leads_to("/partners"):
            return ""
        conditions = [place, sector, _MAILABLE if self.mailable_only else ""]
        narrowed = self.query.narrow(" ".join(condition for condition in conditions if condition))
        return self.page.make_path("/partners", None, query=narrowed.strip())


def choose_step(number: int, largest: int) -> int:
    """The ground of a number: 0 for none, and up to :data:`STEPS` for the largest.

    By the square root, so that one large country does not make all others look empty.
    """
    if number <= 0 or largest <= 0:
        return 0
    return max(1, min(STEPS, math.ceil(STEPS * math.sqrt(number / largest))))


_MOST_EDITIONS = 12
_EDITION = "edition:"


@dataclass(frozen=True, kw_only=True)
class SentEdition:
    """An edition that was sent, to compare with; ``value`` is it as an audience ("edition:2026-1")."""

    value: str
    slug: str
    sent_at: datetime


@dataclass(frozen=True, kw_only=True)
class ChangedSide:
    """Who is new, or gone: how many, by reason, and where they are listed, "" if they cannot be."""

    total: int
    reasons: Mapping[str, int]
    path: str


@dataclass(frozen=True, kw_only=True)
class SamplePartner:
    """One of those in the segment."""

    name: str
    organisation: str
    email: str
    path: str


@dataclass(frozen=True, kw_only=True)
class SegmentNumbers:
    """What a page shows of a query in numbers. Each :class:`CountedNumber` may still be counted.

    ``difference`` is None if nothing was sent yet, or nothing is to be compared; ``compared`` is with what.
    """

    size: CountedNumber
    table: CountedNumber
    heat_map: HeatMap | None
    partners: Sequence[SamplePartner]
    editions: Sequence[SentEdition]
    compared: str
    difference: CountedNumber | None
    new: ChangedSide | None
    gone: ChangedSide | None
    list_path: str

    @property
    def is_counting(self) -> bool:
        """Whether one of them is still on its way."""
        numbers = (self.size, self.table, self.difference)
        return any(number is not None and number.is_counting for number in numbers)


def find_numbers(page: StudioPage, session: Session, query: SegmentQuery, compared: str) -> SegmentNumbers:
    """Find what is known of a query that is understood, and have the rest counted."""
    text = query.text.strip() or "all"
    editions = list_sent_editions(session)
    known = {edition.value for edition in editions}
    chosen = compared if compared in known else (editions[0].value if editions else "")
    requests = [request_segment(text), request_cross_table(text)]
    requests += [request_difference(chosen, text)] if chosen else []
    size, table, *others = page.state.counts.get_all(requests)
    difference = others[0] if others else None
    slug = chosen.removeprefix(_EDITION)
    return SegmentNumbers(
        size=size,
        table=table,
        heat_map=make_heat_map(page, query, table),
        partners=_read_partners(page, session, size),
        editions=editions,
        compared=chosen,
        difference=difference,
        new=_read_side(page, difference, "new", query.narrow(f"-got:{slug}")),
        gone=_read_side(page, difference, "gone", _exclude(query, slug)),
        list_path=_list_path(page, query.text.strip()),
    )


def list_sent_editions(session: Session) -> list[SentEdition]:
    """The editions that were sent last, the newest first; corrections are none."""
    last = func.max(col(Campaign.launched_at))
    wanted = (
        select(col(Campaign.edition), last)
        .where(
            col(Campaign.launched_at).is_not(None), col(Campaign.edition).not_in(select(col(Correction.name)))
        )
        .group_by(col(Campaign.edition))
        .order_by(last.desc())
        .limit(_MOST_EDITIONS)
    )
    return [
        SentEdition(value=f"{_EDITION}{slug}", slug=slug, sent_at=sent_at)
        for slug, sent_at in session.exec(wanted)
        if sent_at is not None
    ]


def _read_side(
    page: StudioPage, difference: CountedNumber | None, side: str, query: str
) -> ChangedSide | None:
    if difference is None or difference.value is None:
        return None
    reasons = difference.value[side]
    total = sum(reasons.values())
    return ChangedSide(total=total, reasons=reasons, path=_list_path(page, query) if total else "")


def _exclude(query: SegmentQuery, slug: str) -> str:
    """Who got an edition and is not in the segment."""
    return f"got:{slug}" if query.is_everyone else f"got:{slug} -({query.text.strip()})"


def _list_path(page: StudioPage, query: str) -> str:
    if not page.leads_to("/partners"):
        return ""
    return page.make_path("/partners", None, **({"query": query} if query else {}))


def _read_partners(page: StudioPage, session: Session, size: CountedNumber) -> list[SamplePartner]:
    """The first few in the segment, as they are now; whoever was erased meanwhile is not among them."""
    numbers = size.value["first"] if size.value else []
    found = session.exec(
        select(Subscriber)
        .where(col(Subscriber.id).in_(numbers), col(Subscriber.status) != Status.erased)
        .order_by(col(Subscriber.id))
    )
    leads = page.leads_to("/partners/{subscriber}")
    return [
        SamplePartner(
            name=one.name,
            organisation=one.organisation,
            email=one.email,
            path=page.make_path(f"/partners/{one.id}") if leads else "",
        )
        for one in found
    ]


COMPARED = "compare"
"""The name, in addresses, of what a segment is compared with."""

_MOST_LETTERS = 4100


def show_new_segment(page: PageDep, request: Request) -> Response:
    """Show the form for a segment that nobody has written yet."""
    return show_query_page(page, request, "/segments/new")


def show_query(page: PageDep, request: Request) -> Response:
    """Show what a query means, and its numbers."""
    return show_query_page(page, request, "/segments/query")


def show_query_page(page: StudioPage, request: Request, path: str) -> Response:
    """Show the page of a query that is not saved."""
    given = request.query_params.multi_items()
    with page.state.read_session() as session:
        written = read_query_form(page, session, given)
        if written.from_filters or ("was" in dict(given) and not written.errors):
            # The address of a query is the same, whether it was written or chosen.
            return _go_to_query(page, "/segments/query", written.text, dict(given))
        return render_segment(page, session, written, path=path, given=dict(given))


def _go_to_query(page: StudioPage, path: str, text: str, given: Mapping[str, str]) -> Response:
    kept = {COMPARED: given[COMPARED]} if given.get(COMPARED) else {}
    return page.redirect(path, None, **{QUERY_PARAMETER: text.strip() or "all", **kept})


def render_segment(
    page: StudioPage,
    session: Session,
    written: WrittenQuery,
    *,
    path: str,
    given: Mapping[str, str],
    errors: Sequence[tuple[str, str]] = (),
    **values: Any,
) -> Response:
    """Render the page of a query. ``given`` has what else the address or the form says."""
    query = read_query(page, session, written.text[:_MOST_LETTERS])
    problems = [*written.errors, *errors]
    if query.problem is not None:
        problems.insert(0, (QUERY_PARAMETER, query.problem.reason))
    is_asked = bool(written.text.strip()) or path != "/segments/new"
    shown = {
        "saved": None,
        "uses": None,
        "name": given.get("name", ""),
        "new_name": "",
        "is_changed": False,
        **values,
    }
    return page.render(
        "segment.html",
        status=422 if problems else 200,
        section="segments",
        path=path,
        query=query,
        form=None if query.filters is None else make_filter_form(page, session, query.filters),
        numbers=_find_numbers(page, session, query, given) if is_asked else None,
        errors=problems,
        problems=dict(problems),
        **shown,
    )


def _find_numbers(page: StudioPage, session: Session, query: SegmentQuery, given: Mapping[str, str]) -> Any:
    if query.segment is None:
        return None
    return find_numbers(page, session, query, given.get(COMPARED, ""))


def show_words(page: PageDep, request: Request) -> Response:
    """Say what a query means while it is written, and how many they are. For htmx; otherwise it is the page
    of the query. With ``numbers`` in the address, the numbers of a segment's page follow as well."""
    given = request.query_params.multi_items()
    with page.state.read_session() as session:
        written = read_query_form(page, session, given)
        if not page.is_fragment:
            return _go_to_query(page, "/segments/query", written.text, dict(given))
        query = read_query(page, session, written.text[:_MOST_LETTERS])
        is_understood = query.segment is not None and not written.errors
        asked = request_segment(query.text.strip() or EVERYONE)
        return page.render(
            "segment_words.html",
            query=query,
            errors=written.errors,
            from_filters=written.from_filters,
            form=None if query.filters is None else make_filter_form(page, session, query.filters),
            words_path="/segments/words" + ("?numbers=1" if "numbers" in dict(given) else ""),
            number=page.state.counts.get(asked) if is_understood else None,
            shows_numbers="numbers" in dict(given),
            compared=dict(given).get(COMPARED, ""),
        )


def show_numbers(page: PageDep, request: Request) -> Response:
    """Show the numbers of a query as far as they are known. For htmx; otherwise it is the page."""
    given = dict(request.query_params)
    text = given.get(QUERY_PARAMETER, "")
    if not page.is_fragment:
        return _go_to_query(page, "/segments/query", text, given)
    with page.state.read_session() as session:
        query = read_query(page, session, text[:_MOST_LETTERS])
        return page.render(
            "segment_numbers.html", query=query, numbers=_find_numbers(page, session, query, given)
        )


"""They come before the pages of saved segments, none of which has such a name."""

_ALONE = frozenset({CountKind.segment, CountKind.audience})
"""The numbers that are one line; tables are shown by the pages they are on."""


def show_count(kind: str, page: PageDep) -> Response:
    """Show a number as far as it is known, and have it counted."""
    request = read_request(kind, page.request.query_params)
    if request is None or request.kind not in _ALONE:
        raise HTTPException(404)
    number = page.state.counts.get(request)
    if page.is_fragment:
        return page.render("count.html", number=number)
    return page.render("count_page.html", section="segments", number=number)


ROUTES = (
    StudioRoute("/segments/new", show_new_segment, GET, Permission.change_partners),
    StudioRoute("/segments/query", show_query, GET, Permission.see_partners),
    StudioRoute("/segments/words", show_words, GET, Permission.see_partners),
    StudioRoute("/segments/numbers", show_numbers, GET, Permission.see_partners),
    StudioRoute("/counts/{kind}", show_count, GET, Permission.see_partners),
)
