"""Choosing when a campaign starts: at its launch, or at a time that the clocks of a place show once."""

from dataclasses import replace
from datetime import UTC, datetime

from starlette.responses import Response

from mailer.campaigns.preparation.preparation import Decisions
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.campaigns.decision_form import DecisionsRefusedError, save_decisions
from mailer.web.studio.campaigns.place import CampaignPlace, CampaignPlaceDep, PreparationDep
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

_AT_LAUNCH, _AT_TIME = "launch", "time"


def show_start(page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep) -> Response:
    """Show when the campaign is to start."""
    decided = preparation.decisions
    zone = find_zone(decided.start_zone) or find_team_zone(page.settings)
    when = _AT_LAUNCH if decided.start_at is None else _AT_TIME
    return _render(page, place, when, StartForm(typed=fill_start(decided.start_at, zone)), was=decided)


def save_start(
    page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep, form: OwnFormDep
) -> Response:
    """Save when the campaign is to start."""
    was = _read_was(form, preparation.decisions)
    when = _AT_TIME if form.get("when") == _AT_TIME else _AT_LAUNCH
    typed = read_typed_start(form)
    if when == _AT_LAUNCH:
        wanted = replace(was, start_at=None, start_zone="")
    else:
        try:
            at, zone = read_start(page, typed, page.state.clock())
        except WrongStartError as error:
            refused = StartForm(typed=typed, errors=[(error.field, error.words)], status=422)
            return _render(page, place, when, refused, was=was)
        wanted = replace(was, start_at=at, start_zone=zone.key)
    try:
        save_decisions(page, preparation, was, wanted)
    except DecisionsRefusedError as error:
        theirs = error.theirs.decisions
        refused = StartForm(typed=typed, errors=[("when", error.words)], status=409, theirs=theirs.start_at)
        return _render(page, place, when, refused, was=theirs, theirs=theirs)
    return page.redirect(place.path, Notice.decisions_saved)


def _read_was(form: Form, now: Decisions) -> Decisions:
    """What the form began from; a form without it began from what is decided now."""
    names = dict(form.fields)
    if "was-start" not in names:
        return now
    try:
        at = datetime.fromisoformat(names["was-start"]).astimezone(UTC) if names["was-start"] else None
    except (ValueError, OverflowError):
        return now
    return replace(now, start_at=at, start_zone=names.get("was-zone", "") if at else "")


def _render(
    page: StudioPage,
    place: CampaignPlace,
    when: str,
    form: StartForm,
    *,
    was: Decisions,
    theirs: Decisions | None = None,
) -> Response:
    """Show the form; ``when`` is "launch" or "time"."""
    return render_start(page, "campaign_start.html", place, form, when=when, was=was, theirs=theirs)
