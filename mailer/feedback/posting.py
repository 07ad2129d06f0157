"""Handing one letter to a relay, through the same transports as campaigns."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from mailer.dispatch.deliveries.claims import Claim, ClaimedReader
from mailer.dispatch.relays import lay_over, list_relays
from mailer.settings import Settings
from mailer.smtp.interfaces import (
    ConnectionFailedError,
    Parcel,
    Transport,
    make_transport,
    make_wire_ready,
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
    parcel = Parcel(
        claim=Claim(0, 0, ClaimedReader(0, recipient, recipient, "", None, None)),
        sender=settings.sender.bounces_to or settings.sender.address,
        recipient=recipient,
        payload=make_wire_ready(message),
    )
    outcome = Outcome(verdict=Verdict.give_back, stage=Stage.connect, words="there is no relay")
    for relay in sorted(list_relays(settings.smtp), key=lambda relay: relay.priority):
        transport = make_transport(lay_over(settings.smtp, relay), root)
        outcome = asyncio.run(_hand_over(transport, parcel))
        if outcome.verdict in _OVER:
            break
    return outcome


async def _hand_over(transport: Transport, parcel: Parcel) -> Outcome:
    loop = asyncio.get_running_loop()
    courier = _Courier(parcel, loop)
    try:
        line = await transport.connect(courier)
    except ConnectionFailedError as error:
        return error.outcome
    line.wake()
    while not courier.settled.done():
        await asyncio.wait([courier.settled], timeout=_LOOK_SECONDS)
        line.check(loop.time())
    line.close()
    while not courier.closed.done():
        await asyncio.wait([courier.closed], timeout=_LOOK_SECONDS)
        line.check(loop.time())
    return courier.settled.result()


class _Courier:
    """Feeds a line with one parcel."""

    def __init__(self, parcel: Parcel, loop: asyncio.AbstractEventLoop) -> None:
        self._waiting: Parcel | None = parcel
        self._loop = loop
        self.settled: asyncio.Future[Outcome] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()

    def take(self) -> Parcel | None:
        parcel, self._waiting = self._waiting, None
        return parcel

    def begin(self, parcel: Parcel, go: Callable[[bool], None]) -> None:  # noqa: ARG002 - there is one
        # Its row says that it is being tried; that was committed before there was a line.
        self._loop.call_soon(go, True)

    def settle(self, parcel: Parcel, outcome: Outcome) -> None:  # noqa: ARG002 - there is one
        if not self.settled.done():
            self.settled.set_result(outcome)

    def ended(self, outcome: Outcome | None) -> None:
        if not self.settled.done():
            lost = Outcome(verdict=Verdict.give_back, stage=Stage.connect, words="the connection was closed")
            self.settled.set_result(outcome or lost)
        if not self.closed.done():
            self.closed.set_result(None)
