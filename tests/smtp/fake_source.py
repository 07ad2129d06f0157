"""A courier that keeps what it is told, and ways to run a transport's lines in an event loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

import uvloop

from mailer.smtp.interfaces import Connection, OutgoingMessage, Transport, apply_dot_stuffing
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


def make_message(
    recipient: str = "b@example.org", message: bytes = MESSAGE, number: int = 1
) -> OutgoingMessage:
    """``message``, ready for the wire, to ``recipient``."""
    return OutgoingMessage(
        key=number,
        sender="news@example.org",
        recipient=recipient,
        payload=apply_dot_stuffing(message),
    )


def make_messages(*recipients: str, message: bytes = MESSAGE) -> list[OutgoingMessage]:
    return [make_message(recipient, message, number) for number, recipient in enumerate(recipients, 1)]


class FakeSource:
    """Feeds one line after another with ``parcels``; closes a line when the last has ended.

    ``answer`` is what it says to a parcel that is about to begin. ``ahead`` is how many seconds later than it
    is a line is told it is. With ``stays`` an idle line is left open.
    """

    def __init__(
        self,
        messages: Iterable[OutgoingMessage] = (),
        answer: Answer | Callable[[OutgoingMessage], Answer] = Answer.yes,
        *,
        stays: bool = False,
    ) -> None:
        self.messages = deque(messages)
        self.answer = answer
        self.stays = stays
        self.ahead = 0.0
        self.taken: list[OutgoingMessage] = []
        self.requested: list[OutgoingMessage] = []
        self.refused: list[OutgoingMessage] = []
        self.held: list[tuple[OutgoingMessage, Callable[[bool], None]]] = []
        self.reported: list[tuple[OutgoingMessage, Outcome]] = []
        self.closings: list[Outcome | None] = []
        self.connection: Connection | None = None

    @property
    def outcomes(self) -> list[Outcome]:
        """How the parcels ended, in the order in which they did."""
        return [outcome for _, outcome in self.reported]

    @property
    def verdicts(self) -> list[Verdict]:
        return [outcome.verdict for outcome in self.outcomes]

    @property
    def unfinished(self) -> int:
        """Parcels taken that have not ended."""
        return len(self.taken) - len(self.reported) - len(self.refused)

    def recipients(self, verdict: Verdict) -> list[str]:
        """Whose parcels ended with ``verdict``."""
        return [parcel.recipient for parcel, outcome in self.reported if outcome.verdict is verdict]

    def check(self) -> None:
        """Every parcel that was taken has ended exactly once, or was told that it may not begin."""
        ended = [parcel for parcel, _ in self.reported] + self.refused
        assert sorted(map(id, ended)) == sorted(map(id, self.taken))

    def release(self, may_send: bool = True) -> None:
        """Answer all that were held."""
        while self.held:
            self._tell(*self.held.pop(0), may_send)

    # --- the protocol

    def next_message(self) -> OutgoingMessage | None:
        if not self.messages:
            self._close_when_done()
            return None
        parcel = self.messages.popleft()
        self.taken.append(parcel)
        return parcel

    def request_send(self, message: OutgoingMessage, proceed: Callable[[bool], None]) -> None:
        self.requested.append(message)
        loop = asyncio.get_running_loop()
        answer = self.answer if isinstance(self.answer, Answer) else self.answer(message)
        match answer:
            case Answer.yes | Answer.no:
                # As a ledger does: with the next commit.
                loop.call_soon(self._tell, message, proceed, answer is Answer.yes)
            case Answer.late:
                loop.call_later(0.002, self._tell, message, proceed, True)
            case Answer.never:
                self.held.append((message, proceed))
            case Answer.fails:
                raise RuntimeError("disk full")

    def report(self, message: OutgoingMessage, outcome: Outcome) -> None:
        self.reported.append((message, outcome))
        self._close_when_done()

    def closed(self, outcome: Outcome | None) -> None:
        self.closings.append(outcome)

    def _tell(self, parcel: OutgoingMessage, go: Callable[[bool], None], may_send: bool) -> None:
        if not may_send:
            self.refused.append(parcel)
        go(may_send)

    def _close_when_done(self) -> None:
        if not self.stays and self.connection is not None and not self.messages and not self.unfinished:
            asyncio.get_running_loop().call_soon(self.connection.close)


async def settle_down() -> None:
    """Let whatever is under way in this loop happen."""
    for _ in range(5):
        await asyncio.sleep(0)


async def run_connection(transport: Transport, courier: FakeSource, seconds: float = 20) -> None:
    """Open one line for ``courier`` and look after it until it has ended."""
    line = courier.connection = await transport.connect(courier)
    line.wake()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        while not courier.closings:
            await asyncio.sleep(0.001)
            line.check_timeout(loop.time() + courier.ahead)
    courier.connection = None


async def await_that(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Let the loop turn until ``condition`` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


def run(work: Coroutine[Any, Any, None], loop: str = "asyncio") -> None:
    """Run ``work`` in a new event loop of the kind ``loop``."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(work)


def send(transport: Transport, *couriers: FakeSource, loop: str = "asyncio") -> None:
    """Run one line for each of ``couriers``, all at once."""

    async def work() -> None:
        await asyncio.gather(*(run_connection(transport, courier) for courier in couriers))

    run(work(), loop)


def deliver(
    transport: Transport, parcels: Sequence[OutgoingMessage], *, loop: str = "asyncio"
) -> list[Outcome]:
    """Hand ``parcels`` over on one line; how they ended, in order; fewer if the line ended before."""
    courier = FakeSource(parcels)
    send(transport, courier, loop=loop)
    courier.check()
    return courier.outcomes
