"""The page of a segment: whom it finds, in numbers by country and sector."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlmodel import col, select
from starlette.responses import Response

from mailer.campaigns.delivery_history import list_sent_editions
from mailer.counts.counters import (
    CountedNumber,
    CountKind,
    read_cross_table,
    read_request,
    request_cross_table,
    request_difference,
    request_segment,
)
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.studio.page import PageDep, StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import (
    QUERY_PARAMETER,
    SegmentQuery,
    make_filter_form,
    read_query,
    read_query_form,
)
from subscribers.models import Status, Subscriber
from subscribers.queries import CrossTableRow
from subscribers.segments.segment import EVERYONE

_STEPS = 5
"""How many grounds there are, besides none at all."""

COMPARED = "compare"
"""The name, in addresses, of what a segment is compared with."""

_UNKNOWN_COUNTRY = gettext_noop("Unknown")
_MAILABLE = "status:active"
_MOST_EDITIONS = 12
_EDITION = "edition:"
_ALONE = frozenset({CountKind.segment, CountKind.audience})
"""The numbers that are one line; tables are shown by the pages they are on."""

ROUTES = Routes()


@ROUTES.get_route("/segments/new", Permission.change_partners)
def show_new_segment(page: PageDep) -> Response:
    return _show_query(page, "/segments/new")


@ROUTES.get_route("/segments/query", Permission.see_partners)
def show_query(page: PageDep) -> Response:
    return _show_query(page, "/segments/query")


def _show_query(page: StudioPage, path: str) -> Response:
    given = page.request.query_params.multi_items()
    query = read_query_form(page, given)
    if query.from_filters or ("was" in dict(given) and not query.errors):
        # The address of a query is the same, whether it was written or chosen.
        return _go_to_query(page, query.text)
    return render_segment(page, query, path=path, given=dict(given))


def _go_to_query(page: StudioPage, text: str) -> Response:
    compared = page.request.query_params.get(COMPARED)
    kept = {COMPARED: compared} if compared else {}
    return page.redirect("/segments/query", None, **{QUERY_PARAMETER: text.strip() or EVERYONE, **kept})


@ROUTES.get_route("/segments/words", Permission.see_partners)
def show_words(page: PageDep) -> Response:
    """Say what a query means while it is written, and how many they are. For htmx; otherwise it is the page
    of the query. With ``numbers`` in the address, the numbers of a segment's page follow as well."""
    given = page.request.query_params
    query = read_query_form(page, given.multi_items())
    if not page.is_fragment:
        return _go_to_query(page, query.text)
    is_understood = query.segment is not None and not query.errors
    asked = request_segment(query.text.strip() or EVERYONE)
    return page.render(
        "segment_words.html",
        query=query,
        form=make_filter_form(page, query),
        words_path="/segments/words" + ("?numbers=1" if "numbers" in given else ""),
        number=page.state.counts.get(asked) if is_understood else None,
        shows_numbers="numbers" in given,
        compared=given.get(COMPARED, ""),
    )


@ROUTES.get_route("/segments/numbers", Permission.see_partners)
def show_numbers(page: PageDep) -> Response:
    """Show the numbers of a query as far as they are known. For htmx; otherwise it is the page."""
    given = page.request.query_params
    text = given.get(QUERY_PARAMETER, "")
    if not page.is_fragment:
        return _go_to_query(page, text)
    query = read_query(page, text)
    numbers = _find_numbers(page, query, given.get(COMPARED, ""))
    return page.render("segment_numbers.html", query=query, numbers=numbers)


@ROUTES.get_route("/counts/{kind}", Permission.see_partners)
def show_count(kind: str, page: PageDep) -> Response:
    request = or_404(read_request(kind, page.request.query_params))
    or_404(request.kind in _ALONE)
    number = page.state.counts.get(request)
    if page.is_fragment:
        return page.render("count.html", number=number)
    return page.render("count_page.html", number=number)


def render_segment(
    page: StudioPage,
    query: SegmentQuery,
    *,
    path: str,
    given: Mapping[str, str],
    errors: Sequence[tuple[str, str]] = (),
    **values: Any,
) -> Response:
    """Render the page of a query. ``given`` has what else the address or the form says."""
    problems = [*query.faults, *errors]
    is_asked = bool(query.text.strip()) or path != "/segments/new"
    unsaved = {
        "saved": None,
        "uses": None,
        "name": given.get("name", ""),
        "new_name": "",
        "is_changed": False,
    }
    return page.render(
        "segment.html",
        path=path,
        query=query,
        form=make_filter_form(page, query),
        numbers=_find_numbers(page, query, given.get(COMPARED, "")) if is_asked else None,
        errors=problems,
        **{**unsaved, **values},
    )


