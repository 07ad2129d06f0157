"""A message source that keeps what is reported to it, and ways to run connections in an event loop."""

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
    """How the ledger answers a request to send a message."""

    yes = "yes"
    """At once."""

    late = "late"
    """Yes, a few turns of the loop later."""

    no = "no"
    """It may not."""

    never = "never"
    """Nothing, until :meth:`FakeSource.release`."""

    fails = "fails"
    """It raises RuntimeError."""


def make_message(
    recipient: str = "b@example.org", message: bytes = MESSAGE, number: int = 1
) -> OutgoingMessage:
    """``message`` to ``recipient``, ready to be sent."""
    return OutgoingMessage(
        key=number,
        sender="news@example.org",
        recipient=recipient,
        payload=apply_dot_stuffing(message),
    )


def make_messages(*recipients: str, message: bytes = MESSAGE) -> list[OutgoingMessage]:
    return [make_message(recipient, message, number) for number, recipient in enumerate(recipients, 1)]


class FakeSource:
    """Supplies one connection after another with ``messages``; closes it when the last has been reported.

    ``answer`` is how it answers a request to send. ``clock_offset`` is how many seconds fast the connection's
    clock is. With ``stays_open`` it leaves an idle connection open.
    """

    def __init__(
        self,
        messages: Iterable[OutgoingMessage] = (),
        answer: Answer | Callable[[OutgoingMessage], Answer] = Answer.yes,
        *,
        stays_open: bool = False,
    ) -> None:
        self.messages = deque(messages)
        self.answer = answer
        self.stays_open = stays_open
        self.clock_offset = 0.0
        self.taken: list[OutgoingMessage] = []
        self.requested: list[OutgoingMessage] = []
        self.refused: list[OutgoingMessage] = []
        self.held: list[tuple[OutgoingMessage, Callable[[bool], None]]] = []
        self.reported: list[tuple[OutgoingMessage, Outcome]] = []
        self.closings: list[Outcome | None] = []
        self.connection: Connection | None = None

    @property
    def outcomes(self) -> list[Outcome]:
        """How the messages ended, in that order."""
        return [outcome for _, outcome in self.reported]

    @property
    def verdicts(self) -> list[Verdict]:
        return [outcome.verdict for outcome in self.outcomes]

    @property
    def unfinished(self) -> int:
        """How many messages have been taken and have not ended."""
        return len(self.taken) - len(self.reported) - len(self.refused)

    def recipients(self, verdict: Verdict) -> list[str]:
        """The recipients of the messages that ended with ``verdict``."""
        return [message.recipient for message, outcome in self.reported if outcome.verdict is verdict]

    def check(self) -> None:
        """Check that every message taken was either reported exactly once or refused permission."""
        ended = [message for message, _ in self.reported] + self.refused
        assert sorted(map(id, ended)) == sorted(map(id, self.taken))

    def release(self, may_send: bool = True) -> None:
        """Answer all requests that were held."""
        while self.held:
            self._answer_request(*self.held.pop(0), may_send)

    # --- the protocol

    def next_message(self) -> OutgoingMessage | None:
        if not self.messages:
            self._close_when_done()
            return None
        message = self.messages.popleft()
        self.taken.append(message)
        return message

    def write_ahead(self, message: OutgoingMessage, send_message: Callable[[bool], None]) -> None:
        self.requested.append(message)
        loop = asyncio.get_running_loop()
        answer = self.answer if isinstance(self.answer, Answer) else self.answer(message)
        match answer:
            case Answer.yes | Answer.no:
                # As a ledger does: with the next commit.
                loop.call_soon(self._answer_request, message, send_message, answer is Answer.yes)
            case Answer.late:
                loop.call_later(0.002, self._answer_request, message, send_message, True)
            case Answer.never:
                self.held.append((message, send_message))
            case Answer.fails:
                raise RuntimeError("disk full")

    def report(self, message: OutgoingMessage, outcome: Outcome) -> None:
        self.reported.append((message, outcome))
        self._close_when_done()

    def closed(self, outcome: Outcome | None) -> None:
        self.closings.append(outcome)

    def _answer_request(
        self, message: OutgoingMessage, send_message: Callable[[bool], None], may_send: bool
    ) -> None:
        if not may_send:
            self.refused.append(message)
        send_message(may_send)

    def _close_when_done(self) -> None:
        if not self.stays_open and self.connection is not None and not self.messages and not self.unfinished:
            asyncio.get_running_loop().call_soon(self.connection.close)


async def run_pending() -> None:
    """Run the event loop until nothing is pending."""
    for _ in range(5):
        await asyncio.sleep(0)


async def run_connection(transport: Transport, source: FakeSource, seconds: float = 20) -> None:
    """Open one connection for ``source`` and check its timeouts until it is closed."""
    connection = source.connection = await transport.connect(source)
    connection.wake()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        while not source.closings:
            await asyncio.sleep(0.001)
            connection.check_timeout(loop.time() + source.clock_offset)
    source.connection = None


async def await_condition(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Run the event loop until ``condition`` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


def run(work: Coroutine[Any, Any, None], loop: str = "asyncio") -> None:
    """Run ``work`` in a new event loop of the kind ``loop``."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(work)


def send(transport: Transport, *sources: FakeSource, loop: str = "asyncio") -> None:
    """Run one connection for each of ``sources``, all at once."""

    async def work() -> None:
        await asyncio.gather(*(run_connection(transport, source) for source in sources))

    run(work(), loop)


def deliver(
    transport: Transport, messages: Sequence[OutgoingMessage], *, loop: str = "asyncio"
) -> list[Outcome]:
    """Send ``messages`` on one connection; return their outcomes in order, fewer if it closed early."""
    source = FakeSource(messages)
    send(transport, source, loop=loop)
    source.check()
    return source.outcomes
