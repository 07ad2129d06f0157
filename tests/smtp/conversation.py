"""Conversations of a connection with a server that does what a test says."""

from pathlib import Path
from typing import Final

from mailer.dispatch.sending_settings import make_smtp_options
from mailer.settings import SmtpSettings
from mailer.smtp.transport import SmtpTransport
from tests.servers.scripted_smtp import ScriptedServer
from tests.smtp.fake_source import FakeSource, run, run_connection

A, B, C = "a@example.org", "b@example.org", "c@example.org"
ENVELOPE: Final = "MAIL FROM:<news@example.org> SIZE=139"
"""How the messages of :func:`tests.smtp.fake_source.make_message` begin."""


def open_to(url: str, root: Path, **values: object) -> SmtpTransport:
    """A transport to ``url`` that waits for five seconds, unless ``values`` of ``[smtp]`` say otherwise."""
    settings = SmtpSettings.model_validate({"url": url, "timeout": 5, "final_timeout": 5, **values})
    return SmtpTransport(make_smtp_options(settings, root))


def converse(
    server: ScriptedServer, source: FakeSource, root: Path, loop: str = "asyncio", **values: object
) -> None:
    """Run one connection between ``server`` and ``source`` until it is closed."""

    async def work() -> None:
        async with server:
            await run_connection(server.client(root, **values), source)

    run(work(), loop)
