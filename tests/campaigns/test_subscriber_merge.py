"""Merging two people while campaigns are under way: nobody is written to twice, and nobody is lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from mailer.campaigns.delivery_history import has_got
from mailer.campaigns.recipients import already_has
from mailer.campaigns.subscriber_history import SubscriberMerge, apply_merge, preview_merge
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.ledger import Ledger
from mailer.privacy.data_export import export_personal_data
from mailer.privacy.erasure import ErasureError, erase_person
from mailer.selfservice.unsubscribe import read_subscription, unsubscribe_by_link
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict
from mailer.workspace import Workspace
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import MergeError
from subscribers.models import MergedSubscriber, Status, Subscriber
from subscribers.queries import find_subscriber
from subscribers.tokens import LinkPurpose
from tests.factories.deliveries import (
    START,
    FakeClock,
    add_campaign,
    add_subscribers,
    begin,
    read_deliveries,
    read_states,
    register_dispatchers,
    set_campaign_state,
    settle,
)

KEPT, OTHER = "mei@example.org", "m.lin@example.com"
KEY = SuppressionKey(b"k" * 32)
SENT = Outcome(verdict=Verdict.sent, stage=Stage.dot, code=250, text="ok")


def merge(engine: Engine, key: SuppressionKey = KEY) -> SubscriberMerge:
    with Session(engine) as session:
        planned = preview_merge(session, KEPT, OTHER, key=key)
    with Session(engine) as session:
        merged = apply_merge(session, KEPT, OTHER, key=key, method="studio", source="by Ann", now=START)
        session.commit()
    assert merged == planned
    return merged


def add_both(engine: Engine, **values: object) -> int:
    """A campaign with a delivery for each of the two."""
    return add_campaign(engine, [KEPT, OTHER], **values)


def add_delivery(engine: Engine, campaign: int, address: str, **values: object) -> None:
    with Session(engine) as session:
        number = find_subscriber(session, address).id or 0
        session.add(Delivery(campaign_id=campaign, subscriber_id=number, updated_at=START, **values))  # type: ignore[arg-type]
        session.commit()


def set_delivery(engine: Engine, address: str, **values: object) -> None:
    with engine.begin() as connection:
        theirs = select(Subscriber.id).where(Subscriber.email == address)
        connection.execute(update(Delivery).where(col(Delivery.subscriber_id).in_(theirs)).values(**values))


@pytest.fixture
def ledger(engine: Engine) -> Iterator[Ledger]:
    campaign = add_both(engine)
    register_dispatchers(engine, "me")
    ledger = Ledger(engine, campaign, "me", clock=FakeClock())
    yield ledger
    ledger.close()


def test_of_two_that_wait_one_is_sent(engine: Engine, ledger: Ledger) -> None:
    done = merge(engine)
    assert (len(done.moved), len(done.dropped)) == (0, 1)
    assert read_states(engine) == {KEPT: DeliveryState.queued, OTHER: DeliveryState.suppressed}
    assert read_deliveries(engine)[OTHER].reason == "merged"
    assert [claim.subscriber.email for claim in ledger.claim(9)] == [KEPT]


@pytest.mark.parametrize("state", [DeliveryState.sent, DeliveryState.in_doubt])
@pytest.mark.parametrize("reached", [KEPT, OTHER])
def test_whoever_has_the_edition_by_one_address_does_not_get_it_by_the_other(
    engine: Engine, state: DeliveryState, reached: str
) -> None:
    add_both(engine)
    set_delivery(engine, reached, state=state)
    merge(engine)
    other = OTHER if reached == KEPT else KEPT
    assert read_states(engine) == {reached: state, other: DeliveryState.suppressed}


@pytest.mark.parametrize("again", [False, True])
def test_another_campaign_of_the_edition_counts_unless_it_goes_to_everybody_again(
    engine: Engine, again: bool
) -> None:
    first = add_both(engine)
    set_delivery(engine, OTHER, state=DeliveryState.sent)
    with engine.begin() as connection:
        theirs = select(Subscriber.id).where(Subscriber.email == KEPT)
        connection.execute(
            Delivery.__table__.delete().where(col(Delivery.subscriber_id).in_(theirs))  # type: ignore[attr-defined]
        )
    set_campaign_state(engine, first, CampaignState.finished)
    second = add_campaign(engine, [], again=again)
    add_delivery(engine, second, KEPT)
    merge(engine)
    assert read_states(engine)[KEPT] is (DeliveryState.queued if again else DeliveryState.suppressed)


def test_two_campaigns_of_one_edition_reach_the_person_once(engine: Engine) -> None:
    add_subscribers(engine, [KEPT, OTHER])
    for address in (KEPT, OTHER):
        add_delivery(engine, add_campaign(engine, []), address)
    done = merge(engine)
    assert (len(done.moved), len(done.dropped)) == (0, 1)
    assert read_states(engine) == {KEPT: DeliveryState.queued, OTHER: DeliveryState.suppressed}


def test_what_waits_for_the_other_address_alone_goes_to_the_one_that_is_kept(engine: Engine) -> None:
    add_subscribers(engine, [KEPT])
    campaign = add_campaign(engine, [OTHER])
    set_delivery(
        engine, OTHER, state=DeliveryState.deferred, not_before=START + timedelta(hours=1), deferrals=1
    )
    done = merge(engine)
    assert (len(done.moved), len(done.dropped)) == (1, 0)
    assert read_states(engine) == {KEPT: DeliveryState.queued}
    register_dispatchers(engine, "me")
    ledger = Ledger(engine, campaign, "me", clock=FakeClock())
    (claim,) = ledger.claim(9)
    assert (claim.subscriber.email, begin(ledger, claim)) == (KEPT, True)
    ledger.close()


def test_a_dispatcher_that_holds_a_delivery_loses_it_before_anything_is_sent(
    engine: Engine, ledger: Ledger
) -> None:
    held = {claim.subscriber.email: claim for claim in ledger.claim(9)}
    merge(engine)
    assert not begin(ledger, held[OTHER])
    assert begin(ledger, held[KEPT])
    assert settle(ledger, held[KEPT], SENT)
    assert read_states(engine) == {KEPT: DeliveryState.sent, OTHER: DeliveryState.suppressed}


def test_a_message_that_is_being_sent_is_settled_by_its_reply(engine: Engine, ledger: Ledger) -> None:
    held = {claim.subscriber.email: claim for claim in ledger.claim(9)}
    assert begin(ledger, held[OTHER])
    merge(engine)
    assert not begin(ledger, held[KEPT])
    assert settle(ledger, held[OTHER], SENT)
    assert read_states(engine) == {KEPT: DeliveryState.suppressed, OTHER: DeliveryState.sent}


def test_what_was_doubted_keeps_its_message_id_and_is_not_readdressed(engine: Engine) -> None:
    add_subscribers(engine, [KEPT])
    add_campaign(engine, [OTHER])
    set_delivery(engine, OTHER, doubted=True)
    assert merge(engine).moved == []
    assert list(read_states(engine)) == [OTHER]


@pytest.mark.parametrize("state", [CampaignState.cancelled, CampaignState.finished])
def test_a_campaign_that_is_over_keeps_its_ledger(engine: Engine, state: CampaignState) -> None:
    add_both(engine, state=state)
    before = read_deliveries(engine)
    merge(engine)
    assert {one: row.model_dump() for one, row in read_deliveries(engine).items()} == {
        one: row.model_dump() for one, row in before.items()
    }


def test_nobody_is_lost_from_the_audience(engine: Engine, ledger: Ledger) -> None:
    merge(engine)
    with Session(engine) as session:
        (campaign,) = session.exec(select(Campaign)).all()
        assert campaign.audience == len(session.exec(select(Delivery)).all()) == 2


def test_what_one_address_got_the_person_has(engine: Engine) -> None:
    add_both(engine)
    set_delivery(engine, OTHER, state=DeliveryState.sent)
    set_delivery(engine, KEPT, state=DeliveryState.rejected)
    merge(engine)
    with Session(engine) as session:
        for condition in (already_has("2026-1"), has_got(["2026-1"])):
            found = session.exec(select(Subscriber.email).where(condition)).all()
            assert KEPT in found
        wanted = select(Subscriber.email).where(~already_has("2026-1"), Subscriber.status == Status.active)
        assert session.exec(wanted).all() == []


def test_links_in_mail_to_either_address_lead_to_the_one_who_is_left(
    engine: Engine, workspace: Workspace, now: datetime
) -> None:
    keys = workspace.keys
    campaign = add_both(engine)
    set_delivery(engine, OTHER, state=DeliveryState.in_doubt)
    with Session(engine) as session:
        number = find_subscriber(session, OTHER).id or 0
    token = keys.tokens.sign(LinkPurpose.subscription, subscriber_id=number, campaign_id=campaign)
    merge(engine, keys.suppression)
    assert read_subscription(engine, keys, token).address == "m…@e…org"
    unsubscribe_by_link(engine, keys, token, now=now)
    with Session(engine) as session:
        assert find_subscriber(session, KEPT).status is Status.unsubscribed
    # Whoever uses the link has the message that it came in, which was to the other address.
    assert read_states(engine)[OTHER] is DeliveryState.sent


@pytest.mark.parametrize("given", [KEPT, OTHER])
def test_the_copy_of_the_data_has_that_of_both_addresses(
    engine: Engine, workspace: Workspace, now: datetime, given: str
) -> None:
    add_both(engine)
    merge(engine)
    with Session(engine) as session:
        known = export_personal_data(session, given, key=KEY, now=now)
    assert known["subscriber"]["email"] == KEPT
    assert [row["email"] for row in known["merged"]] == [OTHER]
    assert len(known["delivery"]) == 2
    assert len(known["consent_record"]) == 2


@pytest.mark.parametrize("given", [KEPT, OTHER])
def test_erasing_the_person_erases_both_addresses(
    sqlite_engine: Engine, workspace: Workspace, now: datetime, given: str
) -> None:
    add_both(sqlite_engine)
    merge(sqlite_engine, workspace.keys.suppression)
    report = erase_person(workspace, sqlite_engine, given, method="studio", now=now)
    assert not report.resumed
    with Session(sqlite_engine) as session:
        people = session.exec(select(Subscriber)).all()
        assert {person.status for person in people} == {Status.erased}
        assert not [person for person in people if "example" in person.email]
        assert session.exec(select(MergedSubscriber)).all() == []
    raw = b"".join(path.read_bytes() for path in workspace.root.parent.glob("mailer.db*"))
    assert KEPT.encode() not in raw
    assert OTHER.encode() not in raw


@pytest.mark.parametrize("unwritable", [KEPT, OTHER])
def test_a_file_that_cannot_be_cleaned_keeps_both_addresses_on_the_list(
    sqlite_engine: Engine,
    workspace: Workspace,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    unwritable: str,
) -> None:
    add_both(sqlite_engine)
    merge(sqlite_engine, workspace.keys.suppression)
    (workspace.root / "notes.csv").write_text(f"email\n{unwritable}\n")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mailer.privacy.erasure.clean_file", refuse)
    with pytest.raises(ErasureError, match="so nothing was erased"):
        erase_person(workspace, sqlite_engine, KEPT, method="studio", now=now)
    with Session(sqlite_engine) as session:
        assert {one.email for one in session.exec(select(Subscriber))} == {KEPT, OTHER}


def test_of_two_who_merge_a_pair_at_the_same_moment_one_does(engine: Engine) -> None:
    add_both(engine)
    barrier = Barrier(2)

    def try_merge(pair: tuple[str, str]) -> str:
        with Session(engine) as session:
            barrier.wait()
            try:
                apply_merge(session, *pair, key=KEY, method="studio", now=START)
            except MergeError:
                return "refused"
            session.commit()
            return "merged"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(try_merge, [(KEPT, OTHER), (OTHER, KEPT)]))
    assert outcomes == ["merged", "refused"]
    with Session(engine) as session:
        (tie,) = session.exec(select(MergedSubscriber)).all()
        assert session.get_one(Subscriber, tie.kept_id).status is Status.active
        assert session.get_one(Subscriber, tie.subscriber_id).status is Status.merged
    assert sorted(state.value for state in read_states(engine).values()) == ["queued", "suppressed"]
