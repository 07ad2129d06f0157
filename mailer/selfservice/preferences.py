"""What a reader asks for on the preferences page: name, country, topics, language, a rest from mail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from mailer.database.engine import open_session
from mailer.dispatch.deliveries.in_doubt import PREFERENCES_EVIDENCE
from mailer.i18n import gettext_noop
from mailer.selfservice.unsubscribe import (
    SubscriptionSummary,
    confirm_delivery,
    find_token_subscriber,
    read_token,
    summarise_subscription,
)
from mailer.workspace import Keys
from subscribers.consent.preferences import Preferences, read_preferences, save_preferences
from subscribers.errors import DetailError, TokenError
from subscribers.models import Status
from subscribers.validation import MAX_NAME_LENGTH, clean_line

MAX_PAUSE = timedelta(days=730)


@dataclass(frozen=True, kw_only=True)
class PreferencesForm:
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
class PreferenceOptions:
    """What may be chosen: country codes, sector slugs and language tags, and today in UTC.

    ``followed`` are the countries the newsletter is about.
    """

    countries: frozenset[str]
    sectors: frozenset[str]
    languages: frozenset[str]
    today: date
    followable_countries: frozenset[str] = frozenset()

    @property
    def first_day(self) -> date:
        return self.today + timedelta(days=1)

    @property
    def last_day(self) -> date:
        return self.today + MAX_PAUSE


@dataclass(frozen=True, kw_only=True)
class FormResult:
    """A reader at the preferences page: where they stand, the form to show, and complaints by field.

    ``saved`` says whether this request saved it. ``initial`` is how the name we have begins: whoever holds a
    forwarded link learns no more of it. Complaints are English sentences, for a tongue to say.
    """

    subscription: SubscriptionSummary
    form: PreferencesForm
    errors: Mapping[str, str]
    saved: bool
    initial: str = ""

    @property
    def paused_until(self) -> date | None:
        """The first day of mail again, where the form asks for a rest."""
        return _parse_date(self.form.until) if self.form.frequency == "pause" else None


def parse_form(fields: Sequence[tuple[str, str]]) -> PreferencesForm:
    """The form in the fields a browser sent; what is missing is empty, the last of two wins."""
    last = dict(fields)
    return PreferencesForm(
        name=last.get("name", ""),
        country=last.get("country", ""),
        sectors=frozenset(value for name, value in fields if name == "sector"),
        language=last.get("language", ""),
        frequency=last.get("frequency", "every"),
        until=last.get("until", ""),
        countries=frozenset(value for name, value in fields if name == "follow"),
        nameless=last.get("nameless", "") == "yes",
    )


def load_form(engine: Engine, keys: Keys, token: str, *, today: date) -> FormResult:
    """The page as it stands. Writes nothing.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
    """
    claim = read_token(keys, token)
    with open_session(engine, read_only=True) as opened:
        subscriber = find_token_subscriber(opened, claim)
        if subscriber.status is Status.erased:
            raise TokenError
        preferences = read_preferences(opened, claim.subscriber_id)
        return FormResult(
            subscription=summarise_subscription(opened, keys, subscriber, claim),
            form=_preferences_to_form(preferences, today),
            errors={},
            saved=False,
            initial=preferences.name[:1],
        )


def save_form(
    engine: Engine,
    keys: Keys,
    token: str,
    form: PreferencesForm,
    *,
    offer: PreferenceOptions,
    method: str,
    now: datetime,
    language: str = "",
) -> FormResult:
    """Save the form if nothing is wrong with it; otherwise say what, and save nothing.

    ``language`` is that of the page.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
    """
    claim = read_token(keys, token)
    with open_session(engine) as opened:
        subscriber = find_token_subscriber(opened, claim)
        if subscriber.status is Status.erased:
            raise TokenError
        before = read_preferences(opened, claim.subscriber_id)
        complaints = validate_form(form, before, offer)
        if not complaints:
            wanted = _form_to_preferences(
                form,
                before,
                offer,
                may_pause=summarise_subscription(opened, keys, subscriber, claim).gets_mail,
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
            form = _preferences_to_form(before, offer.today)
        # Also with complaints: whoever filled in the form has the mail.
        confirm_delivery(opened, claim, PREFERENCES_EVIDENCE, now)
        standing = summarise_subscription(opened, keys, subscriber, claim)
        opened.commit()
        return FormResult(
            subscription=standing,
            form=form,
            errors=complaints,
            saved=not complaints,
            initial=before.name[:1],
        )


def validate_form(form: PreferencesForm, before: Preferences, offer: PreferenceOptions) -> dict[str, str]:
    """What is wrong with the form, by field, in the order of the page. What a reader has already may stay."""
    complaints = {
        "name": _validate_name(form.name),
        "country": ""
        if form.country in offer.countries | {"", before.country or ""}
        else gettext_noop("Choose a country from the list."),
        "sectors": ""
        if form.sectors <= offer.sectors | before.sectors
        else gettext_noop("Choose topics from the list."),
        "follow": ""
        if form.countries <= offer.followable_countries | before.countries
        else gettext_noop("Choose countries from the list."),
        "language": ""
        if form.language in offer.languages | {"", before.language or ""}
        else gettext_noop("Choose a language from the list."),
        "frequency": ""
        if form.frequency in {"every", "pause"}
        else gettext_noop("Choose one of the two options."),
        "until": _validate_pause_end(form.until, offer) if form.frequency == "pause" else "",
    }
    return {field: complaint for field, complaint in complaints.items() if complaint}


def _validate_name(name: str) -> str:
    try:
        clean_line(name, "name")
    except DetailError:
        if len(name) > MAX_NAME_LENGTH:
            return gettext_noop("This name is too long.")
        return gettext_noop("This name contains a character that cannot be displayed. Type it again.")
    return ""


def _validate_pause_end(text: str, offer: PreferenceOptions) -> str:
    if not text:
        return gettext_noop("Choose the date to start sending again.")
    day = _parse_date(text)
    if day is None:
        return gettext_noop("Enter the date as year-month-day, such as 2027-03-31.")
    if day < offer.first_day:
        return gettext_noop("Choose a date after today.")
    if day > offer.last_day:
        return gettext_noop(
            "Choose a date within the next two years. For a longer break, you can unsubscribe and come back."
        )
    return ""


def _form_to_preferences(
    form: PreferencesForm, before: Preferences, offer: PreferenceOptions, *, may_pause: bool
) -> Preferences:
    pause = _parse_date(form.until) if form.frequency == "pause" else None
    return Preferences(
        # Not shown, so an empty field has not given it up.
        name="" if form.nameless else form.name if form.name.strip() else before.name,
        country=form.country or None,
        # A sector that is no longer configured is not on the page, so it cannot have been given up there.
        sectors=(form.sectors & offer.sectors) | (before.sectors - offer.sectors),
        language=form.language or None,
        countries=(form.countries & offer.followable_countries)
        | (before.countries - offer.followable_countries),
        # Somebody who left is not shown the question, and a pause would be a way back.
        paused_until=pause if may_pause else before.paused_until,
    )


def _preferences_to_form(preferences: Preferences, today: date) -> PreferencesForm:
    # A pause that is over is nothing to show: mail goes out again already.
    until = preferences.paused_until
    if until is not None and until <= today:
        until = None
    return PreferencesForm(
        name="",
        country=preferences.country or "",
        sectors=preferences.sectors,
        language=preferences.language or "",
        frequency="pause" if until else "every",
        until=until.isoformat() if until else "",
        countries=preferences.countries,
    )


def _parse_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
