"""Checks of the workspace itself: its files, database, settings, relays and templates."""

import os
import shlex
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from mailer.campaigns.audiences.compliance import find_missing_identity
from mailer.campaigns.example_sender import find_example_sender
from mailer.database.clock import read_clock
from mailer.database.commit_latency import measure_commit_latency
from mailer.database.schema import ensure_current
from mailer.dispatch.dkim_signer import load_signer
from mailer.dispatch.relay_settings import list_relays, make_smtp_options, merge_relay_settings
from mailer.doctor.diagnosis import Diagnosis, Health
from mailer.errors import ConfigurationError, MailerError
from mailer.feedback.health import (
    check_feedback,
    check_leaving_by_mail,
    check_return_path,
    check_returned,
)
from mailer.feedback.webhooks.registry import find_faults
from mailer.network import parse_listen_address
from mailer.privacy.file_permissions import find_exposed_paths, holds_secrets
from mailer.public_address import check_public_address
from mailer.rendering.message import names_survive_folding
from mailer.rendering.worker.confinement import describe_confinement
from mailer.settings import SmtpSettings
from mailer.smtp.probe import ProbeError, ProbeResult, probe_server
from mailer.workspace import KEYS_FILE, Workspace

_SLOW_COMMIT_SECONDS = 0.02
_CLOCK_TOLERANCE = timedelta(seconds=2)
_CERTIFICATE_WARNING = timedelta(days=14)


def check_files(workspace: Workspace) -> Iterator[Diagnosis]:
    """Check that no other user can read the keys, or anything with addresses or links that work."""
    root = workspace.root
    keys = root / KEYS_FILE
    exposed = find_exposed_paths(workspace)
    if keys in exposed:
        yield Diagnosis(subject="keys", verdict=Health.bad, message=_explain_exposed([keys], root))
    else:
        yield Diagnosis(subject="keys", verdict=Health.good, message="only you can read the keys")
    others = [path for path in exposed if path != keys]
    if others:
        verdict = Health.bad if any(holds_secrets(path, workspace) for path in others) else Health.doubtful
        yield Diagnosis(subject="files", verdict=verdict, message=_explain_exposed(others, root))
    else:
        message = "only you can read the database, the settings, the outbox and the log"
        yield Diagnosis(subject="files", verdict=Health.good, message=message)


def _explain_exposed(paths: Sequence[Path], root: Path) -> str:
    names = [str(path.relative_to(root) if path.is_relative_to(root) else path) for path in paths]
    shown = f"{', '.join(names[:3])} and {len(names) - 3} more" if len(names) > 4 else ", ".join(names)
    command = shlex.join(["chmod", "-R", "go=", *map(str, paths)])
    return f"other users can read {shown}. Run: {command}"


def check_database(workspace: Workspace) -> Iterator[Diagnosis]:
    engine = workspace.open_database(durable=True)
    try:
        ensure_current(engine)
        yield Diagnosis(
            subject="database", verdict=Health.good, message=f"{engine.dialect.name}, tables up to date"
        )
        yield _check_disk(engine)
        yield _check_clock(engine)
    except ConfigurationError as error:
        yield Diagnosis(subject="database", verdict=Health.bad, message=str(error))
    except SQLAlchemyError as error:
        words = str(getattr(error, "orig", None) or error).strip()
        yield Diagnosis(subject="database", verdict=Health.bad, message=f"cannot read the database: {words}")
    finally:
        engine.dispose()


def _check_disk(engine: Engine) -> Diagnosis:
    try:
        seconds = measure_commit_latency(engine)
    except (OSError, sqlite3.Error) as error:
        return Diagnosis(subject="disk", verdict=Health.bad, message=f"cannot write to the database: {error}")
    message = f"saving a change safely to disk takes {seconds * 1000:.1f} ms"
    if seconds < _SLOW_COMMIT_SECONDS:
        return Diagnosis(subject="disk", verdict=Health.good, message=message)
    advice = (
        "That is slow, and every group of messages waits for it. Use a local disk, or more [smtp] "
        "connections."
    )
    return Diagnosis(subject="disk", verdict=Health.doubtful, message=f"{message}. {advice}")


def _check_clock(engine: Engine) -> Diagnosis:
    """Compare the database's clock, which schedules and rates follow, with this machine's."""
    with engine.connect() as connection:
        difference = read_clock(connection) - datetime.now(UTC)
    if abs(difference) < _CLOCK_TOLERANCE:
        return Diagnosis(
            subject="clock", verdict=Health.good, message="the database's clock agrees with this machine's"
        )
    seconds = difference.total_seconds()
    message = (
        f"the database's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this "
        "machine's. Schedules follow the database's clock. Set both clocks by NTP."
    )
    return Diagnosis(subject="clock", verdict=Health.doubtful, message=message)


