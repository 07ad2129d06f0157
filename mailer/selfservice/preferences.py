"""What a reader asks for on the preferences page: name, country, topics, language, a rest from mail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from mailer.database.engine import session
from mailer.dispatch.deliveries.in_doubt import PREFERENCES_EVIDENCE
from mailer.i18n import gettext_noop
from mailer.selfservice.unsubscribe import Standing, find_subscriber, read_claim, stand, take_as_proof
from mailer.workspace import Keys
from subscribers.details import NAME_LENGTH, clean_line
from subscribers.errors import DetailError, TokenError
from subscribers.models import Status
from subscribers.preferences import Preferences, read_preferences, save_preferences

LONGEST_NAME = NAME_LENGTH
LONGEST_PAUSE = timedelta(days=730)


@dataclass(frozen=True, kw_only=True)
class Form:
    """The preferences page as filled in: raw words, kept as they came so that nothing typed is lost.

    ``name`` is a new name, empty to keep the one we have; ``nameless`` gives it up. ``countries`` are those
    followed besides one's own. ``frequency`` is ``every`` or ``pause``; ``until`` a date as ``2026-12-31``,
    or empty.
    """

    name: str
    country: str
    sectors: frozenset[str]
    language: str
    frequency: str
    until: str
    countries: frozenset[str] = frozenset()
    nameless: bool = False


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What may be chosen: country codes, sector slugs and language tags, and today in UTC.

    ``followed`` are the countries the newsletter is about.
    """

    countries: frozenset[str]
    sectors: frozenset[str]
    languages: frozenset[str]
    today: date
    followed: frozenset[str] = frozenset()

    @property
    def first_day(self) -> date:
        return self.today + timedelta(days=1)

    @property
    def last_day(self) -> date:
        return self.today + LONGEST_PAUSE


@dataclass(frozen=True, kw_only=True)
class Choosing:
    """A reader at the preferences page: where they stand, the form to show, and complaints by field.

    ``saved`` says whether this request saved it. ``initial`` is how the name we have begins: whoever holds a
    forwarded link learns no more of it. Complaints are English sentences, for a tongue to say.
    """

    standing: Standing
    form: Form
    complaints: Mapping[str, str]
    saved: bool
    initial: str = ""

    @property
    def paused_until(self) -> date | None:
        """The first day of mail again, where the form asks for a rest."""
        return _day(self.form.until) if self.form.frequency == "pause" else None


def read_form(fields: Sequence[tuple[str, str]]) -> Form:
    """The form in the fields a browser sent; what is missing is empty, the last of two wins."""
    last = dict(fields)
    return Form(
        name=last.get("name", ""),
        country=last.get("country", ""),
        sectors=frozenset(value for name, value in fields if name == "sector"),
        language=last.get("language", ""),
        frequency=last.get("frequency", "every"),
        until=last.get("until", ""),
        countries=frozenset(value for name, value in fields if name == "follow"),
        nameless=last.get("nameless", "") == "yes",
    )


def read_choices(engine: Engine, keys: Keys, token: str, *, today: date) -> Choosing:
    """The page as it stands. Writes nothing.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
    """
    claim = read_claim(keys, token)
    with session(engine, read_only=True) as opened:
        subscriber = find_subscriber(opened, claim)
        if subscriber.status is Status.erased:
            raise TokenError
        preferences = read_preferences(opened, claim.subscriber_id)
        return Choosing(
            standing=stand(opened, keys, subscriber, claim),
            form=_fill(preferences, today),
            complaints={},
            saved=False,
            initial=preferences.name[:1],
        )


