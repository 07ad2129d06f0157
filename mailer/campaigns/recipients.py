"""The readers of a segment who get an edition, by language and interests, and the law of their countries.

This is engineering, not legal advice; docs/consent.md explains how each rule is met. Some rules refuse a
launch. Others only leave out the readers they apply to, because one reader without a consent record must not
keep the others from getting their newsletter.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path

from sqlalchemy import ColumnElement, Engine, and_, exists, func, or_
from sqlalchemy import select as select_columns
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from locales.phrase import AND, Phrase, gettext_noop, join_phrases
from mailer.campaigns.delivery_history import RECEIVED_STATES, has_delivery
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.database.schema import ensure_current
from mailer.errors import StaleSchemaError
from mailer.rendering.body.variants import Interests, Variant, choose_language
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.mail_merge import Reader, interests_of, reader_for
from mailer.settings import LawSettings, Settings
from mailer.workspace import Workspace
from subscribers.consent.preferences import read_countries
from subscribers.models import ConsentEvent, ConsentRecord, Subscriber, SubscriberCountry, SubscriberSector
from subscribers.queries import read_sectors
from subscribers.segments.segment import Segment, eligible

_MAX_EXAMPLES = 3
ALREADY_SENT = gettext_noop("already have this edition")
"""Why somebody is left out who has the edition, unless it is sent to them again."""


class LegalRequirement(StrEnum):
    """Requirements of the law."""

    identity = "identity"
    """Every part of every mail contains the sender's name and postal address."""

    leaving = "leaving"
    """Every mail says how to unsubscribe, and unsubscribing takes one click."""

    opt_in = "opt_in"
    """The reader's consent is on record before the first mail."""

    label = "label"
    """The subject starts with a word that says what kind of mail this is."""


class Enforcement(StrEnum):
    """Ways to enforce a rule that is not met."""

    refuse = "refuse"
    """The launch is refused."""

    hold_back = "hold_back"
    """The readers concerned are left out, and listed."""

    by_setting = "by_setting"
    """Nothing, unless the settings enable the rule for the country."""


@dataclass(frozen=True, kw_only=True)
class LegalRule:
    """One requirement of one law. ``countries`` are ISO codes; empty if the rule applies to all readers."""

    requirement: LegalRequirement
    countries: tuple[str, ...]
    law: str
    source: str
    enforcement: Enforcement


RULES: tuple[LegalRule, ...] = (
    LegalRule(
        requirement=LegalRequirement.identity,
        countries=(),
        law="CAN-SPAM Act (US), §5(a)(5); CASL (Canada), s. 6(2); Act No. 26 of 2002 (Japan), Art. 4",
        source="15 U.S.C. 7704(a)(5)(A)(iii); SOR/2012-36",
        enforcement=Enforcement.refuse,
    ),
    LegalRule(
        requirement=LegalRequirement.leaving,
        countries=(),
        law="GDPR, Art. 7(3) and 21(2–3); CAN-SPAM Act (US), §5(a)(3); CASL (Canada), s. 11",
        source="RFC 8058; 16 CFR 316.5",
        enforcement=Enforcement.refuse,
    ),
    LegalRule(
        requirement=LegalRequirement.opt_in,
        countries=("JP",),
        law="Act on Regulation of Transmission of Specified Electronic Mail, as amended 2008, Art. 3",
        source="Act No. 26 of 2002; also for mail to Japan from abroad",
        enforcement=Enforcement.hold_back,
    ),
    LegalRule(
        requirement=LegalRequirement.opt_in,
        countries=("CN",),
        law="Personal Information Protection Law, Art. 13–16; MII Order 38, Art. 13",
        source="PIPL 2021; MII Order 38 of 2006",
        enforcement=Enforcement.by_setting,
    ),
    LegalRule(
        requirement=LegalRequirement.label,
        countries=("CN",),
        law="Measures for the Administration of Internet E-mail Services, Art. 13–14: “广告” or “AD”",
        source="MII Order 38 of 2006",
        enforcement=Enforcement.by_setting,
    ),
    LegalRule(
        requirement=LegalRequirement.opt_in,
        countries=("CA",),
        law="CASL, s. 6(1): express or implied consent",
        source="S.C. 2010, c. 23",
        enforcement=Enforcement.by_setting,
    ),
)