def check_web(workspace: Workspace) -> Iterator[Diagnosis]:
    web = workspace.settings.web
    if not web.supports_one_click:
        verdict, message = (
            Health.bad,
            "one-click unsubscribe requires https (RFC 8058). Set [web] base_url to an https address.",
        )
    elif web.base_url.startswith("http://"):
        verdict, message = (
            Health.doubtful,
            "only this machine can open this address. Set [web] base_url before you send to real readers.",
        )
    else:
        verdict, message = Health.good, "https, as one-click unsubscribe requires"
    yield Diagnosis(subject="web", verdict=verdict, message=f"{web.base_url}: {message}")
    if web.base_url.startswith("https://") and not web.accessibility_contact:
        sender = workspace.settings.sender
        yield Diagnosis(
            subject="accessibility",
            verdict=Health.good,
            message=f"readers report barriers to {sender.reply_to or sender.address}, as /accessibility "
            "says. For another address or a form, set [web] accessibility_contact.",
        )


def check_public_pages(workspace: Workspace) -> Iterator[Diagnosis]:
    """Ask the public address as a reader would, and look where the metrics are."""
    metrics = workspace.settings.web.metrics
    if metrics and parse_listen_address(metrics).is_everywhere:
        message = (
            f"[web] metrics = {metrics} is open to everybody who reaches this machine. Name one address of "
            "an internal network, or 127.0.0.1."
        )
        yield Diagnosis(subject="metrics", verdict=Health.doubtful, message=message)
    for finding in check_public_address(workspace):
        verdict = Health(finding.gravity.value)
        yield Diagnosis(subject="public address", verdict=verdict, message=finding.message)


def check_sender(workspace: Workspace) -> Iterator[Diagnosis]:
    for fault in (find_missing_identity(workspace.settings), find_example_sender(workspace.settings)):
        if fault:
            yield Diagnosis(subject="sender", verdict=Health.bad, message=fault)
            return
    address = workspace.settings.sender.address
    domain = workspace.settings.sender.domain
    if domain == "example.org" or domain.endswith((".example.org", ".example.com", ".example", ".invalid")):
        message = f"{address} is only an example. Set [sender] address to your own address."
        yield Diagnosis(subject="sender", verdict=Health.doubtful, message=message)
    else:
        yield Diagnosis(subject="sender", verdict=Health.good, message=address)


def check_relays(workspace: Workspace) -> Iterator[Diagnosis]:
    smtp = workspace.settings.smtp
    try:
        relays = list_relays(smtp)
    except ConfigurationError as error:
        yield Diagnosis(subject="relay", verdict=Health.bad, message=str(error))
        return
    for relay in relays:
        subject = f"relay {relay.name}" if smtp.relays else "relay"
        yield _check_relay(subject, merge_relay_settings(smtp, relay), workspace.root)


def _check_relay(subject: str, settings: SmtpSettings, root: Path) -> Diagnosis:
    url = urlsplit(settings.url)
    # The address may contain a password, so only its host is shown.
    place = url.netloc.rpartition("@")[2]
    if url.scheme == "maildir":
        return _check_folder(subject, root / url.path)
    if url.scheme not in {"smtp", "smtps"} or not url.hostname:
        message = "[smtp] url is not a relay address. Use smtp://host:587, smtps://host:465 or maildir:PATH."
        return Diagnosis(subject=subject, verdict=Health.bad, message=message)
    try:
        view = probe_server(make_smtp_options(settings, root))
    except (ProbeError, ConfigurationError, ValueError) as error:  # ValueError: the port is not a number
        words = str(error).rstrip(".")
        message = f"{place} does not accept mail: {words}. Fix the relay, or set [smtp] url to another one."
        return Diagnosis(subject=subject, verdict=Health.bad, message=message)
    doubt = _find_relay_weakness(view)
    verdict = Health.doubtful if doubt else Health.good
    return Diagnosis(
        subject=subject, verdict=verdict, message="; ".join(filter(None, (_describe_relay(view), doubt)))
    )


def _check_folder(subject: str, folder: Path) -> Diagnosis:
    """Check that the folder can be written. It is created for the first message, so its nearest parent
    counts.
    """
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    if parent.is_dir() and os.access(parent, os.W_OK):
        message = f"messages are only stored in {folder}; they are not sent to readers"
        return Diagnosis(subject=subject, verdict=Health.good, message=message)
    message = f"cannot write to {folder}. Create the folder, or set [smtp] url to another one."
    return Diagnosis(subject=subject, verdict=Health.bad, message=message)


# What a relay can do beyond the necessary, in the words of somebody who does not know the protocol.
_EXTENSIONS = {
    "PIPELINING": "fewer waits",
    "8BITMIME": "accents sent as they are",
    "SMTPUTF8": "addresses with accents",
    "DSN": "bounces that name the message",
}


