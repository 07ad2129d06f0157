"""Send a few messages over one connection and wait for their outcomes."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterable

from mailer.smtp.interfaces import ConnectionFailedError, OutgoingMessage, Transport
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict

_POLL_SECONDS = 1.0


def send_messages(transport: Transport, messages: Iterable[OutgoingMessage]) -> dict[Hashable, Outcome]:
    """Send ``messages`` over one connection; return how each ended, by its key, which must be unique.

    A message that was not sent because the connection failed or was used up has the outcome of the
    connection.
    """
    return asyncio.run(_send(transport, list(messages)))


async def _send(transport: Transport, messages: list[OutgoingMessage]) -> dict[Hashable, Outcome]:
    loop = asyncio.get_running_loop()
    source = ListSource(messages)
    try:
        connection = await transport.connect(source)
    except ConnectionFailedError as error:
        return {message.key: error.outcome for message in messages}
    connection.wake()
    for finished, then in ((source.finished, connection.close), (source.is_closed, None)):
        while not finished.is_set():
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await finished.wait()
            except TimeoutError:
                connection.check_timeout(loop.time())
        if then is not None:
            then()
    return {message.key: source.outcomes.get(message.key, source.closing) for message in messages}


class ListSource:
    """Feeds a connection from a list.

    ``finished`` is set when every message has an outcome or none can follow.
    """

    def __init__(self, messages: Iterable[OutgoingMessage]) -> None:
        self._waiting = deque(messages)
        self._unfinished = len(self._waiting)
        self.outcomes: dict[Hashable, Outcome] = {}
        self.closing = Outcome(Verdict.give_back, Stage.connect, text="the connection was closed")
        self.finished = asyncio.Event()
        self.is_closed = asyncio.Event()

    def next_message(self) -> OutgoingMessage | None:
        return self._waiting.popleft() if self._waiting else None

    def request_send(self, message: OutgoingMessage, proceed: Callable[[bool], None]) -> None:  # noqa: ARG002
        # The caller has decided to send; there is nothing to write down first.
        asyncio.get_running_loop().call_soon(proceed, True)

    def report(self, message: OutgoingMessage, outcome: Outcome) -> None:
        self.outcomes[message.key] = outcome
        self._unfinished -= 1
        if self._unfinished == 0:
            self.finished.set()

    def closed(self, outcome: Outcome | None) -> None:
        self.closing = outcome or self.closing
        self.finished.set()
        self.is_closed.set()