def save_choices(
    engine: Engine,
    keys: Keys,
    token: str,
    form: Form,
    *,
    offer: Offer,
    method: str,
    now: datetime,
    language: str = "",
) -> Choosing:
    """Save the form if nothing is wrong with it; otherwise say what, and save nothing.

    ``language`` is that of the page.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
    """
    claim = read_claim(keys, token)
    with session(engine) as opened:
        subscriber = find_subscriber(opened, claim)
        if subscriber.status is Status.erased:
            raise TokenError
        before = read_preferences(opened, claim.subscriber_id)
        complaints = find_complaints(form, before, offer)
        if not complaints:
            wanted = _understand(
                form, before, offer, may_pause=stand(opened, keys, subscriber, claim).gets_mail
            )
            save_preferences(
                opened,
                claim.subscriber_id,
                wanted,
                method=method,
                source=f"campaign {claim.campaign_id}",
                now=now,
                language=language,
            )
            before = read_preferences(opened, claim.subscriber_id)
            form = _fill(before, offer.today)
        # Also with complaints: whoever filled in the form has the mail.
        take_as_proof(opened, claim, PREFERENCES_EVIDENCE, now)
        standing = stand(opened, keys, subscriber, claim)
        opened.commit()
        return Choosing(
            standing=standing,
            form=form,
            complaints=complaints,
            saved=not complaints,
            initial=before.name[:1],
        )


def find_complaints(form: Form, before: Preferences, offer: Offer) -> dict[str, str]:
    """What is wrong with the form, by field, in the order of the page. What a reader has already may stay."""
    complaints = {
        "name": _judge_name(form.name),
        "country": ""
        if form.country in offer.countries | {"", before.country or ""}
        else gettext_noop("Choose a country from the list."),
        "sectors": ""
        if form.sectors <= offer.sectors | before.sectors
        else gettext_noop("Choose topics from the list."),
        "follow": ""
        if form.countries <= offer.followed | before.countries
        else gettext_noop("Choose countries from the list."),
        "language": ""
        if form.language in offer.languages | {"", before.language or ""}
        else gettext_noop("Choose a language from the list."),
        "frequency": ""
        if form.frequency in {"every", "pause"}
        else gettext_noop("Choose one of the two options."),
        "until": _judge_day(form.until, offer) if form.frequency == "pause" else "",
    }
    return {field: complaint for field, complaint in complaints.items() if complaint}


def _judge_name(name: str) -> str:
    try:
        clean_line(name, "name")
    except DetailError:
        if len(name) > LONGEST_NAME:
            return gettext_noop("This name is too long.")
        return gettext_noop("This name contains a character that cannot be displayed. Type it again.")
    return ""


def _judge_day(text: str, offer: Offer) -> str:
    if not text:
        return gettext_noop("Choose the date to start sending again.")
    day = _day(text)
    if day is None:
        return gettext_noop("Enter the date as year-month-day, such as 2027-03-31.")
    if day < offer.first_day:
        return gettext_noop("Choose a date after today.")
    if day > offer.last_day:
        return gettext_noop(
            "Choose a date within the next two years. For a longer break, you can unsubscribe and come back."
        )
    return ""


def _understand(form: Form, before: Preferences, offer: Offer, *, may_pause: bool) -> Preferences:
    pause = _day(form.until) if form.frequency == "pause" else None
    return Preferences(
        # Not shown, so an empty field has not given it up.
        name="" if form.nameless else form.name if form.name.strip() else before.name,
        country=form.country or None,
        # A sector that is no longer configured is not on the page, so it cannot have been given up there.
        sectors=(form.sectors & offer.sectors) | (before.sectors - offer.sectors),
        language=form.language or None,
        countries=(form.countries & offer.followed) | (before.countries - offer.followed),
        # Somebody who left is not shown the question, and a pause would be a way back.
        paused_until=pause if may_pause else before.paused_until,
    )


def _fill(preferences: Preferences, today: date) -> Form:
    # A pause that is over is nothing to show: mail goes out again already.
    until = preferences.paused_until
    if until is not None and until <= today:
        until = None
    return Form(
        name="",
        country=preferences.country or "",
        sectors=preferences.sectors,
        language=preferences.language or "",
        frequency="pause" if until else "every",
        until=until.isoformat() if until else "",
        countries=preferences.countries,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
