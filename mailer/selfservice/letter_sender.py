"""Sending one letter to a relay, through the same transports as campaigns."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from mailer.dispatch.deliveries.claims import Claim, ClaimedSubscriber
from mailer.dispatch.relays import list_relays, merge_relay_settings
from mailer.settings import Settings
from mailer.smtp.interfaces import (
    ConnectionFailedError,
    OutgoingMessage,
    Transport,
    apply_dot_stuffing,
    make_transport,
)
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict

_POLL_SECONDS = 1.0
_FINAL_VERDICTS = frozenset({Verdict.sent, Verdict.rejected, Verdict.in_doubt})
"""After these no other relay is tried: the relay accepted the letter, may have, or refused the address."""


def send_letter(settings: Settings, root: Path, *, recipient: str, message: bytes) -> Outcome:
    """Send ``message`` to the first relay that accepts it, by priority, and return the outcome.

    Raises:
        ConfigurationError: a relay's address or password cannot be used.
        BuildError: a line of the message does not end in CRLF.
    """
    parcel = OutgoingMessage(
        key=Claim(0, 0, ClaimedSubscriber(0, recipient, recipient, "", None, None)),
        sender=settings.sender.bounces_to or settings.sender.address,
        recipient=recipient,
        payload=apply_dot_stuffing(message),
    )
    outcome = Outcome(verdict=Verdict.give_back, stage=Stage.connect, text="no relay is configured")
    for relay in sorted(list_relays(settings.smtp), key=lambda relay: relay.priority):
        transport = make_transport(merge_relay_settings(settings.smtp, relay), root)
        outcome = asyncio.run(_deliver(transport, parcel))
        if outcome.verdict in _FINAL_VERDICTS:
            break
    return outcome


async def _deliver(transport: Transport, parcel: OutgoingMessage) -> Outcome:
    loop = asyncio.get_running_loop()
    courier = _OneMessageSource(parcel, loop)
    try:
        line = await transport.connect(courier)
    except ConnectionFailedError as error:
        return error.outcome
    line.wake()
    while not courier.outcome.done():
        await asyncio.wait([courier.outcome], timeout=_POLL_SECONDS)
        line.check_timeout(loop.time())
    line.close()
    while not courier.disconnected.done():
        await asyncio.wait([courier.disconnected], timeout=_POLL_SECONDS)
        line.check_timeout(loop.time())
    return courier.outcome.result()


class _OneMessageSource:
    """A message source with a single message."""

    def __init__(self, parcel: OutgoingMessage, loop: asyncio.AbstractEventLoop) -> None:
        self._unsent: OutgoingMessage | None = parcel
        self._loop = loop
        self.outcome: asyncio.Future[Outcome] = loop.create_future()
        self.disconnected: asyncio.Future[None] = loop.create_future()

    def next_message(self) -> OutgoingMessage | None:
        parcel, self._unsent = self._unsent, None
        return parcel

    def request_send(self, message: OutgoingMessage, proceed: Callable[[bool], None]) -> None:  # noqa: ARG002 - there is one
        # The claim on its row was committed before the connection was opened.
        self._loop.call_soon(proceed, True)

    def report(self, message: OutgoingMessage, outcome: Outcome) -> None:  # noqa: ARG002 - there is one
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def closed(self, outcome: Outcome | None) -> None:
        if not self.outcome.done():
            lost = Outcome(verdict=Verdict.give_back, stage=Stage.connect, text="the connection was closed")
            self.outcome.set_result(outcome or lost)
        if not self.disconnected.done():
            self.disconnected.set_result(None)
