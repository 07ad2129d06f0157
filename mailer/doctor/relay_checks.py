"""Checks of the relays: each is connected to as for sending, and nothing is sent."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from locales.phrase import CLAUSES, FURTHER, Phrase, gettext_noop, join_sentences, read_error
from mailer.dispatch.sending_settings import list_relays, make_smtp_options, merge_relay_settings
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.errors import ConfigurationError
from mailer.settings import SmtpSettings
from mailer.smtp.interfaces import ConnectionFailedError
from mailer.smtp.reply_classifier import Stage
from mailer.smtp.transport import CertificateError, ProbeError, ProbeResult, probe_server
from mailer.workspace import Workspace

_CERTIFICATE_WARNING = timedelta(days=14)
# What a relay can do beyond the necessary, in words for people who do not know the protocol.
_EXTENSIONS = {
    "PIPELINING": gettext_noop("PIPELINING (fewer waits)"),
    "8BITMIME": gettext_noop("8BITMIME (accents sent as they are)"),
    "SMTPUTF8": gettext_noop("SMTPUTF8 (addresses with accents)"),
    "DSN": gettext_noop("DSN (bounces that name the message)"),
}


def check_relays(workspace: Workspace) -> Iterator[Diagnosis]:
    smtp = workspace.settings.smtp
    try:
        relays = list_relays(smtp)
    except ConfigurationError as error:
        yield find_bad("relay", "relay-settings", read_error(error))
        return
    for relay in relays:
        subject = f"relay {relay.name}" if smtp.relays else "relay"
        yield _check_relay(subject, merge_relay_settings(smtp, relay), workspace.root, name=relay.name)


def _check_relay(subject: str, settings: SmtpSettings, root: Path, *, name: str) -> Diagnosis:
    url = urlsplit(settings.url)
    if url.scheme == "maildir":
        return _check_folder(subject, root / url.path)
    if url.scheme not in {"smtp", "smtps"} or not url.hostname:
        message = gettext_noop(
            "[smtp] url is not a relay address. Use smtp://host:587, smtps://host:465 or maildir:PATH."
        )
        return find_bad(subject, "relay-settings", message)
    try:
        view = probe_server(make_smtp_options(settings, root, name=name))
    except (ProbeError, ConfigurationError, ValueError) as error:  # ValueError: the port is not a number
        # The address may contain a password, so only its host is shown.
        place, words = url.netloc.rpartition("@")[2], str(error).rstrip(".")
        message = Phrase(
            "%(place)s does not accept mail: %(words)s. Fix the relay, or set [smtp] url to another one.",
            place=place,
            words=words,
        )
        return find_bad(subject, _name_failure(error), message)
    code, doubt = _find_weakness(view)
    message = join_sentences((_describe_relay(view), doubt), CLAUSES)
    return find_doubtful(subject, code, message) if doubt else find_good(subject, message)


def _name_failure(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, CertificateError):
        return "relay-certificate"
    if isinstance(cause, ConnectionFailedError):
        is_login = cause.outcome.stage in {Stage.login, Stage.sign_in}
        return "relay-login" if is_login else "relay-unreachable"
    return "relay-settings"


def _check_folder(subject: str, folder: Path) -> Diagnosis:
    """Check that the folder can be written. Its nearest parent counts until there is a message."""
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    if parent.is_dir() and os.access(parent, os.W_OK):
        return find_good(
            subject,
            Phrase(
                "messages are only stored in %(folder)s; they are not sent to readers",
                folder=folder,
            ),
        )
    message = Phrase(
        "cannot write to %(folder)s. Create the folder, or set [smtp] url to another one.",
        folder=folder,
    )
    return find_bad(subject, "relay-folder", message)


def _describe_relay(probe: ProbeResult) -> str:
    offers = probe.capabilities
    has: list[str] = [words for name, words in _EXTENSIONS.items() if name in offers]
    lacks = [words for name, words in _EXTENSIONS.items() if name not in offers]
    if size := next((int(word) for word in offers.keywords.get("SIZE", ()) if word.isdecimal()), 0):
        has.append(Phrase("messages of up to %(size)s bytes", size=f"{size:,}"))
    supported = (
        Phrase("supports %(extensions)s", extensions=join_sentences(has, FURTHER))
        if has
        else gettext_noop("supports no SMTP extensions")
    )
    unsupported = Phrase(
        "does not support %(extensions)s, which sending works without",
        extensions=join_sentences(lacks, FURTHER),
    )
    login = (
        Phrase("logged in with %(mechanism)s", mechanism=str(probe.mechanism))
        if probe.mechanism
        else gettext_noop("no login")
    )
    answers = Phrase("%(address)s answers", address=probe.address)
    parts = [answers, _describe_encryption(probe), login, supported, unsupported if lacks else ""]
    return join_sentences(parts, CLAUSES)


def _describe_encryption(probe: ProbeResult) -> str:
    if not probe.tls:
        return gettext_noop("not encrypted")
    if not probe.certificate_expires_at:
        return Phrase("encrypted (%(version)s)", version=probe.tls)
    return Phrase(
        "encrypted (%(version)s), certificate valid until %(day)s",
        version=probe.tls,
        day=f"{probe.certificate_expires_at:%Y-%m-%d}",
    )


def _find_weakness(probe: ProbeResult) -> tuple[str, str]:
    """Return what makes the relay unsuitable for real readers: a code and words; empty if nothing does."""
    if probe.certificate_error:
        return "relay-certificate", Phrase(
            "its certificate cannot be trusted (%(certificate_error)s)",
            certificate_error=probe.certificate_error,
        )
    if (
        probe.certificate_expires_at
        and probe.certificate_expires_at - datetime.now(UTC) < _CERTIFICATE_WARNING
    ):
        return "relay-certificate-ends", gettext_noop("its certificate expires soon")
    if not probe.tls and not probe.is_loopback:
        return "relay-unencrypted", gettext_noop("anyone on the network path can read the mail")
    return "", ""
