"""What would go wrong with a workspace, found before it does. Nothing here sends or changes anything."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from mailer.database.clock import read_clock
from mailer.database.durability import measure_commit
from mailer.database.migrating import ensure_current
from mailer.dispatch.dkim import open_signer
from mailer.dispatch.looking import RelayUnfitError, RelayView, look_at_relay
from mailer.dispatch.relays import lay_over, list_relays
from mailer.errors import ConfigurationError
from mailer.rendering.message import names_survive_folding
from mailer.settings import SmtpSettings
from mailer.workspace import KEYS_FILE, Workspace

_SLOW_COMMIT_SECONDS = 0.02
_CLOCK_SLACK = timedelta(seconds=2)
_CERTIFICATE_SLACK = timedelta(days=14)


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
            _look_at_relays,
            _look_at_signatures,
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
    engine = workspace.open_database(durable=True)
    try:
        ensure_current(engine)
        yield Finding(
            subject="database", verdict=Verdict.good, message=f"{engine.dialect.name}, schema up to date"
        )
        yield _look_at_disk(engine)
        yield _look_at_clock(engine)
    except ConfigurationError as error:
        yield Finding(subject="database", verdict=Verdict.bad, message=str(error))
    except SQLAlchemyError as error:
        words = str(getattr(error, "orig", None) or error).strip()
        yield Finding(subject="database", verdict=Verdict.bad, message=f"cannot be read: {words}")
    finally:
        engine.dispose()


def _look_at_disk(engine: Engine) -> Finding:
    try:
        seconds = measure_commit(engine)
    except (OSError, sqlite3.Error) as error:
        return Finding(
            subject="disk", verdict=Verdict.bad, message=f"the database cannot be written: {error}"
        )
    message = f"a durable commit takes {seconds * 1000:.1f} ms here"
    if seconds < _SLOW_COMMIT_SECONDS:
        return Finding(subject="disk", verdict=Verdict.good, message=message)
    advice = "every group of messages waits for one. A local disk, or more [smtp] connections, helps."
    return Finding(subject="disk", verdict=Verdict.doubtful, message=f"{message}: slow, and {advice}")


def _look_at_clock(engine: Engine) -> Finding:
    """Schedules and rates go by the database's clock."""
    with engine.connect() as connection:
        difference = read_clock(connection) - datetime.now(UTC)
    if abs(difference) < _CLOCK_SLACK:
        return Finding(
            subject="clock", verdict=Verdict.good, message="the database's agrees with this machine's"
        )
    seconds = difference.total_seconds()
    message = (
        f"the database's is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine's, "
        "and the database's decides. Set both by NTP."
    )
    return Finding(subject="clock", verdict=Verdict.doubtful, message=message)


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


def _look_at_relays(workspace: Workspace) -> Iterator[Finding]:
    smtp = workspace.settings.smtp
    try:
        relays = list_relays(smtp)
    except ConfigurationError as error:
        yield Finding(subject="relay", verdict=Verdict.bad, message=str(error))
        return
    for relay in relays:
        subject = f"relay {relay.name}" if smtp.relays else "relay"
        yield _look_at_relay(subject, lay_over(smtp, relay), workspace.root)


def _look_at_relay(subject: str, settings: SmtpSettings, root: Path) -> Finding:
    url = urlsplit(settings.url)
    # The address may hold a password, so it is not shown as it is.
    place = url.netloc.rpartition("@")[2]
    if url.scheme == "maildir":
        return _look_at_folder(subject, root / url.path)
    if url.scheme not in {"smtp", "smtps"} or not url.hostname:
        message = (
            "[smtp] url is not a relay address. Use smtp://host:587, smtps://host:465 or maildir:PATH."
        )
        return Finding(subject=subject, verdict=Verdict.bad, message=message)
    try:
        view = look_at_relay(settings, root)
    except (RelayUnfitError, ConfigurationError, ValueError) as error:  # ValueError: the port is no number
        words = str(error).rstrip(".")
        message = f"{place} does not take mail now: {words}. Mend it, or set [smtp] url to your relay."
        return Finding(subject=subject, verdict=Verdict.bad, message=message)
    doubt = _doubt_relay(view)
    verdict = Verdict.doubtful if doubt else Verdict.good
    return Finding(
        subject=subject, verdict=verdict, message="; ".join(filter(None, (_describe(view), doubt)))
    )


def _look_at_folder(subject: str, folder: Path) -> Finding:
    """A folder is made when the first message comes, so its nearest parent must let us."""
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    if parent.is_dir() and os.access(parent, os.W_OK):
        message = f"{folder}: messages are kept there and reach nobody"
        return Finding(subject=subject, verdict=Verdict.good, message=message)
    message = f"{folder} cannot be written. Make it, or set [smtp] url to another."
    return Finding(subject=subject, verdict=Verdict.bad, message=message)


def _describe(view: RelayView) -> str:
    """What a relay offers, and what it does not, in a line."""
    offers = view.capabilities
    has = [name for name in ("PIPELINING", "8BITMIME", "SMTPUTF8") if name in offers]
    lacks = [name for name in ("PIPELINING", "8BITMIME", "SMTPUTF8") if name not in offers]
    if size := next((int(word) for word in offers.offers.get("SIZE", ()) if word.isdecimal()), 0):
        has.append(f"SIZE {size:,}")
    until = f", certificate until {view.certificate_until:%Y-%m-%d}" if view.certificate_until else ""
    return "; ".join(
        [
            f"{view.place} answers",
            f"{view.tls}{until}" if view.tls else "clear text",
            f"lets us in with {view.mechanism}" if view.mechanism else "no login",
            f"offers {', '.join(has) or 'nothing more'}",
            *([f"not {', '.join(lacks)}"] if lacks else []),
        ]
    )


def _doubt_relay(view: RelayView) -> str:
    """What may not do for real readers, "" if nothing."""
    if view.certificate_fault:
        return f"nobody vouches for its certificate ({view.certificate_fault})"
    if view.certificate_until and view.certificate_until - datetime.now(UTC) < _CERTIFICATE_SLACK:
        return "its certificate ends soon"
    if not view.tls and not view.is_local:
        return "everybody on the way can read the mail"
    return ""


def _look_at_signatures(workspace: Workspace) -> Iterator[Finding]:
    """DKIM's keys, and what DNS must say for them."""
    dkim = workspace.settings.dkim
    try:
        signer = open_signer(workspace.settings, workspace.root)
    except ConfigurationError as error:
        yield Finding(subject="dkim", verdict=Verdict.bad, message=str(error))
        return
    if signer is None:
        message = "no key, so messages are signed by the relay or not at all"
        yield Finding(subject="dkim", verdict=Verdict.good, message=message)
        return
    for name in (dkim.key_file, dkim.ed25519_key_file):
        if name and stat.S_IMODE((workspace.root / name).stat().st_mode) & 0o077:
            message = f"{name} can be read by others: chmod 600 {name}."
            yield Finding(subject="dkim", verdict=Verdict.bad, message=message)
    for record in signer.records:
        message = f"the key is good; DNS must say: {record.zone_line}"
        yield Finding(subject="dkim", verdict=Verdict.good, message=message)


def _look_at_python(_: Workspace) -> Iterator[Finding]:
    if names_survive_folding():
        yield Finding(
            subject="python", verdict=Verdict.good, message="long names keep their one address in headers"
        )
    else:
        message = "this Python lets a long name add an address to a header: use a newer release."
        yield Finding(subject="python", verdict=Verdict.bad, message=message)
