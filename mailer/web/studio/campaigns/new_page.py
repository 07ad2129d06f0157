"""Beginning to prepare a campaign: choosing its edition, for a segment that may be chosen already."""

from dataclasses import replace

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.preparation_store import (
    AlreadyPreparedError,
    begin_preparation,
    save_preparation,
)
from mailer.campaigns.segment_uses import find_segment_name, make_lookups
from mailer.i18n import gettext_noop
from mailer.web.forms import OwnFormDep
from mailer.web.plain_number import read_number
from mailer.web.studio.campaigns.decision_form import describe_changes
from mailer.web.studio.edition_place import find_edition_folder
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.segment_filters import read_query_form
from mailer.web.studio.segment_query import QUERY_PARAMETER, read_query
from subscribers.segments.parser import MAX_LENGTH

_ON_PAGE = 20
_CHOOSE = gettext_noop("Choose an edition.")
_GONE = gettext_noop("This edition is no longer there. Choose another one.")


def show_new_campaign(page: PageDep) -> Response:
    """Show the editions to choose from, the newest first, and who gets it, if the address says so."""
    given = page.request.query_params.multi_items()
    with page.state.read_session() as session:
        written = read_query_form(page, session, given)
    if written.errors:
        # Its form says what is wrong.
        return page.go_to(f"{page.make_path('/segments/query')}?{page.request.url.query}")
    return _render(page, dict(given).get("edition", ""), written.text)


def begin_campaign(page: PageDep, form: OwnFormDep) -> Response:
    """Begin to prepare a campaign of an edition, or go on with the one that was begun."""
    edition, text = form.get("edition"), form.get(QUERY_PARAMETER).strip()
    if not edition:
        return _render(page, "", text, [("editions", page.translator.translate(_CHOOSE))])
    try:
        find_edition_folder(page, edition)
    except HTTPException:
        return _render(page, "", text, [("editions", page.translator.translate(_GONE))])
    title, now = page.state.summaries.read(edition).title or edition, page.state.clock()
    try:
        with page.state.write_session() as session:
            begun = begin_preparation(session, edition, title=title, member_id=page.member.id, now=now)
            subject = str(begun.campaign_id)
            record_activity(
                session, page.actor, Act.prepared_campaign, edition=edition, subject=subject, now=now
            )
            is_chosen = not text or _choose_segment(page, session, begun, text)
    except AlreadyPreparedError as error:
        return _go_on(page, error.campaign_id, text)
    if not is_chosen:
        return _go_on(page, begun.campaign_id, text)
    return page.redirect(f"/campaigns/{begun.campaign_id}", Notice.campaign_begun)


def _choose_segment(page: StudioPage, session: Session, begun: Preparation, text: str) -> bool:
    """Say who gets a campaign that was just begun; return whether the query is understood."""
    segment, now = read_query(page, session, text).segment, page.state.clock()
    if segment is None:
        return False
    name = find_segment_name(text, make_lookups(session.connection(), page.settings))
    wanted = replace(begun.decisions, segment=segment.text, segment_name=name)
    saved = save_preparation(session, begun, wanted, member_id=page.member.id, now=now)
    record_activity(
        session,
        page.actor,
        Act.changed_campaign,
        edition=saved.edition,
        subject=str(saved.campaign_id),
        detail=describe_changes(saved.decisions, begun.decisions.list_changes(saved.decisions)),
        now=now,
    )
    return True


def _go_on(page: StudioPage, campaign: int, text: str) -> Response:
    """Go on with a campaign that somebody has begun. Who gets it is shown, and saved by whoever wants it."""
    if not text:
        return page.redirect(f"/campaigns/{campaign}")
    return page.redirect(f"/campaigns/{campaign}/segment", None, **{QUERY_PARAMETER: text})


def _render(
    page: StudioPage, chosen: str, text: str, errors: list[tuple[str, str]] | None = None
) -> Response:
    slugs = page.state.summaries.list_slugs()
    number = max(1, read_number(page.request.query_params.get("page", ""), digits=5) or 1)
    start = (number - 1) * _ON_PAGE
    shown = slugs[start : start + _ON_PAGE]
    if chosen in slugs and chosen not in shown:
        shown = [chosen, *shown]
    with page.state.read_session() as session:
        query = read_query(page, session, text.strip()[: MAX_LENGTH + 1])
        name = find_segment_name(text, make_lookups(session.connection(), page.settings))
    return page.render(
        "campaign_new.html",
        status=422 if errors else 200,
        section="campaigns",
        editions=[page.state.summaries.read(slug) for slug in shown],
        chosen=chosen if chosen in slugs else (shown[0] if len(shown) == 1 else ""),
        query=query if text.strip() and query.segment is not None else None,
        segment_name=name,
        number=number,
        has_more=len(slugs) > start + _ON_PAGE,
        errors=errors or [],
    )
