"""For `mailer doctor`: whether what comes back can be read, and whether anything in it needs a person."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from mailer.database.clock import read_clock
from mailer.database.engine import open_session
from mailer.database.schema import ensure_current
from mailer.feedback.mailboxes.errors import MailboxError
from mailer.feedback.mailboxes.imap_probe import MailboxView, probe_mailbox
from mailer.feedback.overview import ALARM_DAYS, count_held, list_alarms
from mailer.feedback.worker import is_shared_mailbox, read_imap_options, read_lmtp_address
from mailer.rendering.return_addresses import make_address
from mailer.settings import LOOPBACK_HOSTS, Settings
from mailer.workspace import Workspace

_MANY_WAITING = 1000


class FeedbackGravity(StrEnum):
    """How serious a finding about what comes back is."""

    good = "good"
    """As it should be."""

    doubtful = "doubtful"
    """It is read, but something should be better; or nothing is read."""

    bad = "bad"
    """The settings say that it is read, and it cannot be."""


@dataclass(frozen=True, kw_only=True)
class FeedbackFinding:
    """What was found: how serious it is, and in words what is wrong and what to do."""

    gravity: FeedbackGravity
    message: str


def check_feedback(workspace: Workspace) -> Iterator[FeedbackFinding]:
    """Ask every source of ``[feedback]``. Nothing is read, moved or created."""
    settings = workspace.settings.feedback
    if settings.imap:
        yield _check_imap(workspace)
    if settings.maildir is not None:
        yield _check_maildir(workspace)
    if settings.lmtp:
        yield _check_lmtp(workspace)
    is_anything_read = settings.imap or settings.maildir or settings.lmtp or settings.webhooks.list_names()
    if settings.bounce_address and not is_anything_read:
        yield FeedbackFinding(
            gravity=FeedbackGravity.doubtful,
            message=f"bounces come back to {settings.bounce_address}, and no mailbox is named where they are "
            "read. Set [feedback] imap, maildir or lmtp, unless your mail server pipes them to `mailer "
            "feedback receive`.",
        )


def check_returned(workspace: Workspace) -> Iterator[FeedbackFinding]:
    """Say what came back that somebody must look at: what servers said about us, and what is held.

    Raises:
        StaleSchemaError: the tables are not those of this version.
        SQLAlchemyError: the database cannot be read.
    """
    with workspace.use_database() as engine:
        ensure_current(engine)
        with open_session(engine, read_only=True) as session:
            alarms = list_alarms(session, now=read_clock(session.connection()))
            held = count_held(session)
    if alarms:
        reasons = Counter(alarm.reason.replace("_", " ") for alarm in alarms)
        counted = ", ".join(f"{number} × {reason}" for reason, number in reasons.most_common())
        yield FeedbackFinding(
            gravity=FeedbackGravity.doubtful,
            message=f"in the last {ALARM_DAYS} days, servers said this about you, not about your readers: "
            f"{counted}. The latest: {alarms[0].words or 'without words'}. See `mailer feedback list`.",
        )
    if held:
        waiting = "1 message that came back waits" if held == 1 else f"{held:,} messages that came back wait"
        yield FeedbackFinding(
            gravity=FeedbackGravity.doubtful,
            message=f"{waiting} for a person. Run `mailer feedback review`.",
        )


def check_return_path(settings: Settings) -> FeedbackFinding:
    """Say where bounces go, and what their address needs. Nothing is asked of the DNS."""
    plain = settings.sender.bounces_to or settings.sender.address
    feedback = settings.feedback
    if not feedback.bounce_address:
        if names := feedback.webhooks.list_names():
            message = f"your provider reports bounces ({', '.join(names)}); what it returns goes to {plain}"
            return FeedbackFinding(gravity=FeedbackGravity.good, message=message)
        message = (
            f"bounces go to {plain}, and nobody knows whose they are, so dead addresses stay on the list. "
            "Set [feedback] bounce_address."
        )
        return FeedbackFinding(gravity=FeedbackGravity.doubtful, message=message)
    domain = feedback.bounce_address.rpartition("@")[2]
    parts = [
        f"a newsletter's bounce comes back to {_show_address(feedback.bounce_address, feedback.delimiter)}",
        f"{domain} needs an MX record, and an SPF record that names your relay",
    ]
    if settings.sender.bounces_to:
        parts.append(f"{plain} ([sender] bounces_to) counts only for tests and for mails to one person")
    if _are_related(domain, settings.sender.domain):
        return FeedbackFinding(gravity=FeedbackGravity.good, message="; ".join(parts))
    parts.append(
        f"{domain} is not a part of {settings.sender.domain}, so only DKIM makes DMARC pass. Better use an "
        f"address below {settings.sender.domain}"
    )
    return FeedbackFinding(gravity=FeedbackGravity.doubtful, message="; ".join(parts))


def check_leaving_by_mail(settings: Settings) -> FeedbackFinding:
    """Say whether a mail unsubscribes its reader, and whether anything would read it."""
    feedback = settings.feedback
    if not feedback.leave_address:
        message = (
            "readers leave on the web page only. For the buttons of Apple Mail and QQ Mail, set [feedback] "
            "leave_address."
        )
        return FeedbackFinding(gravity=FeedbackGravity.good, message=message)
    shown = _show_address(feedback.leave_address, feedback.delimiter)
    if feedback.imap or feedback.maildir or feedback.lmtp:
        message = f"a mail to {shown} unsubscribes its reader, whatever it says"
        return FeedbackFinding(gravity=FeedbackGravity.good, message=message)
    message = (
        f"readers are told to leave by a mail to {shown}, and no mailbox is named where it is read: they "
        "would stay on the list. Set [feedback] imap, maildir or lmtp, unless your mail server pipes it to "
        "`mailer feedback receive`."
    )
    return FeedbackFinding(gravity=FeedbackGravity.doubtful, message=message)


def _show_address(base: str, delimiter: str) -> str:
    return make_address(base, delimiter, "…")


def _are_related(one: str, other: str) -> bool:
    """Whether one of two domains is the other or is below it, as DMARC's relaxed alignment asks."""
    one, other = one.casefold(), other.casefold()
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _check_imap(workspace: Workspace) -> FeedbackFinding:
    settings = workspace.settings.feedback
    try:
        options = read_imap_options(workspace)
        view = probe_mailbox(options, folders=(settings.processed_folder, settings.quarantine_folder))
    except (MailboxError, ValueError) as error:
        return FeedbackFinding(gravity=FeedbackGravity.bad, message=str(error))
    parts = [f"{options.name}: logged in; {_describe_waiting(view)}"]
    if is_shared_mailbox(workspace.settings, options):
        parts.append("people use it, too, so what they write stays where it is and is not forwarded")
    if view.is_read_only:
        parts.append(
            "it can be read, but not changed, so messages stay where they are. Give this user the right to "
            "move messages"
        )
        return FeedbackFinding(gravity=FeedbackGravity.doubtful, message="; ".join(parts))
    if view.missing:
        parts.append(f"{' and '.join(view.missing)} will be created")
    parts.append("new messages are seen at once" if view.can_idle else "it is asked once a minute")
    return FeedbackFinding(gravity=FeedbackGravity.good, message="; ".join(parts))


