"""Choosing another time for a campaign that is scheduled."""

from datetime import datetime

from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.lifecycle import CampaignStateError
from mailer.campaigns.reschedule import EarlierStartError, OtherStartError, reschedule_campaign
from mailer.database.clock import read_clock
from mailer.database.models import CampaignState
from mailer.i18n import gettext_noop
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.campaigns.place import CampaignPlace, CampaignPlaceDep
from mailer.web.studio.campaigns.start_time import (
    StartForm,
    WrongStartError,
    fill_start,
    read_start,
    read_typed_start,
    render_start,
)
from mailer.web.studio.campaigns.team_zone import find_team_zone, find_zone
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage

_OTHER = gettext_noop("Somebody else has changed this meanwhile. Save again to have the time that you chose.")
_EARLIER = gettext_noop(
    "Two people launch a campaign here, so one alone can only put it off. Choose a later time, or discard "
    "the campaign and let two people launch it again."
)


def show_scheduled_start(page: PageDep, place: CampaignPlaceDep) -> Response:
    """Show when a scheduled campaign starts."""
    at = place.campaign.scheduled_at
    if place.campaign.state is not CampaignState.scheduled or at is None:
        return page.redirect(place.path)
    decided = place.preparation.decisions if place.preparation is not None else None
    zone = (find_zone(decided.start_zone) if decided else None) or find_team_zone(page.settings)
    return _render(page, place, StartForm(typed=fill_start(at, zone)), seen=at)


def change_scheduled_start(page: PageDep, place: CampaignPlaceDep, form: OwnFormDep) -> Response:
    """Let a scheduled campaign start at another time."""
    typed, seen = read_typed_start(form), _read_seen(form)
    try:
        with page.state.write_session() as session:
            now = read_clock(session.connection())
            at, _ = read_start(page, typed, now)
            done = reschedule_campaign(
                session, place.number, at=at, settings=page.settings.campaigns, now=now, seen=seen
            )
            if done.is_moved:
                record_activity(
                    session,
                    page.actor,
                    Act.rescheduled_campaign,
                    edition=place.campaign.edition,
                    subject=str(place.number),
                    detail=str(done),
                    now=page.state.clock(),
                )
    except CampaignStateError:
        return page.redirect(place.path, Notice.campaign_changed)
    except WrongStartError as error:
        refused = StartForm(typed=typed, errors=[(error.field, error.words)], status=422)
        return _render(page, place, refused, seen=seen)
    except EarlierStartError:
        words = page.translator.translate(_EARLIER)
        refused = StartForm(typed=typed, errors=[("start", words)], status=422)
        return _render(page, place, refused, seen=seen)
    except OtherStartError as error:
        words = page.translator.translate(_OTHER)
        refused = StartForm(typed=typed, errors=[("start", words)], status=409, theirs=error.at)
        return _render(page, place, refused, seen=error.at)
    return page.redirect(place.path, Notice.decisions_saved)


def _read_seen(form: Form) -> datetime | None:
    """The time from which the form began; None if it does not say so."""
    try:
        return datetime.fromisoformat(form.get("seen"))
    except ValueError:
        return None


def _render(page: StudioPage, place: CampaignPlace, form: StartForm, *, seen: datetime | None) -> Response:
    return render_start(page, "campaign_reschedule.html", place, form, seen=seen)
