"""What would go wrong with a workspace, found before it does. Nothing here sends or changes anything."""

import smtplib
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from mailer.database.migrating import ensure_current
from mailer.dispatch.transport import open_transport
from mailer.errors import ConfigurationError, MailerError
from mailer.rendering.message import names_survive_folding
from mailer.workspace import KEYS_FILE, Workspace


class Verdict(StrEnum):
    """How a finding weighs."""

    good = "good"
    """As it should be."""

    doubtful = "doubtful"
    """Works here, and will not do for real readers."""

    bad = "bad"
    """Must be mended before anything is sent."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at, and what was seen."""

    subject: str
    verdict: Verdict
    message: str

    def as_dict(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


def examine_workspace(workspace: Workspace) -> tuple[Finding, ...]:
    """Look at everything a campaign relies on; always all of it, whatever was found."""
    return tuple(
        finding
        for look in (
            _look_at_keys,
            _look_at_database,
            _look_at_web,
            _look_at_sender,
            _look_at_relay,
            _look_at_python,
        )
        for finding in look(workspace)
    )


def _look_at_keys(workspace: Workspace) -> Iterator[Finding]:
    mode = stat.S_IMODE((workspace.root / KEYS_FILE).stat().st_mode)
    if mode & 0o077:
        yield Finding(
            subject="keys",
            verdict=Verdict.bad,
            message=f"{KEYS_FILE} can be read by others: chmod 600 {KEYS_FILE}.",
        )
    else:
        yield Finding(subject="keys", verdict=Verdict.good, message="readable by their owner alone")


def _look_at_database(workspace: Workspace) -> Iterator[Finding]:
    engine = workspace.open_database()
    try:
        ensure_current(engine)
    except ConfigurationError as error:
        yield Finding(subject="database", verdict=Verdict.bad, message=str(error))
    else:
        yield Finding(
            subject="database", verdict=Verdict.good, message=f"{engine.dialect.name}, schema up to date"
        )
    finally:
        engine.dispose()


def _look_at_web(workspace: Workspace) -> Iterator[Finding]:
    web = workspace.settings.web
    if not web.is_public_safe:
        verdict, message = Verdict.bad, "one-click unsubscribe needs https (RFC 8058): set [web] base_url."
    elif web.base_url.startswith("http://"):
        verdict, message = (
            Verdict.doubtful,
            "reaches this machine only: set [web] base_url before real readers get mail.",
        )
    else:
        verdict, message = Verdict.good, "https, as one-click unsubscribe needs"
    yield Finding(subject="web", verdict=verdict, message=f"{web.base_url}: {message}")


def _look_at_sender(workspace: Workspace) -> Iterator[Finding]:
    address = workspace.settings.sender.address
    domain = workspace.settings.sender.domain
    if domain == "example.org" or domain.endswith((".example.org", ".example.com", ".example", ".invalid")):
        message = f"{address} is an example: set [sender] address to one of yours."
        yield Finding(subject="sender", verdict=Verdict.doubtful, message=message)
    else:
        yield Finding(subject="sender", verdict=Verdict.good, message=address)


def _look_at_relay(workspace: Workspace) -> Iterator[Finding]:
    url = workspace.settings.smtp.url
    try:
        open_transport(workspace.settings, workspace.root).connect().close()
    except (OSError, smtplib.SMTPException, MailerError, ConfigurationError) as error:
        message = f"{url} does not take mail now: {error}. Set [smtp] url to your relay."
        yield Finding(subject="relay", verdict=Verdict.bad, message=message)
    else:
        yield Finding(subject="relay", verdict=Verdict.good, message=f"{url} answers")


def _look_at_python(_: Workspace) -> Iterator[Finding]:
    if names_survive_folding():
        yield Finding(
            subject="python", verdict=Verdict.good, message="long names keep their one address in headers"
        )
    else:
        message = "this Python lets a long name add an address to a header: use a newer release."
        yield Finding(subject="python", verdict=Verdict.bad, message=message)
