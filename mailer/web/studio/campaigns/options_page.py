"""Choosing how a campaign is sent: a canary, clicks, the archive, doubts, and a note for those who decide."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.responses import Response

from mailer.campaigns.preparation.preparation import MAX_NOTE_LENGTH, Decisions
from mailer.database.models import InDoubtPolicy
from mailer.i18n import gettext_noop
from mailer.settings import CampaignSettings
from mailer.web.forms import Form, OwnFormDep
from mailer.web.plain_number import read_number
from mailer.web.studio.campaigns.decision_form import DecisionsRefusedError, save_decisions
from mailer.web.studio.campaigns.place import CampaignPlace, CampaignPlaceDep, PreparationDep, read_title
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage

_MAX_CANARY = 1_000_000
_MAX_MINUTES = 7 * 24 * 60
_BAD_CANARY = gettext_noop("Write a number of partners, such as 50, or nothing to send to all at once.")
_BAD_MINUTES = gettext_noop("Write a number of minutes, such as 30, or nothing to wait for a person.")
_NO_CANARY = gettext_noop("This is the wait after the first partners: say how many they are.")
_LONG_NOTE = gettext_noop("Use at most %(number)s characters.")
_FIELDS = ("canary", "minutes", "clicks", "archive", "doubts", "note")


@dataclass(frozen=True, kw_only=True)
class OptionsForm:
    """The fields as they are shown: numbers as typed, "yes" or "no", ``doubts`` "hold" or "resend"."""

    canary: str
    minutes: str
    clicks: str
    archive: str
    doubts: str
    note: str


def show_options(page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep) -> Response:
    """Show how the campaign is to be sent."""
    shown = _fill_form(page.settings.campaigns, preparation.decisions)
    return _render(page, place, shown, shown)


def save_options(
    page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep, form: OwnFormDep
) -> Response:
    """Save how the campaign is to be sent. What was not changed in the form stays as it is, also where the
    settings decide."""
    settings, now = page.settings.campaigns, preparation.decisions
    shown = _fill_form(settings, now)
    was = _read_form(form, shown, "was-")
    sent = _read_form(form, was, "")
    errors = _find_errors(page, sent)
    if errors:
        return _render(page, place, sent, was, errors, status=422)
    before = _apply(now, shown, was)
    wanted = _apply(before, was, sent)
    try:
        save_decisions(page, preparation, before, wanted)
    except DecisionsRefusedError as error:
        theirs = _fill_form(settings, error.theirs.decisions)
        return _render(page, place, sent, theirs, [("", error.words)], status=409, theirs=theirs)
    return page.redirect(place.path, Notice.decisions_saved)


def _fill_form(settings: CampaignSettings, decided: Decisions) -> OptionsForm:
    """What holds now, be it decided here or by the settings."""
    canary = settings.canary if decided.canary is None else decided.canary
    minutes = settings.canary_minutes if decided.canary_minutes is None else decided.canary_minutes
    clicks = settings.count_clicks if decided.count_clicks is None else decided.count_clicks
    archived = settings.archive if decided.archived is None else decided.archived
    return OptionsForm(
        canary=str(canary or ""),
        minutes=f"{minutes:g}" if canary and minutes else "",
        clicks=_say(clicks),
        archive=_say(archived),
        doubts=decided.in_doubt.value if decided.in_doubt else settings.in_doubt,
        note=decided.note,
    )


def _say(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _read_form(form: Form, usual: OptionsForm, prefix: str) -> OptionsForm:
    """The fields whose names begin with ``prefix``; one that was not sent is as in ``usual``."""
    given: Mapping[str, str] = dict(form.fields)
    values = {name: given.get(f"{prefix}{name}", getattr(usual, name)) for name in _FIELDS}
    note = values["note"].replace("\r\n", "\n").replace("\r", "\n").strip()
    return OptionsForm(**{name: value.strip() for name, value in (values | {"note": note}).items()})


def _find_errors(page: StudioPage, sent: OptionsForm) -> list[tuple[str, str]]:
    translate, errors = page.translator.translate, []
    if sent.canary and _read_canary(sent.canary) is None:
        errors.append(("canary", translate(_BAD_CANARY)))
    if sent.minutes and _read_minutes(sent.minutes) is None:
        errors.append(("minutes", translate(_BAD_MINUTES)))
    elif sent.minutes and not _read_canary(sent.canary):
        errors.append(("canary", translate(_NO_CANARY)))
    if len(sent.note) > MAX_NOTE_LENGTH:
        errors.append(("note", translate(_LONG_NOTE, number=MAX_NOTE_LENGTH)))
    return errors


def _read_canary(text: str) -> int | None:
    number = read_number(text)
    return number if number is not None and number <= _MAX_CANARY else None


def _read_minutes(text: str) -> float | None:
    try:
        minutes = float(text.replace(",", "."))
    except ValueError:
        return None
    return minutes if 0 < minutes <= _MAX_MINUTES else None


def _apply(decided: Decisions, before: OptionsForm, after: OptionsForm) -> Decisions:
    """``decided``, with what differs between two states of the form decided as in the second."""
    changed = {name for name in _FIELDS if getattr(before, name) != getattr(after, name)}
    if changed & {"canary", "minutes"}:
        canary = _read_canary(after.canary) or 0
        minutes = _read_minutes(after.minutes) if canary and after.minutes else None
        decided = replace(decided, canary=canary, canary_minutes=minutes)
    if "clicks" in changed:
        decided = replace(decided, count_clicks=after.clicks == "yes")
    if "archive" in changed:
        decided = replace(decided, archived=after.archive == "yes")
    if "doubts" in changed:
        is_known = after.doubts in list(InDoubtPolicy)
        decided = replace(decided, in_doubt=InDoubtPolicy(after.doubts) if is_known else decided.in_doubt)
    if "note" in changed:
        decided = replace(decided, note=after.note)
    return decided


def _render(
    page: StudioPage,
    place: CampaignPlace,
    sent: OptionsForm,
    was: OptionsForm,
    errors: list[tuple[str, str]] | None = None,
    *,
    status: int = 200,
    theirs: OptionsForm | None = None,
) -> Response:
    return page.render(
        "campaign_options.html",
        status=status,
        section="campaigns",
        place=place,
        title=read_title(page, place),
        sent=sent,
        was={name: getattr(was, name) for name in _FIELDS},
        theirs=theirs,
        max_note=MAX_NOTE_LENGTH,
        errors=errors or [],
    )
