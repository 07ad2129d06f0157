"""Handing one letter to a relay, through the same transports as campaigns."""

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

_LOOK_SECONDS = 1.0
_OVER = frozenset({Verdict.sent, Verdict.rejected, Verdict.in_doubt})
"""After these no other relay is asked: it took it, it knows the address is dead, or it may have taken it."""


def post(settings: Settings, root: Path, *, recipient: str, message: bytes) -> Outcome:
    """Hand ``message`` to the first relay that takes it, by priority, and say how that ended.

    Raises:
        ConfigurationError: an address of a relay or its password cannot be used.
        BuildError: a line of the message does not end in CRLF.
    """
    parcel = OutgoingMessage(
        key=Claim(0, 0, ClaimedSubscriber(0, recipient, recipient, "", None, None)),
        sender=settings.sender.bounces_to or settings.sender.address,
        recipient=recipient,
        payload=apply_dot_stuffing(message),
    )
    outcome = Outcome(verdict=Verdict.give_back, stage=Stage.connect, text="there is no relay")
    for relay in sorted(list_relays(settings.smtp), key=lambda relay: relay.priority):
        transport = make_transport(merge_relay_settings(settings.smtp, relay), root)
        outcome = asyncio.run(_hand_over(transport, parcel))
        if outcome.verdict in _OVER:
            break
    return outcome


async def _hand_over(transport: Transport, parcel: OutgoingMessage) -> Outcome:
    loop = asyncio.get_running_loop()
    courier = _Courier(parcel, loop)
    try:
        line = await transport.connect(courier)
    except ConnectionFailedError as error:
        return error.outcome
    line.wake()
    while not courier.settled.done():
        await asyncio.wait([courier.settled], timeout=_LOOK_SECONDS)
        line.check_timeout(loop.time())
    line.close()
    while not courier.closed.done():
        await asyncio.wait([courier.closed], timeout=_LOOK_SECONDS)
        line.check_timeout(loop.time())
    return courier.settled.result()


class _Courier:
    """Feeds a line with one parcel."""

    def __init__(self, parcel: OutgoingMessage, loop: asyncio.AbstractEventLoop) -> None:
        self._waiting: OutgoingMessage | None = parcel
        self._loop = loop
        self.settled: asyncio.Future[Outcome] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()

    def take(self) -> OutgoingMessage | None:
        parcel, self._waiting = self._waiting, None
        return parcel

    def begin(self, message: OutgoingMessage, proceed: Callable[[bool], None]) -> None:  # noqa: ARG002 - there is one
        # Its row says that it is being tried; that was committed before there was a line.
        self._loop.call_soon(proceed, True)

    def settle(self, message: OutgoingMessage, outcome: Outcome) -> None:  # noqa: ARG002 - there is one
        if not self.settled.done():
            self.settled.set_result(outcome)

    def ended(self, outcome: Outcome | None) -> None:
        if not self.settled.done():
            lost = Outcome(verdict=Verdict.give_back, stage=Stage.connect, text="the connection was closed")
            self.settled.set_result(outcome or lost)
        if not self.closed.done():
            self.closed.set_result(None)