def _describe_relay(probe: ProbeResult) -> str:
    """Describe a relay in one line: encryption, login, and the SMTP extensions."""
    offers = probe.capabilities
    has = [f"{name} ({what})" for name, what in _EXTENSIONS.items() if name in offers]
    lacks = [f"{name} ({what})" for name, what in _EXTENSIONS.items() if name not in offers]
    if size := next((int(word) for word in offers.keywords.get("SIZE", ()) if word.isdecimal()), 0):
        has.append(f"messages of up to {size:,} bytes")
    until = (
        f", certificate valid until {probe.certificate_expires_at:%Y-%m-%d}"
        if probe.certificate_expires_at
        else ""
    )
    extensions = f"supports {', '.join(has) or 'no SMTP extensions'}"
    return "; ".join(
        [
            f"{probe.address} answers",
            f"encrypted ({probe.tls}){until}" if probe.tls else "not encrypted",
            f"logged in with {probe.mechanism}" if probe.mechanism else "no login",
            f"{extensions}; does not support {', '.join(lacks)}, which sending works without"
            if lacks
            else extensions,
        ]
    )


def _find_relay_weakness(probe: ProbeResult) -> str:
    """What makes the relay unsuitable for real readers; empty if nothing does."""
    if probe.certificate_error:
        return f"its certificate cannot be trusted ({probe.certificate_error})"
    if (
        probe.certificate_expires_at
        and probe.certificate_expires_at - datetime.now(UTC) < _CERTIFICATE_WARNING
    ):
        return "its certificate expires soon"
    if not probe.tls and not probe.is_loopback:
        return "anyone on the network path can read the mail"
    return ""


def check_dkim(workspace: Workspace) -> Iterator[Diagnosis]:
    """Check the DKIM keys, and show the DNS records they need."""
    dkim = workspace.settings.dkim
    try:
        signer = load_signer(workspace.settings, workspace.root)
    except ConfigurationError as error:
        yield Diagnosis(subject="dkim", verdict=Health.bad, message=str(error))
        return
    if signer is None:
        message = "no DKIM key is set, so the relay signs messages or nothing does"
        yield Diagnosis(subject="dkim", verdict=Health.good, message=message)
        return
    for name in (dkim.key_file, dkim.ed25519_key_file):
        if name and stat.S_IMODE((workspace.root / name).stat().st_mode) & 0o077:
            message = f"other users can read {name}. Run: chmod 600 {name}"
            yield Diagnosis(subject="dkim", verdict=Health.bad, message=message)
    for record in signer.records:
        message = f"the key works. DNS must have this record: {record.zone_line}"
        yield Diagnosis(subject="dkim", verdict=Health.good, message=message)


def check_incoming(workspace: Workspace) -> Iterator[Diagnosis]:
    """Ask the mailbox where bounces and replies arrive."""
    settings = workspace.settings
    findings = [("feedback", finding) for finding in check_feedback(workspace)]
    findings.append(("return path", check_return_path(settings)))
    findings.append(("leaving by mail", check_leaving_by_mail(settings)))
    for subject, finding in findings:
        yield Diagnosis(subject=subject, verdict=Health(finding.gravity.value), message=finding.message)


def check_alarms(workspace: Workspace) -> Iterator[Diagnosis]:
    """Name what came back that somebody must look at."""
    try:
        findings = list(check_returned(workspace))
    except (MailerError, SQLAlchemyError):
        # The check of the database says what is wrong.
        return
    for finding in findings:
        yield Diagnosis(subject="feedback", verdict=Health(finding.gravity.value), message=finding.message)


def check_webhooks(workspace: Workspace) -> Iterator[Diagnosis]:
    """Name the webhooks of providers, and those whose secret is missing."""
    settings = workspace.settings
    faults = find_faults(settings.feedback, workspace.root)
    for name in settings.feedback.webhooks.list_names():
        verdict, message = Health.good, f"events are received at {settings.web.base_url}/hooks/{name}"
        if name in faults:
            verdict, message = Health.bad, f"every event is refused: {faults[name]}"
        elif not settings.web.base_url.startswith("https://"):
            verdict = Health.doubtful
            message += ", which the provider cannot reach. Set [web] base_url to your https address."
        yield Diagnosis(subject=f"webhook {name}", verdict=verdict, message=message)


def check_templates(_: Workspace) -> Iterator[Diagnosis]:
    """Say what this system holds a template to that escapes from its sandbox."""
    is_complete, message = describe_confinement()
    verdict = Health.good if is_complete else Health.doubtful
    yield Diagnosis(subject="templates", verdict=verdict, message=message)


def check_python(_: Workspace) -> Iterator[Diagnosis]:
    if names_survive_folding():
        yield Diagnosis(
            subject="python",
            verdict=Health.good,
            message="this Python writes long names in headers correctly",
        )
    else:
        message = (
            "this Python has a bug: a long name in a header can add a second address. Use a newer Python "
            "release."
        )
        yield Diagnosis(subject="python", verdict=Health.bad, message=message)
