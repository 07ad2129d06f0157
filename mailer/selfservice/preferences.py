"""The preferences page, and how the last edition would look with what is chosen there.

What takes a token raises TokenError if it is invalid, or its subscriber is not on the list or was erased.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Engine, or_
from sqlmodel import Session, col, exists, select

from mailer.database.models import (
    Campaign,
    CampaignContent,
    CampaignState,
    Correction,
    Delivery,
    DeliveryState,
)
from mailer.database.report_models import CampaignLink
from mailer.dispatch.ledger_changes import PREFERENCES_EVIDENCE
from mailer.i18n import gettext_noop
from mailer.privacy.feedback_data import forget_reader_clicks
from mailer.rendering.body.variants import Variant, choose_language
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.rendering.mail_merge import interests_of
from mailer.selfservice.confirmation import is_asked
from mailer.selfservice.subscription import LinkedSubscriber, SubscriptionSummary, open_subscription
from mailer.workspace import Keys
from subscribers.consent.preferences import Preferences, read_preferences, save_preferences, set_click_consent
from subscribers.errors import DetailError
from subscribers.validation import MAX_NAME_LENGTH, clean_line

MAX_PAUSE = timedelta(days=730)

CLICK_SENTENCES = (
    gettext_noop("Links you open"),
    gettext_noop(
        "Unless you tick this, we only count how many people open a link, without knowing who. You can take "
        "it back at any time, and what was recorded is then deleted."
    ),
    gettext_noop("You may record with my name which links I open"),
)
"""The question whether clicks may be recorded with a name: its title, an explanation, and what is ticked."""

CLICK_WORDING = " ".join(CLICK_SENTENCES)
CLICK_WORDING_VERSION = "1"
"""The version of these sentences, kept with each consent record. Raise it whenever they change."""
_LAUNCHED_STATES = (CampaignState.sending, CampaignState.paused, CampaignState.finished)
_DELIVERED_STATES = (DeliveryState.sent, DeliveryState.in_doubt)


@dataclass(frozen=True, kw_only=True)
class PreferencesForm:
    """The preferences form as submitted: raw values, so that the page can show again what was typed.

    An empty ``name`` keeps the one on record; ``nameless`` removes it. ``countries`` are followed in addition
    to the reader's own. ``frequency`` is ``every`` or ``pause``, ``until`` a date in ISO 8601.
    ``click_consent`` is None if it was not asked.
    """

    name: str
    country: str
    sectors: frozenset[str]
    language: str
    frequency: str
    until: str
    countries: frozenset[str] = frozenset()
    nameless: bool = False
    click_consent: bool | None = None


@dataclass(frozen=True, kw_only=True)
class PreferenceOptions:
    """The options of the form: country codes, sector slugs, language tags, and today's date in UTC;
    ``followable_countries`` are those the newsletter is about."""

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
    """The form to show, the reader's subscription, and error messages by field, to be translated.

    ``initial`` is the first letter of the name on record; anyone who holds a forwarded link learns no more of
    it. ``asks`` says whether the mail of this link asks the reader if they still want the newsletter.
    """

    subscription: SubscriptionSummary
    form: PreferencesForm
    errors: Mapping[str, str]
    saved: bool
    initial: str = ""
    asks: bool = False

    @property
    def paused_until(self) -> date | None:
        """The first day after the pause, if the form asks for one."""
        return _parse_date(self.form.until) if self.form.frequency == "pause" else None


def parse_preferences(fields: Sequence[tuple[str, str]]) -> PreferencesForm:
    """Read the form from submitted fields. A missing field is empty; of repeated fields the last counts."""
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
        click_consent=last.get("clicks", "") == "yes" if "clicks-asked" in last else None,
    )


def load_form(engine: Engine, keys: Keys, token: str, *, today: date) -> FormResult:
    """Load the form with the saved preferences. Writes nothing."""
    with open_subscription(engine, keys, token, read_only=True) as reader:
        preferences = read_preferences(reader.session, reader.subscriber_id)
        return FormResult(
            subscription=reader.summarise(),
            form=_preferences_to_form(preferences, today, reader),
            errors={},
            saved=False,
            initial=preferences.name[:1],
            asks=is_asked(reader),
        )


def save_form(
    engine: Engine,
    keys: Keys,
    token: str,
    form: PreferencesForm,
    *,
    options: PreferenceOptions,
    now: datetime,
    language: str = "",
    click_wording: str = CLICK_WORDING,
) -> FormResult:
    """Save the form if it is valid; otherwise return the errors and save nothing. ``language`` is that of the
    page, and ``click_wording`` the sentences about links on it."""
    with open_subscription(engine, keys, token) as reader:
        current = read_preferences(reader.session, reader.subscriber_id)
        errors = validate_form(form, current, options)
        if not errors:
            may_pause = reader.summarise().gets_mail
            save_preferences(
                reader.session,
                reader.subscriber_id,
                _form_to_preferences(form, current, options, may_pause=may_pause),
                method="page",
                source=reader.source,
                now=now,
                language=language,
            )
            if form.click_consent is not None:
                _save_click_consent(reader, form.click_consent, now, language, click_wording)
            current = read_preferences(reader.session, reader.subscriber_id)
            form = _preferences_to_form(current, options.today, reader)
        # Also if the form has errors: a reader who submits it has received the email.
        reader.confirm_delivery(PREFERENCES_EVIDENCE, now)
        summary = reader.summarise()
        reader.session.commit()
        return FormResult(
            subscription=summary,
            form=form,
            errors=errors,
            saved=not errors,
            initial=current.name[:1],
        )


def _save_click_consent(
    reader: LinkedSubscriber, consent: bool, now: datetime, language: str, wording: str
) -> None:
    """Save the answer with the sentences that were shown. Without consent, what was recorded is deleted."""
    set_click_consent(
        reader.session,
        reader.subscriber_id,
        consent,
        method="page",
        source=reader.source,
        now=now,
        language=language,
        wording=wording,
        wording_version=CLICK_WORDING_VERSION,
    )
    if not consent:
        forget_reader_clicks(reader.session.connection(), reader.subscriber_id)


def _asks_about_clicks(reader: LinkedSubscriber) -> bool:
    """Return whether clicks are counted at all, or the reader has an answer to take back."""
    return (
        reader.subscriber.click_consent
        or reader.session.exec(select(CampaignLink.number).limit(1)).first() is not None
    )


def validate_form(form: PreferencesForm, current: Preferences, options: PreferenceOptions) -> dict[str, str]:
    """Return error messages by field, in the order of the page. A value on record is always valid."""
    errors = {
        "name": _validate_name(form.name),
        "country": ""
        if form.country in options.countries | {"", current.country or ""}
        else gettext_noop("Choose a country from the list."),
        "sectors": ""
        if form.sectors <= options.sectors | current.sectors
        else gettext_noop("Choose topics from the list."),
        "follow": ""
        if form.countries <= options.followable_countries | current.countries
        else gettext_noop("Choose countries from the list."),
        "language": ""
        if form.language in options.languages | {"", current.language or ""}
        else gettext_noop("Choose a language from the list."),
        "frequency": ""
        if form.frequency in {"every", "pause"}
        else gettext_noop("Choose one of the two options."),
        "until": _validate_pause_end(form.until, options) if form.frequency == "pause" else "",
    }
    return {field: error for field, error in errors.items() if error}


def _validate_name(name: str) -> str:
    try:
        clean_line(name, "name")
    except DetailError:
        if len(name) > MAX_NAME_LENGTH:
            return gettext_noop("This name is too long.")
        return gettext_noop("This name contains a character that cannot be displayed. Type it again.")
    return ""


def _validate_pause_end(text: str, options: PreferenceOptions) -> str:
    if not text:
        return gettext_noop("Choose the date to start sending again.")
    day = _parse_date(text)
    if day is None:
        return gettext_noop("Enter the date as year-month-day, such as 2027-03-31.")
    if day < options.first_day:
        return gettext_noop("Choose a date after today.")
    if day > options.last_day:
        return gettext_noop(
            "Choose a date within the next two years. For a longer break, you can unsubscribe and come back."
        )
    return ""


def _form_to_preferences(
    form: PreferencesForm, current: Preferences, options: PreferenceOptions, *, may_pause: bool
) -> Preferences:
    pause = _parse_date(form.until) if form.frequency == "pause" else None
    return Preferences(
        # The page does not show the name, so an empty field does not remove it.
        name="" if form.nameless else form.name if form.name.strip() else current.name,
        country=form.country or None,
        # A sector that is no longer configured is not on the page, so the reader cannot have removed it.
        sectors=(form.sectors & options.sectors) | (current.sectors - options.sectors),
        language=form.language or None,
        countries=(form.countries & options.followable_countries)
        | (current.countries - options.followable_countries),
        # An unsubscribed reader is not shown this question, and a pause would resubscribe them.
        paused_until=pause if may_pause else current.paused_until,
    )


def _preferences_to_form(preferences: Preferences, today: date, reader: LinkedSubscriber) -> PreferencesForm:
    # A pause that has ended is not shown: the reader already gets email again.
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
        click_consent=reader.subscriber.click_consent if _asks_about_clicks(reader) else None,
    )


def _parse_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def has_last_edition(engine: Engine, keys: Keys, token: str) -> bool:
    with open_subscription(engine, keys, token, read_only=True) as reader:
        return _find_last_campaign(reader.session, reader.subscriber_id) is not None


def find_last_edition(
    engine: Engine, keys: Keys, token: str, form: PreferencesForm
) -> tuple[CompiledEdition, Variant] | None:
    """Find the last edition that the reader received or anyone may read, in the variant ``form`` asks for;
    None if there is none, or if an older version of the program wrote it.
    """
    with open_subscription(engine, keys, token, read_only=True) as reader:
        campaign = _find_last_campaign(reader.session, reader.subscriber_id)
        content = None if campaign is None else _read_content(reader.session, campaign, form.language)
    if content is None:
        return None
    interests = interests_of(form.country or None, form.sectors, form.countries)
    return content, content.variant_for(interests, named=False)


def _find_last_campaign(session: Session, subscriber_id: int) -> Campaign | None:
    got_it = exists().where(
        col(Delivery.campaign_id) == col(Campaign.id),
        col(Delivery.subscriber_id) == subscriber_id,
        col(Delivery.state).in_(_DELIVERED_STATES),
    )
    wanted = select(Campaign).where(
        col(Campaign.state).in_(_LAUNCHED_STATES),
        or_(got_it, col(Campaign.archived).is_(True)),
        col(Campaign.edition).not_in(select(col(Correction.name))),
    )
    return session.exec(wanted.order_by(col(Campaign.id).desc()).limit(1)).first()


def _read_content(session: Session, campaign: Campaign, language: str) -> CompiledEdition | None:
    frozen = select(CampaignContent.language).where(CampaignContent.campaign_id == campaign.id)
    languages = sorted(session.exec(frozen), key=lambda tag: tag != campaign.language)
    if not languages:
        return None
    row = session.get(CampaignContent, (campaign.id, choose_language(language, languages)))
    try:
        return None if row is None else CompiledEdition.from_bytes(row.body)
    except CompiledVersionError:
        return None
