"""A typical sender: a pool of aiosmtplib connections, and an ``EmailMessage`` per reader.

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

from bench.worker_process import serve_job

_SENDER = "news@example.org"


@dataclass(frozen=True, kw_only=True)
class AiosmtplibJob:
    """Send this many messages over this many connections; ``headers``, ``text`` and ``html`` are one
    reader's."""

    port: int
    messages: int
    connections: int
    headers: Mapping[str, str]
    text: str
    html: str


def build(job: AiosmtplibJob, number: int) -> EmailMessage:
    name = f"Rina Okafor {number}"
    message = EmailMessage(policy=SMTP)
    message["From"] = f"UNESCO Beijing Office <{_SENDER}>"
    message["To"] = f"{name} <reader{number}@example.org>"
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(str(number), "example.org")
    for header, value in job.headers.items():
        message[header] = value
    message.set_content(job.text.replace("Rina Okafor 1", name))
    message.add_alternative(job.html.replace("Rina Okafor 1", name), subtype="html")
    return message


async def send_all(job: AiosmtplibJob) -> int:
    numbers = itertools.islice(itertools.count(1), job.messages)
    await asyncio.gather(*(_work(job, numbers) for _ in range(job.connections)))
    return job.messages


async def _work(job: AiosmtplibJob, numbers: Iterator[int]) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=job.port, start_tls=False) as client:
        for number in numbers:
            await client.send_message(build(job, number))


def prepare(job: AiosmtplibJob) -> Callable[[], int]:
    def work() -> int:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(send_all(job))

    return work


if __name__ == "__main__":
    serve_job(prepare)
