"""A courier that keeps what it is told, and ways to run a transport's lines in an event loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

import uvloop

from mailer.dispatch.deliveries.claims import Claim, ClaimedReader
from mailer.smtp.interfaces import Line, Parcel, Transport, make_wire_ready
from mailer.smtp.reply_classifier import Outcome, Verdict

MESSAGE: Final = (
    b"From: a@example.org\r\nTo: b@example.org\r\nSubject: dots\r\nMessage-ID: <c1.s1@example.org>\r\n\r\n"
    b".\r\n..\r\n.leading\r\nin. the. middle.\r\n\r\n.\r\nend\r\n"
)

LOOPS: Final[dict[str, Callable[[], asyncio.AbstractEventLoop]]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class Answer(StrEnum):
    """What the ledger says when it is asked whether a message may go."""

    yes = "yes"
    """At once."""

    late = "late"
    """Yes, a few turns of the loop later."""

    no = "no"
    """It may not."""

    never = "never"
    """Nothing, until :meth:`Courier.release`."""

    fails = "fails"
    """It raises RuntimeError."""


def make_claim(number: int, recipient: str) -> Claim:
    reader = ClaimedReader(number, recipient, recipient, "", None, None)
    return Claim(delivery_id=number, campaign_id=1, subscriber=reader)


def make_parcel(recipient: str = "b@example.org", message: bytes = MESSAGE, number: int = 1) -> Parcel:
    """``message``, ready for the wire, to ``recipient``."""
    return Parcel(
        claim=make_claim(number, recipient),
        sender="news@example.org",
        recipient=recipient,
        payload=make_wire_ready(message),
    )


def make_parcels(*recipients: str, message: bytes = MESSAGE) -> list[Parcel]:
    return [make_parcel(recipient, message, number) for number, recipient in enumerate(recipients, 1)]


class Courier:
    """Feeds one line after another with ``parcels``; closes a line when the last has ended.

    ``answer`` is what it says to a parcel that is about to begin. ``ahead`` is how many seconds later than it
    is a line is told it is. With ``stays`` an idle line is left open.
    """

    def __init__(
        self,
        parcels: Iterable[Parcel] = (),
        answer: Answer | Callable[[Parcel], Answer] = Answer.yes,
        *,
        stays: bool = False,
    ) -> None:
        self.parcels = deque(parcels)
        self.answer = answer
        self.stays = stays
        self.ahead = 0.0
        self.taken: list[Parcel] = []
        self.asked: list[Parcel] = []
        self.refused: list[Parcel] = []
        self.held: list[tuple[Parcel, Callable[[bool], None]]] = []
        self.settled: list[tuple[Parcel, Outcome]] = []
        self.endings: list[Outcome | None] = []
        self.line: Line | None = None

    @property
    def outcomes(self) -> list[Outcome]:
        """How the parcels ended, in the order in which they did."""
        return [outcome for _, outcome in self.settled]

    @property
    def verdicts(self) -> list[Verdict]:
        return [outcome.verdict for outcome in self.outcomes]

    @property
    def in_hand(self) -> int:
        """Parcels taken that have not ended."""
        return len(self.taken) - len(self.settled) - len(self.refused)

    def recipients(self, verdict: Verdict) -> list[str]:
        """Whose parcels ended with ``verdict``."""
        return [parcel.recipient for parcel, outcome in self.settled if outcome.verdict is verdict]

    def check(self) -> None:
        """Every parcel that was taken has ended exactly once, or was told that it may not begin."""
        ended = [parcel for parcel, _ in self.settled] + self.refused
        assert sorted(map(id, ended)) == sorted(map(id, self.taken))

    def release(self, may_send: bool = True) -> None:
        """Answer all that were held."""
        while self.held:
            self._tell(*self.held.pop(0), may_send)

    # --- the protocol

    def take(self) -> Parcel | None:
        if not self.parcels:
            self._close_when_done()
            return None
        parcel = self.parcels.popleft()
        self.taken.append(parcel)
        return parcel

    def begin(self, parcel: Parcel, go: Callable[[bool], None]) -> None:
        self.asked.append(parcel)
        loop = asyncio.get_running_loop()
        answer = self.answer if isinstance(self.answer, Answer) else self.answer(parcel)
        match answer:
            case Answer.yes | Answer.no:
                # As a ledger does: with the next commit.
                loop.call_soon(self._tell, parcel, go, answer is Answer.yes)
            case Answer.late:
                loop.call_later(0.002, self._tell, parcel, go, True)
            case Answer.never:
                self.held.append((parcel, go))
            case Answer.fails:
                raise RuntimeError("disk full")

    def settle(self, parcel: Parcel, outcome: Outcome) -> None:
        self.settled.append((parcel, outcome))
        self._close_when_done()

    def ended(self, outcome: Outcome | None) -> None:
        self.endings.append(outcome)

    def _tell(self, parcel: Parcel, go: Callable[[bool], None], may_send: bool) -> None:
        if not may_send:
            self.refused.append(parcel)
        go(may_send)

    def _close_when_done(self) -> None:
        if not self.stays and self.line is not None and not self.parcels and not self.in_hand:
            asyncio.get_running_loop().call_soon(self.line.close)


async def settle_down() -> None:
    """Let whatever is under way in this loop happen."""
    for _ in range(5):
        await asyncio.sleep(0)


async def attend(transport: Transport, courier: Courier, seconds: float = 20) -> None:
    """Open one line for ``courier`` and look after it until it has ended."""
    line = courier.line = await transport.connect(courier)
    line.wake()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        while not courier.endings:
            await asyncio.sleep(0.001)
            line.check(loop.time() + courier.ahead)
    courier.line = None


async def await_that(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Let the loop turn until ``condition`` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


def run(work: Coroutine[Any, Any, None], loop: str = "asyncio") -> None:
    """Run ``work`` in a new event loop of the kind ``loop``."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(work)


def send(transport: Transport, *couriers: Courier, loop: str = "asyncio") -> None:
    """Run one line for each of ``couriers``, all at once."""

    async def work() -> None:
        await asyncio.gather(*(attend(transport, courier) for courier in couriers))

    run(work(), loop)


def deliver(transport: Transport, parcels: Sequence[Parcel], *, loop: str = "asyncio") -> list[Outcome]:
    """Hand ``parcels`` over on one line; how they ended, in order; fewer if the line ended before."""
    courier = Courier(parcels)
    send(transport, courier, loop=loop)
    courier.check()
    return courier.outcomes
