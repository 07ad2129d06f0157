"""Beginning to prepare a campaign: choosing its edition."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.preparation.preparation_store import AlreadyPreparedError, begin_preparation
from mailer.i18n import gettext_noop
from mailer.web.forms import OwnFormDep
from mailer.web.studio.edition_place import find_edition_folder
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage

_ON_PAGE = 20
_CHOOSE = gettext_noop("Choose an edition.")
_GONE = gettext_noop("This edition is no longer there. Choose another one.")


def show_new_campaign(page: PageDep) -> Response:
    """Show the editions to choose from, the newest first."""
    return _render(page, page.request.query_params.get("edition", ""))


def begin_campaign(page: PageDep, form: OwnFormDep) -> Response:
    """Begin to prepare a campaign of an edition, or go on with the one that was begun."""
    edition = form.get("edition")
    if not edition:
        return _render(page, "", [("editions", page.translator.translate(_CHOOSE))])
    try:
        find_edition_folder(page, edition)
    except HTTPException:
        return _render(page, "", [("editions", page.translator.translate(_GONE))])
    title, now = page.state.summaries.read(edition).title or edition, page.state.clock()
    try:
        with page.state.write_session() as session:
            begun = begin_preparation(session, edition, title=title, member_id=page.member.id, now=now)
            record_activity(
                session,
                page.actor,
                Act.prepared_campaign,
                edition=edition,
                subject=str(begun.campaign_id),
                now=now,
            )
    except AlreadyPreparedError as error:
        return page.redirect(f"/campaigns/{error.campaign_id}")
    return page.redirect(f"/campaigns/{begun.campaign_id}", Notice.campaign_begun)


def _render(page: StudioPage, chosen: str, errors: list[tuple[str, str]] | None = None) -> Response:
    slugs = page.state.summaries.list_slugs()
    text = page.request.query_params.get("page", "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    start = (max(1, number) - 1) * _ON_PAGE
    shown = slugs[start : start + _ON_PAGE]
    if chosen in slugs and chosen not in shown:
        shown = [chosen, *shown]
    return page.render(
        "campaign_new.html",
        status=422 if errors else 200,
        section="campaigns",
        editions=[page.state.summaries.read(slug) for slug in shown],
        chosen=chosen if chosen in slugs else (shown[0] if len(shown) == 1 else ""),
        number=max(1, number),
        has_more=len(slugs) > start + _ON_PAGE,
        errors=errors or [],
    )