@dataclass(frozen=True, kw_only=True)
class HeldBack:
    """Readers in one country who must not get a mailing; ``examples`` are the first few addresses."""

    country: str
    rule: LegalRule | None
    count: int
    examples: tuple[str, ...]

    @property
    def reason(self) -> str:
        return Phrase("in %(country)s without consent on record", country=self.country)

    def __str__(self) -> str:
        law = f" ({self.rule.law})" if self.rule else ""
        more = ", …" if self.count > len(self.examples) else ""
        return f"{self.count} {self.reason}{law}: {', '.join(self.examples)}{more}"

    def as_dict(self) -> dict[str, object]:
        return {
            "country": self.country,
            "reason": self.reason,
            "law": self.rule.law if self.rule else "",
            "source": self.rule.source if self.rule else "",
            "readers": self.count,
            "examples": list(self.examples),
        }


def has_consent_on_record() -> ColumnElement[bool]:
    """Return the condition on ``Subscriber`` that they signed up, or were imported with a declared basis."""
    return exists().where(
        col(ConsentRecord.subscriber_id) == col(Subscriber.id),
        or_(
            col(ConsentRecord.event) == ConsentEvent.subscribed,
            and_(col(ConsentRecord.event) == ConsentEvent.imported, col(ConsentRecord.basis) != ""),
        ),
    )


def may_be_mailed(law: LawSettings) -> ColumnElement[bool]:
    """Return the condition on ``Subscriber`` that the law of their country allows sending to them."""
    country = col(Subscriber.country)
    # A reader whose country is unknown is not restricted. In this order, consent records are only read for
    # readers in the countries listed.
    return or_(country.is_(None), country.not_in(law.opt_in), has_consent_on_record())


def find_held_back(session: Session, law: LawSettings, audience: ColumnElement[bool]) -> Iterator[HeldBack]:
    """Yield the readers in ``audience`` that the law of their country excludes, by country."""
    country = col(Subscriber.country)
    held_back = (audience, country.in_(law.opt_in), ~has_consent_on_record())
    counted = select(country, func.count()).where(*held_back).group_by(country).order_by(country)
    for code, number in session.exec(counted).all():
        first = (
            select(col(Subscriber.email))
            .where(*held_back, country == code)
            .order_by(col(Subscriber.id))
            .limit(_MAX_EXAMPLES)
        )
        yield HeldBack(
            country=code or "",
            rule=find_rule(LegalRequirement.opt_in, code or ""),
            count=number,
            examples=tuple(session.exec(first)),
        )


def find_rule(requirement: LegalRequirement, country: str) -> LegalRule | None:
    """Return the rule of a country's law; None if only the workspace's own setting applies."""
    return next(
        (rule for rule in RULES if rule.requirement is requirement and country in rule.countries), None
    )


def find_missing_identity(settings: Settings) -> str:
    """Return why this sender must not send mail and what to do about it; empty if it may. Whether every mail
    contains name and address is checked in the mail itself (`no-postal-address`)."""
    empty = [
        name
        for name in ("organisation", "postal_address")
        if not any(character.isalnum() for character in getattr(settings.sender, name))
    ]
    if not empty:
        return ""
    return Phrase(
        "[sender] %(names)s missing: the law of most countries requires the sender's name and "
        "postal address in every mail. Add what is missing to mailer.toml.",
        names=join_phrases(empty, AND),
    )


def list_countries(requirement: LegalRequirement, enforcements: Collection[Enforcement]) -> tuple[str, ...]:
    """Return the countries whose law has this requirement with one of these ways of enforcement."""
    return tuple(
        country
        for rule in RULES
        if rule.requirement is requirement and rule.enforcement in enforcements
        for country in rule.countries
    )


def is_in_audience(
    segment: Segment, edition: str, today: date, *, again: bool, law: LawSettings | None = None
) -> ColumnElement[bool]:
    """Return the condition on ``Subscriber`` that they get ``edition``: they are in the segment, accept mail
    ``today``, the ``law`` of their country allows it (None skips this), and, unless ``again``, they do not
    have it."""
    conditions = [segment.where(), eligible(today)]
    if law is not None:
        conditions.append(may_be_mailed(law))
    if not again:
        conditions.append(~already_has(edition))
    return and_(*conditions)


