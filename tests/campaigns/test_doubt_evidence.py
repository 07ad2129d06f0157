"""How a doubt came to be and what has settled it, by the words in which the ledger keeps both."""

import pytest

from mailer.campaigns.report.doubts import (
    DoubtCause,
    DoubtSettlement,
    find_doubt_cause,
    find_doubt_settlement,
)
from mailer.database.models import DeliveryState

S = DeliveryState


@pytest.mark.parametrize(
    ("code", "reason", "cause"),
    [
        (None, "connection lost at dot: timed out", DoubtCause.silence),
        (None, "connection lost at dot: closed by the server", DoubtCause.lost),
        (None, "connection lost at dot: [Errno 104] Connection reset by peer", DoubtCause.lost),
        (None, "The dispatcher stopped before the server's reply was recorded.", DoubtCause.interrupted),
        (None, "", DoubtCause.interrupted),
        (354, "go on", DoubtCause.unclear),
        (None, "something else: timed out", DoubtCause.unknown),
    ],
)
def test_how_a_doubt_came_to_be_is_told_by_its_reason(
    code: int | None, reason: str, cause: DoubtCause
) -> None:
    assert find_doubt_cause(code, reason) is cause


@pytest.mark.parametrize(
    ("state", "code", "reason", "settled_by"),
    [
        (S.sent, None, "a person decided: it arrived", DoubtSettlement.person),
        (S.queued, None, "a person decided: send it again", DoubtSettlement.person),
        (S.sent, None, "in the relay's log: queue id 4XyZ", DoubtSettlement.log),
        (S.queued, None, "not in the relay's log, which covers the whole time", DoubtSettlement.log),
        (S.sent, None, "proved by a click, 2026-03-01 09:00 UTC", DoubtSettlement.proof),
        (S.queued, None, "connection lost at dot: timed out", DoubtSettlement.rule),
        (S.sent, 250, "2.0.0 Ok: queued as 4XyZ", DoubtSettlement.reply),
        (S.suppressed, None, "unsubscribed", DoubtSettlement.other),
    ],
)
def test_what_settled_a_doubt_is_told_by_its_reason(
    state: DeliveryState, code: int | None, reason: str, settled_by: DoubtSettlement
) -> None:
    assert find_doubt_settlement(state, code, reason) is settled_by
