"""The senders we compare with: Postfix's ``smtp-source``, written in C, and a typical aiosmtplib program."""

import email
import email.policy
import os
import shutil
import subprocess
import time
from email.message import EmailMessage
from pathlib import Path

from bench.aiosmtplib_worker import AiosmtplibJob
from bench.prepared_campaigns import PreparedCampaign
from bench.relays import NoRelayError
from bench.runs import Run
from bench.worker_process import FailedRunError, run_worker

_SENDER, _READER = "news@example.org", "reader@example.org"
# The headers smtp-source adds to the requested length: From, To, Date, Message-Id.
_HEADERS = 133


def find_smtp_source() -> str:
    """Return the path of smtp-source.

    Raises:
        NoRelayError: it is not installed.
    """
    found = shutil.which("smtp-source") or "/usr/sbin/smtp-source"
    if not Path(found).exists():
        raise NoRelayError("smtp-source is not installed (package postfix)")
    return found


def run_smtp_source(port: int, *, messages: int, length: int, connections: int) -> Run:
    """Send with smtp-source, which keeps its sessions open (``-d``); its whole process is measured.

    Raises:
        FailedRunError: it failed.
    """
    command = [
        find_smtp_source(),
        "-d",
        "-s",
        str(connections),
        "-l",
        str(length - _HEADERS),
        "-m",
        str(messages),
    ]
    began = time.monotonic()
    process = subprocess.Popen([*command, "-f", _SENDER, "-t", _READER, f"127.0.0.1:{port}"])
    _, status, usage = os.wait4(process.pid, 0)
    ended = time.monotonic()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise FailedRunError(f"smtp-source ended with {process.returncode}")
    return Run(messages=messages, began=began, ended=ended, cpu=usage.ru_utime + usage.ru_stime)


def run_aiosmtplib(port: int, campaign: PreparedCampaign, *, messages: int, connections: int) -> Run:
    """Send the same text with aiosmtplib and an ``EmailMessage`` per reader, without a ledger."""
    message = email.message_from_bytes(next(campaign.messages()), policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text
    assert html
    job = AiosmtplibJob(
        port=port,
        messages=messages,
        connections=connections,
        headers={name: message[name] for name in ("Subject", "List-Unsubscribe", "List-Unsubscribe-Post")},
        text=text.get_content(),
        html=html.get_content(),
    )
    return run_worker("bench.aiosmtplib_worker", job)
