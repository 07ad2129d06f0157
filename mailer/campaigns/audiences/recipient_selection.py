"""Select the readers of a segment who get an edition, and group them by language and interests."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from sqlalchemy import ColumnElement, Engine, and_, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col

from mailer.campaigns.audiences.compliance import may_be_mailed
from mailer.campaigns.audiences.segments import RECEIVED_STATES, has_delivery
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.database.schema import ensure_current
from mailer.errors import StaleSchemaError
from mailer.rendering.body.variants import Interests, Variant, choose_language
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.recipient import Reader, interests_of, reader_for
from mailer.settings import LawSettings
from mailer.workspace import Workspace
from subscribers.consent.preferences import read_countries
from subscribers.models import Subscriber, SubscriberCountry, SubscriberSector
from subscribers.queries import read_sectors
from subscribers.segments.segment import Segment, eligible


def is_in_audience(
    segment: Segment, edition: str, today: date, *, again: bool, law: LawSettings | None = None
) -> ColumnElement[bool]:
    """The condition on ``Subscriber`` that they get ``edition``.

    They must be in the segment, accept mail ``today``, be allowed mail by the ``law`` of their country (None
    skips this), and, unless ``again``, not have the edition already.
    """
    conditions = [segment.where(), eligible(today)]
    if law is not None:
        conditions.append(may_be_mailed(law))
    if not again:
        conditions.append(~already_has(edition))
    return and_(*conditions)


def already_has(edition: str) -> ColumnElement[bool]:
    """The condition on ``Subscriber`` that they received ``edition``, may have received it, or are waiting
    for it.
    """
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
    """Readers who get the same mail: they share a language and interests.

    ``size`` is the number of readers, ``first_id`` the lowest subscriber id among them.
    """

    language: str
    interests: Interests
    size: int
    first_id: int


def list_cohorts(session: Session, audience: ColumnElement[bool]) -> Iterator[Cohort]:
    """The cohorts of an audience, grouped by the database: a million readers become a few hundred rows."""
    followed = (
        select(func.aggregate_strings(col(SubscriberSector.sector), ","))
        .where(col(SubscriberSector.subscriber_id) == col(Subscriber.id))
        .scalar_subquery()
    )
    elsewhere = (
        select(func.aggregate_strings(col(SubscriberCountry.country), ","))
        .where(col(SubscriberCountry.subscriber_id) == col(Subscriber.id))
        .scalar_subquery()
    )
    readers = (
        select(
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
    statement = select(*kinds, func.count(), func.min(readers.c.id)).group_by(*kinds)
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
    """The variants that the cohorts get, largest first; cohorts with the same variant are merged."""
    return {variant: _merge(group) for variant, group in group_cohorts(cohorts, compiled).items()}


def group_cohorts(
    cohorts: Iterable[Cohort], compiled: Sequence[CompiledEdition]
) -> dict[Variant, tuple[Cohort, ...]]:
    """The cohorts that get each variant; the variants of most readers come first."""
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
    """Why the list of subscribers cannot be read and what to do about it; empty if it can."""
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


def load_reader(
    session: Session, subscriber: Subscriber, workspace: Workspace, *, campaign_id: int = 0
) -> Reader:
    """The reader for ``subscriber``, with what they follow (campaign 0 for a preview)."""
    sectors = read_sectors(session, [subscriber])[subscriber.id or 0]
    settings, signer = workspace.settings, workspace.keys.tokens
    countries = read_countries(session, subscriber.id or 0)
    return reader_for(subscriber, campaign_id, settings, signer, sectors=sectors, countries=countries)