def _find_numbers(page: StudioPage, query: SegmentQuery, compared: str) -> Mapping[str, Any] | None:
    """Find what is known of a query, and have the rest counted; None if it is not understood. The difference
    is None if nothing was sent yet."""
    if query.segment is None:
        return None
    text = query.text.strip() or EVERYONE
    editions = list_sent_editions(page.session, most=_MOST_EDITIONS)
    slugs = [slug for slug, _ in editions]
    slug = compared.removeprefix(_EDITION)
    slug = slug if slug in slugs else next(iter(slugs), "")
    requests = [request_segment(text), request_cross_table(text)]
    requests += [request_difference(f"{_EDITION}{slug}", text)] if slug else []
    numbers = page.state.counts.get_all(requests)
    size, table, *others = numbers
    difference = others[0] if others else None
    value = difference.value if difference else None
    gone = f"got:{slug}" if query.is_everyone else f"got:{slug} -({query.text.strip()})"
    return {
        "is_counting": any(number.is_counting for number in numbers),
        "size": size,
        "table": table,
        "heat_map": _make_heat_map(page, query, table) if table.value else None,
        "partners": _list_examples(page, size),
        "editions": editions,
        "compared": f"{_EDITION}{slug}" if slug else "",
        "difference": difference,
        "new": _describe_side(page, value["new"], query.narrow(f"-got:{slug}")) if value else None,
        "gone": _describe_side(page, value["gone"], gone) if value else None,
        "list_path": _list_path(page, query.text.strip()),
    }


def _describe_side(page: StudioPage, reasons: Mapping[str, int], query: str) -> Mapping[str, Any]:
    return {"total": sum(reasons.values()), "reasons": reasons, "path": _list_path(page, query)}


def _list_path(page: StudioPage, query: str) -> str:
    return page.make_path("/partners", None, **({"query": query} if query else {}))


def _list_examples(page: StudioPage, size: CountedNumber) -> Sequence[Subscriber]:
    """Return the first few in a segment, as they are now; whoever was erased meanwhile is not among them."""
    numbers = size.value["first"] if size.value else []
    wanted = select(Subscriber).where(col(Subscriber.id).in_(numbers), Subscriber.status != Status.erased)
    return page.session.exec(wanted.order_by(col(Subscriber.id))).all()


def _make_heat_map(page: StudioPage, query: SegmentQuery, counted: CountedNumber) -> Mapping[str, Any] | None:
    """Return the map of a table that was counted; None if there is nobody in it. Each row has a name, a code,
    its cells and that of all its people; each cell a number, the step of its ground, and a path, "" if its
    partners cannot be listed."""
    table, mailable_only = read_cross_table(counted.value), bool(counted.value["mailable_only"])
    total = table.total
    if not total.people:
        return None
    largest = max(max((*row.by_sector, row.other, row.none)) for row in table.countries.values())

    def make_path(number: int, *conditions: str) -> str:
        if not number:
            return ""
        wanted = [*conditions, _MAILABLE if mailable_only else ""]
        return _list_path(page, query.narrow(" ".join(filter(None, wanted))).strip())

    def list_cells(row: CrossTableRow, place: str | None, most: int) -> Iterator[tuple[int, int, str]]:
        for slug, number in zip(table.sectors, row.by_sector, strict=True):
            path = "" if place is None else make_path(number, place, f"sector:{slug}")
            yield number, _choose_step(number, most), path
        # No query asks for those who follow nothing, or something that is no sector of ours any more.
        for number, in_all in ((row.other, total.other), (row.none, total.none)):
            if in_all:
                yield number, _choose_step(number, most), ""

    rows = []
    for code, row in table.countries.items():
        place = f"country:{code}" if code else None
        path = "" if place is None else make_path(row.people, place)
        name = page.name_country(code) or page.translate(_UNKNOWN_COUNTRY)
        rows.append((name, code or "none", list(list_cells(row, place, largest)), (row.people, path)))
    return {
        "sectors": table.sectors,
        "has_others": total.other > 0,
        "has_none": total.none > 0,
        "rows": rows,
        "total": list(list_cells(total, "", 0)),
        "people": total.people,
        "mailable_only": mailable_only,
    }


def _choose_step(number: int, largest: int) -> int:
    """Return the ground of a number: 0 for none, and up to :data:`_STEPS` for the largest.

    By the square root, so that one large country does not make all others look empty.
    """
    if number <= 0 or largest <= 0:
        return 0
    return max(1, min(_STEPS, math.ceil(_STEPS * math.sqrt(number / largest))))
