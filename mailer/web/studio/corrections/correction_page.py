"""A correction: what it says, how its mail looks, who gets it, and what is wrong with it."""

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from editions.errors import ProblemLevel
from mailer.campaigns.correction_plan import CorrectionPlan, NoteError, StoryNotSentError, plan_correction
from mailer.errors import MailerError
from mailer.rendering.mail_merge import anonymous_reader
from mailer.team.members import Permission
from mailer.web.forms import own_language_name
from mailer.web.mail_preview.query import PreviewQuery
from mailer.web.mail_preview.shown_mail import dress_html, personalise_mail
from mailer.web.routing import GET
from mailer.web.security import make_mail_policy
from mailer.web.studio.corrections.note_form import is_in_text, list_fields
from mailer.web.studio.corrections.place import CorrectionDep, CorrectionPlace
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute

# Of the same origin as the page around it, so that its pictures get the cookie of the session. It can run
# nothing.
_FRAME_HEADERS = {
    "content-security-policy": make_mail_policy(images="'self' data:", ancestors="'self'", own_origin=True),
}


def show_correction(page: PageDep, correction: CorrectionDep) -> Response:
    """Show a correction. Who gets it is counted after the page is shown."""
    return render_correction(page, correction)


def render_correction(
    page: StudioPage, correction: CorrectionPlace, *, errors: list[tuple[str, str]] | None = None
) -> Response:
    """Render the page of a correction, with the ``errors`` of an act."""
    languages = [one for one in list_fields(correction.story, correction.note) if not one.draft.is_empty]
    return page.render(
        "correction.html",
        status=422 if errors else 200,
        section="campaigns",
        correction=correction,
        edition=correction.place.edition,
        languages=languages,
        strange=[
            one
            for one in languages
            if one.sent and one.sent.text and not is_in_text(one.draft.was, one.sent.text)
        ],
        problems=correction.found.problems,
        is_ready=correction.found.note is not None,
        campaign_page=page.leads_to("/campaigns/{campaign}"),
        may_see_people=page.may(Permission.see_partners),
        errors=errors or [],
    )


def show_readers(page: PageDep, correction: CorrectionDep) -> Response:
    """Show who gets the correction, and why: a part of the page that takes longer than the rest."""
    try:
        planned = plan_place(page, correction)
    except (NoteError, StoryNotSentError) as error:
        raise HTTPException(404) from error
    return page.render(
        "correction_readers.html",
        section="campaigns",
        correction=correction,
        planned=planned,
        is_fragment=page.is_fragment,
        languages=[
            (own_language_name(tag) if tag else "", number)
            for tag, number in planned.plan.by_language.items()
        ],
    )


def show_mail(page: PageDep, correction: CorrectionDep, language: str) -> Response:
    """Show the mail of the correction in a language, for a frame."""
    try:
        planned = plan_place(page, correction)
    except MailerError as error:
        raise HTTPException(404) from error
    mail = next((one for one in planned.plan.compiled if one.language == language), None)
    shown = personalise_mail(mail, anonymous_reader(page.settings))
    if mail is None or shown is None:
        raise HTTPException(404)
    html = dress_html(
        shown.html,
        PreviewQuery(),
        base_url=page.settings.web.base_url,
        prefix=page.make_path(f"/editions/{correction.place.edition}"),
    )
    return HTMLResponse(html, headers=_FRAME_HEADERS)


def plan_place(page: StudioPage, correction: CorrectionPlace) -> CorrectionPlan:
    """Plan sending a correction as its note is now.

    Raises:
        NoteError: the note has errors.
        StoryNotSentError: no campaign has sent the story any more.
    """
    place, state = correction.place, page.state
    file = place.find_file(state.workspace)
    return plan_correction(state.workspace, state.engine, place.edition, place.story, file, now=state.clock())


def list_errors(planned: CorrectionPlan) -> list[str]:
    """What stands in the way of sending a planned correction."""
    return [one.message for one in planned.plan.problems if one.level is ProblemLevel.error]


_PATH = "/corrections/{edition}/{story}/{number}"

ROUTES = (
    StudioRoute(_PATH, show_correction, GET, Permission.prepare),
    StudioRoute(f"{_PATH}/readers", show_readers, GET, Permission.prepare),
    StudioRoute(f"{_PATH}/mail/{{language}}", show_mail, GET, Permission.prepare),
)
