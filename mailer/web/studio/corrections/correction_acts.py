"""What can be done with a correction: it becomes a campaign, or is thrown away."""

from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, record_line
from mailer.campaigns.correction_notes import delete_note
from mailer.campaigns.correction_plan import NoteError, StoryNotSentError
from mailer.campaigns.corrections import CorrectionConflictError
from mailer.campaigns.named_plan import prepare_correction
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.routing import POST
from mailer.web.studio.corrections.correction_page import list_errors, plan_place, render_correction
from mailer.web.studio.corrections.place import CorrectionPlace, LastingCorrectionDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.text_save import announced_session, make_line

_TAKEN = gettext_noop("Somebody else has prepared another correction at this moment. Try again.")
_NOT_DELETED = gettext_noop("The correction could not be thrown away: %(reason)s.")


def prepare(page: PageDep, correction: LastingCorrectionDep, edition: str, story: str) -> Response:
    """Make a campaign of the correction, to be tested, approved and launched like the others.

    A second click finds the campaign of the first.
    """
    if correction is None:
        return _tell_discarded(page, edition, story)
    if correction.campaign is not None:
        return _go_on(page, correction.campaign)
    now = page.state.clock()
    try:
        planned = plan_place(page, correction)
        if errors := list_errors(planned):
            return render_correction(page, correction, errors=[("", words) for words in errors])
        with page.state.write_session() as session:
            prepared = prepare_correction(session, planned, member_id=page.member.id, now=now)
            record_line(session, _make_line(page, Act.prepared_correction, correction))
    except CorrectionConflictError:
        return render_correction(page, correction, errors=[("", page.translator.translate(_TAKEN))])
    except (NoteError, StoryNotSentError) as error:
        return render_correction(page, correction, errors=[("", str(error))])
    return _go_on(page, prepared.campaign_id)


def _go_on(page: StudioPage, campaign: int) -> Response:
    """Go on to the campaign's page."""
    return page.redirect(f"/campaigns/{campaign}", Notice.correction_prepared)


def discard(page: PageDep, correction: LastingCorrectionDep, edition: str, story: str) -> Response:
    """Throw a correction away that no campaign has begun of; one that is gone is left at that."""
    if correction is None:
        return _tell_discarded(page, edition, story)
    if not correction.is_open:
        return page.redirect(correction.path)
    try:
        line = _make_line(page, Act.discarded_correction, correction)
        with announced_session(page, [line], correction.place.find_file(page.state.workspace)) as session:
            record_line(session, line)
            delete_note(page.state.workspace, correction.place)
    except OSError as error:
        words = page.translator.translate(_NOT_DELETED, reason=error.strerror or str(error))
        return render_correction(page, correction, errors=[("", words)])
    return _tell_discarded(page, edition, story)


def _tell_discarded(page: StudioPage, edition: str, story: str) -> Response:
    return page.redirect("/corrections/new", Notice.correction_discarded, edition=edition, story=story)


def _make_line(page: StudioPage, act: Act, correction: CorrectionPlace) -> ActivityLine:
    place = correction.place
    return make_line(page, act, edition=place.edition, subject=place.story, detail=str(place.number))


_PATH = "/corrections/{edition}/{story}/{number}"

ROUTES = (
    StudioRoute(f"{_PATH}/prepare", prepare, POST, Permission.prepare),
    StudioRoute(f"{_PATH}/discard", discard, POST, Permission.prepare),
)
