"""A crowd that leaves in one moment, beside somebody who has the database."""

import threading

from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.selfservice.unsubscribe import UnsubscribeBatcher
from mailer.workspace import Keys
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import TokenError
from subscribers.models import ConsentRecord, Status, Subscriber
from subscribers.tokens import LinkPurpose, TokenSigner
from tests.web.site import NOW, add_reader

KEYS = Keys(suppression=SuppressionKey(b"s" * 32), tokens=TokenSigner(keys={1: b"t" * 32}, current=1))
NUMBER = 30


def test_everybody_of_a_crowd_leaves_and_a_stranger_among_them_spoils_nothing(engine: Engine) -> None:
    desk = UnsubscribeBatcher(engine, KEYS)
    tokens = [add_reader(engine, KEYS, f"reader{n}@example.org") for n in range(NUMBER)]
    unknown = KEYS.tokens.sign(LinkPurpose.subscription, subscriber_id=9999, campaign_id=1)
    beyond = KEYS.tokens.sign(LinkPurpose.subscription, subscriber_id=2**40, campaign_id=1)
    refused: list[str] = []

    def press(token: str) -> None:
        try:
            desk.unsubscribe(token, now=NOW)
        except TokenError:
            refused.append(token)

    crowd = [*tokens[:15], unknown, beyond, *tokens[15:], tokens[0]]
    threads = [threading.Thread(target=press, args=(token,)) for token in crowd]
    # They gather while this has the database, which on SQLite keeps all of them waiting.
    with Session(engine) as holding:
        holding.connection()
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert sorted(refused) == sorted([unknown, beyond])
    with Session(engine) as session:
        assert set(session.exec(select(Subscriber.status))) == {Status.unsubscribed}
        assert len(session.exec(select(ConsentRecord)).all()) == NUMBER