def already_has(edition: str) -> ColumnElement[bool]:
    """Return the condition on ``Subscriber`` that they have ``edition``, may have it, or wait for it."""
    has_it = col(Delivery.state).in_(RECEIVED_STATES)
    gets_it = and_(
        col(Delivery.state).in_([DeliveryState.queued, DeliveryState.claimed, DeliveryState.deferred]),
        col(Campaign.state).in_([CampaignState.sending, CampaignState.paused]),
    )
    return has_delivery(
        col(Campaign.id) == col(Delivery.campaign_id),
        col(Campaign.edition) == edition,
        or_(has_it, gets_it),
    )


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Readers who get the same mail, since they share a language and interests. ``first_id`` is the lowest
    subscriber id among them."""

    language: str
    interests: Interests
    size: int
    first_id: int


def list_cohorts(session: Session, audience: ColumnElement[bool]) -> Iterator[Cohort]:
    """Yield the cohorts of an audience, grouped by the database: a million readers are a few hundred rows."""
    followed = (
        select_columns(func.aggregate_strings(col(SubscriberSector.sector), ","))
        .where(col(SubscriberSector.subscriber_id) == col(Subscriber.id))
        .scalar_subquery()
    )
    elsewhere = (
        select_columns(func.aggregate_strings(col(SubscriberCountry.country), ","))
        .where(col(SubscriberCountry.subscriber_id) == col(Subscriber.id))
        .scalar_subquery()
    )
    readers = (
        select_columns(
            col(Subscriber.id).label("id"),
            col(Subscriber.language).label("language"),
            col(Subscriber.country).label("country"),
            followed.label("sectors"),
            elsewhere.label("countries"),
        )
        .where(audience)
        .subquery()
    )
    kinds = (readers.c.language, readers.c.country, readers.c.sectors, readers.c.countries)
    statement = select_columns(*kinds, func.count(), func.min(readers.c.id)).group_by(*kinds)
    for language, country, sectors, countries, number, first in session.connection().execute(statement):
        yield Cohort(
            language=language or "",
            interests=interests_of(
                country, sectors.split(",") if sectors else (), countries.split(",") if countries else ()
            ),
            size=number,
            first_id=first,
        )


def find_variants(cohorts: Iterable[Cohort], compiled: Sequence[CompiledEdition]) -> dict[Variant, Cohort]:
    """Return the variants that the cohorts get, largest first; cohorts with the same variant are merged."""
    return {variant: _merge(group) for variant, group in group_cohorts(cohorts, compiled).items()}


def group_cohorts(
    cohorts: Iterable[Cohort], compiled: Sequence[CompiledEdition]
) -> dict[Variant, tuple[Cohort, ...]]:
    """Return the cohorts that get each variant; the variants of most readers come first."""
    mails = {mail.language: mail for mail in compiled}
    found: dict[Variant, list[Cohort]] = {}
    for cohort in cohorts if mails else ():
        variant = mails[choose_language(cohort.language, tuple(mails))].variant_for(cohort.interests)
        found.setdefault(variant, []).append(cohort)

    def rank(item: tuple[Variant, list[Cohort]]) -> tuple[int, int]:
        merged = _merge(item[1])
        return -merged.size, merged.first_id

    return {variant: tuple(group) for variant, group in sorted(found.items(), key=rank)}


def _merge(group: Sequence[Cohort]) -> Cohort:
    return replace(group[0], size=sum(one.size for one in group), first_id=min(one.first_id for one in group))


def find_database_problem(engine: Engine) -> str:
    """Return why the list of subscribers cannot be read and what to do about it; empty if it can."""
    url = engine.url
    # Connecting to a SQLite file that does not exist would create an empty one.
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        return "There is no database of subscribers yet. Create it with `mailer db upgrade`."
    try:
        ensure_current(engine)
    except StaleSchemaError as error:
        return str(error)
    except SQLAlchemyError:
        return "The database of subscribers cannot be reached. Run `mailer doctor` to find out why."
    return ""


def load_reader(session: Session, subscriber: Subscriber, workspace: Workspace) -> Reader:
    sectors = read_sectors(session, [subscriber])[subscriber.id or 0]
    settings, signer = workspace.settings, workspace.keys.tokens
    countries = read_countries(session, subscriber.id or 0)
    return reader_for(subscriber, 0, settings, signer, sectors=sectors, countries=countries)


def find_left_out(
    session: Session, segment: Segment, edition: str, today: date, *, already: str
) -> Iterator[tuple[str, int]]:
    """Count those left out, by reason, apart from those whom the law of their country excludes; ``already``
    is the reason for those who have it, "" to send again."""
    status = col(Subscriber.status)
    # "IS NOT TRUE", because the condition is NULL for a pause without an end.
    gets_no_mail = eligible(today).is_not(True)
    by_status = select(status, func.count()).where(segment.where(), gets_no_mail).group_by(status)
    for name, number in sorted(session.exec(by_status)):
        yield name.value, number
    if already:
        has_it = select(func.count()).select_from(Subscriber)
        number = session.exec(has_it.where(segment.where(), eligible(today), already_has(edition))).one()
        if number:
            yield already, number
