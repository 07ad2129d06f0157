"""Why somebody left, if they say."""

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.selfservice.unsubscribe import (
    REASON_LABELS,
    UnsubscribeReason,
    record_reason,
    resubscribe_by_link,
    unsubscribe_by_link,
)
from mailer.workspace import Keys
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import TokenError
from subscribers.models import ConsentRecord, Status
from subscribers.tokens import TokenSigner
from tests.web.site import NOW, add_reader, dump_tables

KEYS = Keys(suppression=SuppressionKey(b"s" * 32), tokens=TokenSigner(keys={1: b"t" * 32}, current=1))


def read_evidence(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return list(session.exec(select(ConsentRecord.evidence).order_by(col(ConsentRecord.id))))


def test_a_reason_is_kept_once_beside_the_leaving(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org")
    unsubscribe_by_link(engine, KEYS, token, now=NOW)
    for _ in range(3):
        assert record_reason(engine, KEYS, token, "too_many", now=NOW).status is Status.unsubscribed
    record_reason(engine, KEYS, token, "other", now=NOW)
    assert read_evidence(engine) == ["", "reason for leaving: too_many", "reason for leaving: other"]


@pytest.mark.parametrize("reason", ["", "because", "TOO_MANY", "x" * 9000])
def test_no_reason_is_needed_and_another_word_is_none(engine: Engine, reason: str) -> None:
    token = add_reader(engine, KEYS, "mei@example.org")
    unsubscribe_by_link(engine, KEYS, token, now=NOW)
    before = dump_tables(engine)
    record_reason(engine, KEYS, token, reason, now=NOW)
    assert dump_tables(engine) == before


def test_whoever_came_back_gives_no_reason(engine: Engine) -> None:
    token = add_reader(engine, KEYS, "mei@example.org")
    unsubscribe_by_link(engine, KEYS, token, now=NOW)
    resubscribe_by_link(engine, KEYS, token, wording="Undo", now=NOW)
    before = dump_tables(engine)
    record_reason(engine, KEYS, token, "other", now=NOW)
    assert dump_tables(engine) == before


def test_a_wrong_token_gives_none(engine: Engine) -> None:
    with pytest.raises(TokenError):
        record_reason(engine, KEYS, "wrong", "other", now=NOW)


def test_every_reason_has_its_words() -> None:
    assert list(REASON_LABELS) == list(UnsubscribeReason)
