"""Tickets: only ours, only for their purpose, only for their time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailer.team.sessions import TicketPurpose, TicketSigner
from subscribers.consent.suppression import SuppressionKey

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SIGNER = TicketSigner(SuppressionKey(b"k" * 32))
VALUES = st.dictionaries(st.sampled_from(["state", "next", "email"]), st.text(max_size=50))


@given(VALUES)
def test_what_was_put_in_is_read_until_its_time_is_over(values: dict[str, str]) -> None:
    text = SIGNER.make(TicketPurpose.asked, values, lifetime=timedelta(minutes=5), now=NOW)
    ticket = SIGNER.read(TicketPurpose.asked, text, now=NOW + timedelta(minutes=4, seconds=59))
    assert ticket is not None
    assert ticket.values == values
    assert SIGNER.read(TicketPurpose.asked, text, now=NOW + timedelta(minutes=5)) is None
    assert SIGNER.read(TicketPurpose.passkey, text, now=NOW) is None
    other = TicketSigner(SuppressionKey(b"o" * 32))
    assert other.read(TicketPurpose.asked, text, now=NOW) is None


@given(st.data())
def test_no_ticket_survives_a_change(data: st.DataObject) -> None:
    text = SIGNER.make(TicketPurpose.known, {"a": "b"}, lifetime=timedelta(days=1), now=NOW)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.text(max_size=3)) + text[place + 1 :]
    read = SIGNER.read(TicketPurpose.known, changed, now=NOW)
    # The last digit of base64 has bits that mean nothing.
    assert read is None or read == SIGNER.read(TicketPurpose.known, text, now=NOW)


@given(st.text(max_size=200))
def test_what_is_no_ticket_is_none(text: str) -> None:
    assert SIGNER.read(TicketPurpose.known, text, now=NOW) is None
