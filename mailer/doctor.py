"""Find problems with a workspace before they matter (``mailer doctor``). Nothing is sent or changed."""

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
from mailer.database.commit_latency import measure_commit
from mailer.database.schema import ensure_current
from mailer.dispatch.relays import list_relays, merge_relay_settings
from mailer.errors import ConfigurationError
from mailer.rendering.message import names_survive_folding
from mailer.settings import SmtpSettings
from mailer.smtp.dkim import load_signer
from mailer.smtp.probe import ProbeError, ProbeResult, probe_relay
from mailer.workspace import KEYS_FILE, Workspace

_SLOW_COMMIT_SECONDS = 0.02
_CLOCK_SLACK = timedelta(seconds=2)
_CERTIFICATE_SLACK = timedelta(days=14)


class Verdict(StrEnum):
    """How serious a finding is."""

    good = "good"
    """No problem."""

    doubtful = "doubtful"
    """Works for testing, but not for mail to real readers."""

    bad = "bad"
    """Must be fixed before anything is sent."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check."""

    subject: str
    verdict: Verdict
    message: str

    def as_dict(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


def examine_workspace(workspace: Workspace) -> tuple[Finding, ...]:
    """Check everything a campaign relies on. All checks always run, whatever the earlier ones found."""
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
            message=f"other users can read {KEYS_FILE}. Run: chmod 600 {KEYS_FILE}",
        )
    else:
        yield Finding(subject="keys", verdict=Verdict.good, message="only you can read the keys")


def _look_at_database(workspace: Workspace) -> Iterator[Finding]:
    engine = workspace.open_database(durable=True)
    try:
        ensure_current(engine)
        yield Finding(
            subject="database", verdict=Verdict.good, message=f"{engine.dialect.name}, tables up to date"
        )
        yield _look_at_disk(engine)
        yield _look_at_clock(engine)
    except ConfigurationError as error:
        yield Finding(subject="database", verdict=Verdict.bad, message=str(error))
    except SQLAlchemyError as error:
        words = str(getattr(error, "orig", None) or error).strip()
        yield Finding(subject="database", verdict=Verdict.bad, message=f"cannot read the database: {words}")
    finally:
        engine.dispose()


def _look_at_disk(engine: Engine) -> Finding:
    try:
        seconds = measure_commit(engine)
    except (OSError, sqlite3.Error) as error:
        return Finding(subject="disk", verdict=Verdict.bad, message=f"cannot write to the database: {error}")
    message = f"saving a change safely to disk takes {seconds * 1000:.1f} ms"
    if seconds < _SLOW_COMMIT_SECONDS:
        return Finding(subject="disk", verdict=Verdict.good, message=message)
    advice = (
        "That is slow, and every group of messages waits for it. Use a local disk, or more [smtp] "
        "connections."
    )
    return Finding(subject="disk", verdict=Verdict.doubtful, message=f"{message}. {advice}")


def _look_at_clock(engine: Engine) -> Finding:
    """Compare the database's clock, which schedules and rates follow, with this machine's."""
    with engine.connect() as connection:
        difference = read_clock(connection) - datetime.now(UTC)
    if abs(difference) < _CLOCK_SLACK:
        return Finding(
            subject="clock", verdict=Verdict.good, message="the database's clock agrees with this machine's"
        )
    seconds = difference.total_seconds()
    message = (
        f"the database's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this "
        "machine's. Schedules follow the database's clock. Set both clocks by NTP."
    )
    return Finding(subject="clock", verdict=Verdict.doubtful, message=message)


def _look_at_web(workspace: Workspace) -> Iterator[Finding]:
    web = workspace.settings.web
    if not web.is_public_safe:
        verdict, message = (
            Verdict.bad,
            "one-click unsubscribe requires https (RFC 8058). Set [web] base_url to an https address.",
        )
    elif web.base_url.startswith("http://"):
        verdict, message = (
            Verdict.doubtful,
            "only this machine can open this address. Set [web] base_url before you send to real readers.",
        )
    else:
        verdict, message = Verdict.good, "https, as one-click unsubscribe requires"
    yield Finding(subject="web", verdict=verdict, message=f"{web.base_url}: {message}")


def _look_at_sender(workspace: Workspace) -> Iterator[Finding]:
    address = workspace.settings.sender.address
    domain = workspace.settings.sender.domain
    if domain == "example.org" or domain.endswith((".example.org", ".example.com", ".example", ".invalid")):
        message = f"{address} is only an example. Set [sender] address to your own address."
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
        yield _look_at_relay(subject, merge_relay_settings(smtp, relay), workspace.root)


