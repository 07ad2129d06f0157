"""A large campaign that is cancelled while it is sent: what still goes out, and who is accounted for."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from sqlalchemy import Engine, insert, literal, select
from sqlmodel import Session, col

from mailer.campaigns.lifecycle import cancel_campaign
from mailer.database.models import CampaignState, Delivery, DeliveryState
from mailer.dispatch.deliveries import Counts
from mailer.dispatch.dispatcher import dispatch
from mailer.dispatch.event_log import RunOutcome, RunResult
from mailer.dispatch.relays import open_relays
from mailer.settings import SenderSettings, Settings, SmtpSettings
from subscribers.models import Subscriber
from tests.factories.deliveries import START, add_campaign, build_plain, read_campaign
from tests.servers.process import wait_until
from tests.servers.scripted_smtp import ScriptedServer

Figure = Callable[[str], None]
READERS = 20_000
CONNECTIONS = 5
BEFORE = 300
SENDER = SenderSettings(
    name="News", address="news@example.org", organisation="Office", postal_address="1 Street, Town"
)


def add_readers(engine: Engine, campaign: int, number: int) -> None:
    """Queue deliveries to ``number`` readers, by the thousand."""
    address = "reader{}@example.org".format
    people = [
        {"email": address(n), "envelope": address(n), "created_at": START, "updated_at": START}
        for n in range(number)
    ]
    with engine.begin() as connection:
        connection.execute(insert(Subscriber), people)
        values = {
            "campaign_id": literal(campaign),
            "subscriber_id": col(Subscriber.id),
            "state": literal("queued"),
            "attempts": literal(0),
            "deferrals": literal(0),
            "doubted": literal(value=False),
            "reason": literal(""),
            "updated_at": col(Subscriber.updated_at),
        }
        connection.execute(insert(Delivery).from_select(list(values), select(*values.values())))


def test_a_cancelled_campaign_of_twenty_thousand_begins_nothing_more_and_loses_nobody(
    engine: Engine, tmp_path: Path, figure: Figure
) -> None:
    campaign = add_campaign(engine, 0, audience=READERS)
    add_readers(engine, campaign, READERS)
    results: list[RunResult] = []
    with ScriptedServer(delay=0.005) as server:
        settings = Settings(sender=SENDER, smtp=SmtpSettings(url=server.url, connections=CONNECTIONS))

        def send() -> None:
            relays = open_relays(settings, tmp_path)
            results.append(
                dispatch(
                    engine, 1, relays=relays, settings=settings, root=tmp_path, build_message=build_plain
                )
            )

        thread = Thread(target=send)
        thread.start()
        wait_until(lambda: len(server.mails) >= BEFORE, what="some messages", seconds=60)
        with Session(engine) as session:
            cancel_campaign(session, 1, now=datetime.now(UTC))
            session.commit()
        cancelled_at = time.time()
        thread.join(60)
        ended_in = time.time() - cancelled_at
        again = dispatch(
            engine,
            1,
            relays=open_relays(settings, tmp_path),
            settings=settings,
            root=tmp_path,
            build_message=build_plain,
        )
        received = Counter(server.recipients)
        late = [mail for mail in server.mails if mail.began_at > cancelled_at]
    (result,) = results
    # A body whose start was on record before the cancellation may be on its way to the server.
    assert len(late) <= CONNECTIONS
    assert (result.outcome, result.state) == (RunOutcome.cancelled, CampaignState.cancelled)
    assert result.counts == again.counts
    assert result.counts == Counts(audience=READERS, sent=len(received), queued=READERS - len(received))
    assert result.counts.balances
    assert set(received.values()) == {1}
    with engine.connect() as connection:
        sent = select(col(Subscriber.email)).join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
        is_sent = col(Delivery.state) == DeliveryState.sent
        assert set(connection.scalars(sent.where(is_sent))) == set(received)
        assert (
            connection.scalars(select(col(Delivery.id)).where(col(Delivery.owner).is_not(None))).all() == []
        )
    assert read_campaign(engine, 1).state is CampaignState.cancelled
    figure(
        f"{READERS} readers on {engine.dialect.name}, cancelled after {BEFORE}: {len(late)} messages over "
        f"{CONNECTIONS} connections began afterwards, 0 lost, stopped after {ended_in:.2f} s"
    )
