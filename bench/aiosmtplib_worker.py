"""A sender as it is usually written: a pool of aiosmtplib connections, an ``EmailMessage`` for each reader.

It keeps no ledger. It runs on uvloop, as ours does.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

import aiosmtplib
import uvloop

from bench.worker_process import answer

_SENDER = "news@example.org"


@dataclass(frozen=True, kw_only=True)
class Errand:
    """Send so many messages over so many connections; ``headers``, ``text`` and ``html`` are one reader's."""

    port: int
    messages: int
    connections: int
    headers: Mapping[str, str]
    text: str
    html: str


def build(errand: Errand, number: int) -> EmailMessage:
    name = f"Rina Okafor {number}"
    message = EmailMessage(policy=SMTP)
    message["From"] = f"UNESCO Beijing Office <{_SENDER}>"
    message["To"] = f"{name} <reader{number}@example.org>"
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(str(number), "example.org")
    for header, value in errand.headers.items():
        message[header] = value
    message.set_content(errand.text.replace("Rina Okafor 1", name))
    message.add_alternative(errand.html.replace("Rina Okafor 1", name), subtype="html")
    return message


async def send_all(errand: Errand) -> int:
    numbers = itertools.islice(itertools.count(1), errand.messages)
    await asyncio.gather(*(_work(errand, numbers) for _ in range(errand.connections)))
    return errand.messages


async def _work(errand: Errand, numbers: Iterator[int]) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=errand.port, start_tls=False) as client:
        for number in numbers:
            await client.send_message(build(errand, number))


def prepare(errand: Errand) -> Callable[[], int]:
    def work() -> int:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(send_all(errand))

    return work


if __name__ == "__main__":
    answer(prepare)
