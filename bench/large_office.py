"""The database of an office with a long list and years of campaigns, made by a few statements."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, String, case, cast, insert, literal, select, text, update
from sqlmodel import Session, SQLModel, col

from bench.synthetic_partners import add_partners
from mailer.campaigns.preparation.preparation_store import begin_preparation
from mailer.campaigns.uses import make_lookups
from mailer.database.models import Campaign, CampaignContent, CampaignState, Delivery, DeliveryState
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.settings import Settings
from subscribers.models import ConsentEvent, ConsentRecord, ImportBatch, Subscriber
from subscribers.segments.saved_segments import save_segment

CAMPAIGNS = 200
_TO_ALL_EVERY = 40
"""Of so many campaigns, one goes to the whole list: two hundred to all of a million are 25 GB of ledger."""

_TO_SOME = 10_000
_LAST = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
_ORGANISATIONS = 20_000
_REASON = "5.1.1 <reader@example.org>: Recipient address rejected: User unknown"
_SEGMENTS = (
    "country:MN,CN",
    "sector:education,culture",
    "tag:press",
    "language:zh -tag:press",
    "status:active sector:natural-sciences",
    "org:institute country:JP",
)


@dataclass(frozen=True, kw_only=True)
class LargeOffice:
    """Numbers and names that addresses need: a subscriber, an import, and campaigns by what they are."""

    subscriber: int
    import_batch: int
    to_all: int
    sending: int
    draft: int
    segment: str


def add_large_office(
    engine: Engine, settings: Settings, subscribers: int, *, edition: str, content: CompiledEdition
) -> LargeOffice:
    """Add ``subscribers``, each with a consent record and an organisation, and 200 campaigns, of which every
    fortieth went to all. The last is being sent, and one of ``edition`` is prepared."""
    add_partners(engine, subscribers, sectors=tuple(settings.sectors))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Every key is of a row just added; looking each up again takes most of the time.
            connection.execute(text("SET LOCAL session_replication_role = 'replica'"))
        batch = _add_consent_records(connection, subscribers)
        _name_organisations(connection)
        with Session(connection) as session:
            numbers = [_add_campaign(session, place, subscribers) for place in range(CAMPAIGNS)]
            session.commit()
        for place, number in enumerate(numbers):
            _add_deliveries(connection, number, place, subscribers)
            connection.execute(
                insert(CampaignContent).values(
                    campaign_id=number, language=content.language, body=content.to_bytes()
                )
            )
    with Session(engine) as session:
        _save_segments(session, settings)
        draft = begin_preparation(session, edition, title=edition, member_id=None, now=_LAST)
        session.commit()
    _analyse(engine)
    return LargeOffice(
        subscriber=subscribers // 2,
        import_batch=batch,
        to_all=numbers[-_TO_ALL_EVERY],
        sending=numbers[-1],
        draft=draft.campaign_id,
        segment="s3",
    )


def _add_consent_records(connection: Connection, subscribers: int) -> int:
    batch = ImportBatch(source="partners.csv", basis="partners", at=_LAST, added=subscribers)
    with Session(connection) as session:
        session.add(batch)
        session.flush()
        number = batch.id or 0
        session.commit()
    columns = SQLModel.metadata.tables["consent_record"].columns
    row = {
        "subscriber_id": col(Subscriber.id),
        "event": literal(ConsentEvent.imported, columns.event.type),
        "at": literal(_LAST, columns.at.type),
        "method": literal("import"),
        "source": literal("partners.csv"),
        **{name: literal("") for name in ("wording", "wording_version", "language", "evidence")},
        "import_id": literal(number),
        "basis": literal("partners"),
    }
    connection.execute(insert(ConsentRecord).from_select(list(row), select(*row.values())))
    return number


def _name_organisations(connection: Connection) -> None:
    number = cast(col(Subscriber.id) % _ORGANISATIONS, String)
    connection.execute(update(Subscriber).values(organisation=literal("Institute ") + number))


def _is_to_all(place: int) -> bool:
    return place % _TO_ALL_EVERY == 0


def _add_campaign(session: Session, place: int, subscribers: int) -> int:
    is_last = place == CAMPAIGNS - 1
    at = _LAST - timedelta(days=7 * (CAMPAIGNS - 1 - place))
    campaign = Campaign(
        edition=f"{at.year}-w{at.isocalendar().week:02}",
        title="What we did this week",
        subject="Forums, workshops and more",
        segment="all" if _is_to_all(place) else _SEGMENTS[place % len(_SEGMENTS)],
        language="en",
        state=CampaignState.sending if is_last else CampaignState.finished,
        digest=f"{place:064x}",
        content_digest=f"{place:064x}",
        audience=subscribers if _is_to_all(place) else min(_TO_SOME, subscribers),
        created_at=at,
        launched_at=at,
        finished_at=None if is_last else at + timedelta(hours=2),
    )
    session.add(campaign)
    session.flush()
    return campaign.id or 0


def _add_deliveries(connection: Connection, campaign: int, place: int, subscribers: int) -> None:
    """One in 40 was refused; of the campaign that is being sent, half is waiting."""
    person = col(Subscriber.id)
    columns = SQLModel.metadata.tables["delivery"].columns
    refused = person % 40 == 0
    waiting = (DeliveryState.queued,) if place == CAMPAIGNS - 1 else ()
    state = case(
        *((person % 2 == 0, literal(one.value)) for one in waiting),
        (refused, literal(DeliveryState.rejected.value)),
        (person % 100_000 == 1, literal(DeliveryState.in_doubt.value)),
        else_=literal(DeliveryState.sent.value),
    )
    at = _LAST - timedelta(days=7 * (CAMPAIGNS - 1 - place))
    row = {
        "campaign_id": literal(campaign),
        "subscriber_id": person,
        "state": state,
        "attempts": literal(1),
        "deferrals": literal(0),
        "doubted": literal(False),
        "code": case((refused, literal(550))),
        "reason": case((refused, literal(_REASON)), else_=literal("")),
        "updated_at": literal(at, columns.updated_at.type),
    }
    readers = select(*row.values())
    if not _is_to_all(place):
        step = max(subscribers // _TO_SOME, 1)
        # Found by their numbers: a condition on all subscribers would read them two hundred times.
        counted = select(literal(place % step).label("number")).cte(recursive=True)
        counted = counted.union_all(
            select(counted.c.number + step).where(counted.c.number + step <= subscribers)
        )
        readers = readers.join_from(counted, Subscriber, person == counted.c.number)
    connection.execute(insert(Delivery).from_select(list(row), readers))


def _save_segments(session: Session, settings: Settings) -> None:
    lookups = make_lookups(session.connection(), settings)
    for number in range(40):
        query = _SEGMENTS[number % len(_SEGMENTS)]
        save_segment(session.connection(), f"s{number}", query, lookups, now=_LAST)


def _analyse(engine: Engine) -> None:
    """What autovacuum does within minutes; SQLite plans without."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