def _describe_waiting(view: MailboxView) -> str:
    words = f"{view.waiting:,} message{'' if view.waiting == 1 else 's'} in it"
    if view.waiting < _MANY_WAITING:
        return words
    return f"{words}, which `mailer serve` or `mailer work` reads in the order they came"


def _check_maildir(workspace: Workspace) -> FeedbackFinding:
    path = workspace.root / (workspace.settings.feedback.maildir or "")
    folders = [path / name for name in ("new", "cur")]
    if not all(folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK) for folder in folders):
        return FeedbackFinding(
            gravity=FeedbackGravity.bad,
            message=f"{path} is not a Maildir that can be read and written: it needs the folders new and "
            "cur. Correct [feedback] maildir, or the permissions of these folders.",
        )
    waiting = sum(1 for folder in folders for _ in folder.iterdir())
    return FeedbackFinding(gravity=FeedbackGravity.good, message=f"{path}: {waiting:,} messages in it")


def _check_lmtp(workspace: Workspace) -> FeedbackFinding:
    address = read_lmtp_address(workspace)
    if address.path is None and address.host not in LOOPBACK_HOSTS:
        return FeedbackFinding(
            gravity=FeedbackGravity.bad,
            message=f"[feedback] lmtp = {address} would be open to other machines, and LMTP knows no login. "
            f"Write 127.0.0.1:{address.port} or the path of a Unix socket.",
        )
    # The folder for what runs is made at the start.
    folder = address.path.parent if address.path is not None else workspace.root
    if folder != workspace.root / "run" and not os.access(folder, os.W_OK):
        return FeedbackFinding(
            gravity=FeedbackGravity.bad,
            message=f"the folder {folder} for the socket of [feedback] lmtp does not exist, or "
            "cannot be written.",
        )
    return FeedbackFinding(
        gravity=FeedbackGravity.good,
        message=f"`mailer serve` or `mailer work` accepts messages by LMTP at {address}",
    )