def _look_at_relay(subject: str, settings: SmtpSettings, root: Path) -> Finding:
    url = urlsplit(settings.url)
    # The address may contain a password, so only its host is shown.
    place = url.netloc.rpartition("@")[2]
    if url.scheme == "maildir":
        return _look_at_folder(subject, root / url.path)
    if url.scheme not in {"smtp", "smtps"} or not url.hostname:
        message = "[smtp] url is not a relay address. Use smtp://host:587, smtps://host:465 or maildir:PATH."
        return Finding(subject=subject, verdict=Verdict.bad, message=message)
    try:
        view = probe_relay(settings, root)
    except (ProbeError, ConfigurationError, ValueError) as error:  # ValueError: the port is no number
        words = str(error).rstrip(".")
        message = f"{place} does not accept mail: {words}. Fix the relay, or set [smtp] url to another one."
        return Finding(subject=subject, verdict=Verdict.bad, message=message)
    doubt = _doubt_relay(view)
    verdict = Verdict.doubtful if doubt else Verdict.good
    return Finding(
        subject=subject, verdict=verdict, message="; ".join(filter(None, (_describe(view), doubt)))
    )


def _look_at_folder(subject: str, folder: Path) -> Finding:
    """Check that the folder can be written. It is created for the first message, so its nearest parent
    counts.
    """
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    if parent.is_dir() and os.access(parent, os.W_OK):
        message = f"messages are only stored in {folder}; they are not sent to readers"
        return Finding(subject=subject, verdict=Verdict.good, message=message)
    message = f"cannot write to {folder}. Create the folder, or set [smtp] url to another one."
    return Finding(subject=subject, verdict=Verdict.bad, message=message)


def _describe(view: ProbeResult) -> str:
    """Describe a relay in one line: encryption, login, and the SMTP extensions."""
    offers = view.capabilities
    has = [name for name in ("PIPELINING", "8BITMIME", "SMTPUTF8") if name in offers]
    lacks = [name for name in ("PIPELINING", "8BITMIME", "SMTPUTF8") if name not in offers]
    if size := next((int(word) for word in offers.keywords.get("SIZE", ()) if word.isdecimal()), 0):
        has.append(f"SIZE {size:,}")
    until = (
        f", certificate valid until {view.certificate_expires_at:%Y-%m-%d}"
        if view.certificate_expires_at
        else ""
    )
    extensions = f"supports {', '.join(has) or 'no SMTP extensions'}"
    return "; ".join(
        [
            f"{view.address} answers",
            f"encrypted ({view.tls}){until}" if view.tls else "not encrypted",
            f"logged in with {view.mechanism}" if view.mechanism else "no login",
            f"{extensions}; does not support {', '.join(lacks)} (optional)" if lacks else extensions,
        ]
    )


def _doubt_relay(view: ProbeResult) -> str:
    """What makes the relay unsuitable for real readers; empty if nothing does."""
    if view.certificate_error:
        return f"its certificate cannot be trusted ({view.certificate_error})"
    if view.certificate_expires_at and view.certificate_expires_at - datetime.now(UTC) < _CERTIFICATE_SLACK:
        return "its certificate expires soon"
    if not view.tls and not view.is_loopback:
        return "anyone on the network path can read the mail"
    return ""


def _look_at_signatures(workspace: Workspace) -> Iterator[Finding]:
    """Check the DKIM keys, and show the DNS records they need."""
    dkim = workspace.settings.dkim
    try:
        signer = load_signer(workspace.settings, workspace.root)
    except ConfigurationError as error:
        yield Finding(subject="dkim", verdict=Verdict.bad, message=str(error))
        return
    if signer is None:
        message = "no DKIM key is set, so the relay signs messages or nothing does"
        yield Finding(subject="dkim", verdict=Verdict.good, message=message)
        return
    for name in (dkim.key_file, dkim.ed25519_key_file):
        if name and stat.S_IMODE((workspace.root / name).stat().st_mode) & 0o077:
            message = f"other users can read {name}. Run: chmod 600 {name}"
            yield Finding(subject="dkim", verdict=Verdict.bad, message=message)
    for record in signer.records:
        message = f"the key works. DNS must have this record: {record.zone_line}"
        yield Finding(subject="dkim", verdict=Verdict.good, message=message)


def _look_at_python(_: Workspace) -> Iterator[Finding]:
    if names_survive_folding():
        yield Finding(
            subject="python",
            verdict=Verdict.good,
            message="this Python writes long names in headers correctly",
        )
    else:
        message = (
            "this Python has a bug: a long name in a header can add a second address. Use a newer Python "
            "release."
        )
        yield Finding(subject="python", verdict=Verdict.bad, message=message)
