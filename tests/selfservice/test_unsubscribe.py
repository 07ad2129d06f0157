"""What a link's holder can do to a subscription, on both databases."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.selfservice.subscription import mask_address
from mailer.selfservice.unsubscribe import (
    UNDO_WORDING,
    UNSUBSCRIBE_WORDING,
    UnsubscribeBatcher,
    read_subscription,
    resubscribe_by_link,
    unsubscribe_by_link,
)
from mailer.workspace import Keys
from subscribers.consent.status_changes import suppress
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import StatusError, TokenError
from subscribers.models import ConsentEvent, ConsentRecord, Status
from subscribers.tokens import LinkPurpose, TokenSigner
from tests.web.site import NOW, add_reader, dump_tables, find_reader

KEYS = Keys(suppression=SuppressionKey(b"s" * 32), tokens=TokenSigner(keys={1: b"t" * 32}, current=1))


def read_records(engine: Engine) -> list[ConsentRecord]:
    with Session(engine) as session:
        return list(session.exec(select(ConsentRecord).order_by(ConsentRecord.id)))  # type: ignore[arg-type]


def test_looking_writes_nothing(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org")
    before = dump_tables(engine)
    summary = read_subscription(engine, KEYS, token)
    assert (summary.address, summary.status, summary.is_member) == ("m…@e…org", Status.active, True)
    assert dump_tables(engine) == before


@pytest.mark.parametrize("status", [Status.active, Status.paused, Status.pending])
def test_whoever_is_on_the_list_can_leave(engine: Engine, status: Status) -> None:
    token = add_reader(engine, KEYS, "mei@example.org", status=status)
    summary = unsubscribe_by_link(engine, KEYS, token, now=NOW)
    assert (summary.status, summary.is_member, summary.may_return) == (Status.unsubscribed, False, True)
    assert find_reader(engine, "mei@example.org").status is Status.unsubscribed


def test_leaving_twice_leaves_one_record(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org")
    unsubscribe_by_link(engine, KEYS, token, now=NOW)
    before = dump_tables(engine)
    assert unsubscribe_by_link(engine, KEYS, token, now=NOW).status is Status.unsubscribed
    assert dump_tables(engine) == before
    assert len(read_records(engine)) == 1


def test_the_record_says_how_where_and_under_which_words(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org")
    unsubscribe_by_link(engine, KEYS, token, now=NOW)
    (record,) = read_records(engine)
    assert (record.event, record.method, record.source) == (ConsentEvent.unsubscribed, "page", "campaign 7")
    assert (record.wording, record.language) == (UNSUBSCRIBE_WORDING, "en")


def test_a_mail_programs_own_button_showed_no_words_of_ours(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org")
    UnsubscribeBatcher(engine, KEYS).unsubscribe(token, now=NOW)
    (record,) = read_records(engine)
    assert (record.method, record.wording) == ("one-click", "")
    assert record.evidence == "List-Unsubscribe=One-Click"


def test_a_reader_comes_back_by_their_own_hand(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org")
    unsubscribe_by_link(engine, KEYS, token, now=NOW)
    later = datetime(2026, 3, 2, tzinfo=UTC)
    assert resubscribe_by_link(engine, KEYS, token, wording=UNDO_WORDING, now=later).status is Status.active
    assert [record.event for record in read_records(engine)] == [
        ConsentEvent.unsubscribed,
        ConsentEvent.subscribed,
    ]
    assert read_records(engine)[1].wording == UNDO_WORDING


def test_an_address_the_team_barred_does_not_come_back(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org")
    with Session(engine) as session:
        suppress(session, "mei@example.org", key=KEYS.suppression, method="command line", now=NOW)
        session.commit()
    assert read_subscription(engine, KEYS, token).may_return is False
    before = dump_tables(engine)
    with pytest.raises(StatusError, match="team"):
        resubscribe_by_link(engine, KEYS, token, wording="", now=NOW)
    assert dump_tables(engine) == before


def test_an_erased_reader_stays_erased_and_nameless(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "erased-1@invalid", status=Status.erased)
    summary = unsubscribe_by_link(engine, KEYS, token, now=NOW)
    assert (summary.address, summary.status, summary.may_return) == ("", Status.erased, False)
    with pytest.raises(TokenError):
        resubscribe_by_link(engine, KEYS, token, wording="", now=NOW)


@pytest.mark.parametrize("number", [2, 2**31, 2**63, 2**64 - 1])
def test_a_genuine_token_of_nobody_is_answered_like_a_wrong_one(engine: Engine, number: int) -> None:
    add_reader(engine, KEYS, "mei@example.org")
    token = KEYS.tokens.sign(LinkPurpose.subscription, subscriber_id=number, campaign_id=7)
    for act in (
        lambda: read_subscription(engine, KEYS, token),
        lambda: unsubscribe_by_link(engine, KEYS, token, now=NOW),
        lambda: UnsubscribeBatcher(engine, KEYS).unsubscribe(token, now=NOW),
        lambda: resubscribe_by_link(engine, KEYS, token, wording="", now=NOW),
    ):
        with pytest.raises(TokenError):
            act()


@given(
    local=st.text(min_size=1).filter(lambda text: "@" not in text),
    domain=st.from_regex(r"[a-z]+\.org", fullmatch=True),
)
def test_a_mask_shows_one_character_of_the_name_at_most(local: str, domain: str) -> None:
    assert mask_address(f"{local}@{domain}") == f"{local[0]}…@{domain[0]}…org"
