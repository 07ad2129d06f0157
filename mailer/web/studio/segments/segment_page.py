"""The page of a segment, saved or not: its query, its filters, what it means, and its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from sqlmodel import Session
from starlette.responses import Response

from mailer.counts.counters import count_segment
from mailer.team.members import Permission
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
from mailer.web.studio.segments.numbers import find_numbers
from subscribers.segments.segment import EVERYONE

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
        asked = count_segment(query.text.strip() or EVERYONE)
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


ROUTES = (
    StudioRoute("/segments/new", show_new_segment, GET, Permission.change_partners),
    StudioRoute("/segments/query", show_query, GET, Permission.see_partners),
    StudioRoute("/segments/words", show_words, GET, Permission.see_partners),
    StudioRoute("/segments/numbers", show_numbers, GET, Permission.see_partners),
)
"""They come before the pages of saved segments, none of which has such a name."""
