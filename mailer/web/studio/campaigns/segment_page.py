"""Choosing who gets a campaign: a query in words and numbers, before and after it is saved."""

from dataclasses import replace

from starlette.responses import Response

from mailer.campaigns.audiences.segments import read_segment, vocabulary_of
from mailer.campaigns.preparation.preparation import Decisions, Preparation
from mailer.counts.request import count_audience
from mailer.i18n import gettext_noop
from mailer.web.forms import OwnFormDep
from mailer.web.studio.campaigns.decision_form import DecisionsRefusedError, save_decisions
from mailer.web.studio.campaigns.place import CampaignPlaceDep, PreparationDep, read_title
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from subscribers.errors import SubscriberError
from subscribers.segments.parser import MAX_LENGTH
from subscribers.segments.saved_segments import list_saved_segments
from subscribers.segments.segment import Segment
from subscribers.segments.segment_description import describe_segment

_NO_SEGMENT = gettext_noop("Say who gets it. Write all for everyone on the list.")
_TOO_LONG = gettext_noop("This query is too long. Save it as a segment and write segment: and its name.")


def show_segment(page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep) -> Response:
    """Show who gets the campaign, or would get it with the query in the address, which saves nothing."""
    asked = page.request.query_params
    decided = preparation.decisions
    if "segment" in asked:
        decided = replace(decided, segment=asked["segment"].strip(), again=asked.get("again") == "yes")
    return _render(page, place, preparation, decided, preparation.decisions)


def save_segment(
    page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep, form: OwnFormDep
) -> Response:
    """Save who gets the campaign."""
    was = _read_was(form, preparation.decisions)
    wanted = replace(was, segment=form.get("segment").strip(), again=form.get("again") == "yes")
    try:
        segment = _parse(page, wanted.segment or "")
    except ValueError as error:
        return _render(page, place, preparation, wanted, was, [("segment", str(error))], status=422)
    try:
        # What was there before may have been written in other words.
        same = was.segment is not None and segment.text == was.segment
        saved = replace(wanted, segment=was.segment if same else segment.text)
        save_decisions(page, preparation, was, saved)
    except DecisionsRefusedError as error:
        return _render(
            page, place, error.theirs, wanted, error.theirs.decisions, [("segment", error.words)], status=409
        )
    return page.redirect(place.path, Notice.decisions_saved)


def _read_was(form: OwnFormDep, now: Decisions) -> Decisions:
    """What the form began from; a field that it does not have counts as it is now."""
    names = dict(form.fields)
    segment = names["was-segment"] or None if "was-segment" in names else now.segment
    again = names["was-again"] == "yes" if "was-again" in names else now.again
    return replace(now, segment=segment, again=again)


def _parse(page: StudioPage, text: str) -> Segment:
    """Parse a query.

    Raises:
        ValueError: it is not valid; with words for people.
    """
    if not text:
        raise ValueError(page.translator.translate(_NO_SEGMENT))
    if len(text) > MAX_LENGTH:
        raise ValueError(page.translator.translate(_TOO_LONG))
    try:
        with page.state.read_session() as session:
            return read_segment(text, page.settings, session)
    except SubscriberError as error:
        raise ValueError(str(error)) from error


def _render(
    page: StudioPage,
    place: CampaignPlaceDep,
    preparation: Preparation,
    decided: Decisions,
    was: Decisions,
    errors: list[tuple[str, str]] | None = None,
    *,
    status: int = 200,
) -> Response:
    words, number, found = "", None, list(errors or [])
    if decided.segment:
        try:
            segment = _parse(page, decided.segment)
        except ValueError as error:
            found = found or [("segment", str(error))]
        else:
            words = describe_segment(segment, vocabulary_of(page.settings))
            asked = count_audience(preparation.edition, segment.text, again=decided.again)
            number = page.state.counts.get(asked)
    with page.state.read_session() as session:
        saved = list_saved_segments(session.connection())
    return page.render(
        "campaign_segment.html",
        status=status,
        section="campaigns",
        place=place,
        title=read_title(page, place),
        decided=decided,
        was=was,
        words=words,
        number=number,
        saved=saved,
        errors=found,
        max_length=MAX_LENGTH,
    )
