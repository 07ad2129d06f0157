"""Choosing who gets a campaign: a query in words and numbers, before and after it is saved."""

from collections.abc import Sequence
from dataclasses import replace

from sqlmodel import Session
from starlette.responses import Response

from mailer.campaigns.preparation.preparation import Decisions, Preparation
from mailer.campaigns.segment_uses import find_segment_name, make_lookups
from mailer.counts.request import count_audience
from mailer.i18n import gettext_noop
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.campaigns.decision_form import DecisionsRefusedError, save_decisions
from mailer.web.studio.campaigns.place import CampaignPlace, CampaignPlaceDep, PreparationDep, read_title
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.segment_filters import WrittenQuery, make_filter_form, read_query_form
from mailer.web.studio.segment_query import QUERY_PARAMETER, SegmentQuery, read_query
from subscribers.segments.parser import MAX_LENGTH
from subscribers.segments.saved_segments import list_saved_segments
from subscribers.segments.segment import EVERYONE

_NO_SEGMENT = gettext_noop("Say who gets it. Write all for everyone on the list.")
_TOO_LONG = gettext_noop("This query is too long. Save it as a segment and write segment: and its name.")
_NOT_UNDERSTOOD = gettext_noop("This query cannot be understood.")
Errors = Sequence[tuple[str, str]]


def show_segment(page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep) -> Response:
    """Show who gets the campaign, or would get it with the query in the address, which saves nothing. For
    htmx, what that query means and how many they are."""
    given = page.request.query_params.multi_items()
    decided = preparation.decisions
    written = WrittenQuery(text=decided.segment or "")
    again = decided.again
    with page.state.read_session() as session:
        if any(name == QUERY_PARAMETER for name, _ in given):
            written = _read_written(page, session, given)
            again = ("again", "yes") in given
        return _render(page, place, session, preparation, written, again=again, errors=written.errors)


def save_segment(
    page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep, form: OwnFormDep
) -> Response:
    """Save who gets the campaign."""
    was = _read_was(form, preparation.decisions)
    again = form.get("again") == "yes"
    with page.state.read_session() as session:
        written = _read_written(page, session, form.fields)
        query = _understand(page, session, written)
        errors = list(written.errors)
        if not errors and query.problem is not None:
            errors = [(QUERY_PARAMETER, page.translator.translate(_NOT_UNDERSTOOD))]
        elif not errors and not written.text.strip():
            errors = [(QUERY_PARAMETER, page.translator.translate(_NO_SEGMENT))]
        name = find_segment_name(written.text, make_lookups(session.connection(), page.settings))
        if errors or query.segment is None:
            return _render(
                page, place, session, preparation, written, again=again, was=was, errors=errors, status=422
            )
    if not name and query.segment.text == was.segment:
        # The page shows what the saved segment meant, and not its name.
        name = was.segment_name
    wanted = replace(was, segment=query.segment.text, segment_name=name, again=again)
    try:
        save_decisions(page, preparation, was, wanted)
    except DecisionsRefusedError as error:
        errors = [(QUERY_PARAMETER, error.words)]
        with page.state.read_session() as session:
            return _render(
                page, place, session, error.theirs, written, again=again, errors=errors, status=409
            )
    return page.redirect(place.path, Notice.decisions_saved)


def _read_was(form: Form, now: Decisions) -> Decisions:
    """What the form began from; a field that it does not have counts as it is now."""
    names = dict(form.fields)
    segment = names["was-segment"] or None if "was-segment" in names else now.segment
    again = names["was-again"] == "yes" if "was-again" in names else now.again
    name = now.segment_name if segment == now.segment else ""
    return replace(now, segment=segment, segment_name=name, again=again)


def _read_written(page: StudioPage, session: Session, given: Sequence[tuple[str, str]]) -> WrittenQuery:
    if len(dict(given).get(QUERY_PARAMETER, "")) > MAX_LENGTH:
        words = page.translator.translate(_TOO_LONG)
        return WrittenQuery(text=dict(given)[QUERY_PARAMETER], errors=((QUERY_PARAMETER, words),))
    return read_query_form(page, session, given)


def _understand(page: StudioPage, session: Session, written: WrittenQuery) -> SegmentQuery:
    """What a query means. An empty one means nobody yet, with filters that let all pass."""
    if len(written.text) > MAX_LENGTH:
        return SegmentQuery(text=written.text)
    query = read_query(page, session, written.text)
    return query if written.text.strip() else replace(query, segment=None, in_words="")


def _render(
    page: StudioPage,
    place: CampaignPlace,
    session: Session,
    preparation: Preparation,
    written: WrittenQuery,
    *,
    again: bool,
    was: Decisions | None = None,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    query, number = _understand(page, session, written), None
    # A part of the page whose filters are wrong has no number: that of the line would be another one.
    if query.segment is not None and not (errors and page.is_fragment):
        asked = count_audience(preparation.edition, query.segment.text, again=again)
        number = page.state.counts.get(asked)
    return page.render(
        "segment_words.html" if page.is_fragment else "campaign_segment.html",
        status=status,
        section="campaigns",
        place=place,
        title=read_title(page, place),
        query=query,
        from_filters=written.from_filters,
        form=make_filter_form(page, session, query.filters) if query.filters is not None else None,
        again=again,
        was=was if was is not None else preparation.decisions,
        words_path=f"{place.path}/segment",
        number=number,
        shows_numbers=False,
        saved=list_saved_segments(session.connection()),
        everyone=EVERYONE,
        errors=errors,
        wrong=dict(errors),
    )
