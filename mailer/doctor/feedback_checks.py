"""Checks of what comes back: the mailbox, its addresses, the webhooks, and what waits for a person."""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from locales.phrase import (
    AND,
    CLAUSES,
    FURTHER,
    Phrase,
    gettext_noop,
    join_phrases,
    join_sentences,
    read_error,
)
from mailer.database.engine import open_session, read_clock
from mailer.database.schema import ensure_current
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.errors import ConfigurationError, MailerError
from mailer.feedback.dmarc_reports import read_senders
from mailer.feedback.mailboxes.imap_connection import probe_mailbox
from mailer.feedback.mailboxes.imap_options import MailboxError
from mailer.feedback.overview import ALARM_DAYS, count_held, list_alarms
from mailer.feedback.webhooks.registry import find_faults
from mailer.feedback.worker import is_shared_mailbox, read_imap_options, read_lmtp_address
from mailer.reasons.reason import Reason
from mailer.rendering.headers import make_address
from mailer.settings import LOOPBACK_HOSTS, Settings
from mailer.verification.fakes import count_fakes
from mailer.workspace import Workspace

_MANY_WAITING = 1000
_MANY_UNKNOWN = 10
_UNKNOWN_SHARE = 0.02
"""Every domain has some mail that was forwarded badly; more than this is worth a look."""
_LATELY = timedelta(days=30)


def check_feedback(workspace: Workspace) -> Iterator[Diagnosis]:
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
        yield find_doubtful(
            "feedback",
            "feedback-unread",
            Phrase(
                "bounces come back to %(bounce_address)s, and no mailbox is named where they are read. "
                "Set [feedback] imap, maildir or lmtp, unless your mail server pipes them to `mailer "
                "feedback receive`.",
                bounce_address=settings.bounce_address,
            ),
        )


def check_alarms(workspace: Workspace) -> Iterator[Diagnosis]:
    """Say what came back that somebody must look at: what servers said about us, and what is held."""
    try:
        with workspace.use_database() as engine:
            ensure_current(engine)
            with open_session(engine, read_only=True) as session:
                alarms = list_alarms(session, now=read_clock(session.connection()))
                held = count_held(session)
    except (ConfigurationError, MailerError, SQLAlchemyError):
        # The check of the database says what is wrong.
        return
    if alarms:
        reasons = Counter(Reason(alarm.reason).words for alarm in alarms)
        counted = join_sentences(
            [
                Phrase("%(number)s × %(reason)s", number=number, reason=Phrase(reason))
                for reason, number in reasons.most_common()
            ],
            FURTHER,
        )
        yield find_doubtful(
            "feedback",
            "feedback-waiting",
            Phrase(
                "in the last %(days)s days, servers said this about you, not about your readers: "
                "%(counted)s. The latest: %(latest)s. See `mailer feedback list`.",
                days=ALARM_DAYS,
                counted=counted,
                latest=alarms[0].words or gettext_noop("without words"),
            ),
        )
    if held:
        message = Phrase(
            gettext_noop("1 message that came back waits for a person. Run `mailer feedback review`.")
            if held == 1
            else gettext_noop(
                "%(number)s messages that came back wait for a person. Run `mailer feedback review`."
            ),
            number=f"{held:,}",
        )
        yield find_doubtful("feedback", "feedback-waiting", message)


def check_return_path(settings: Settings) -> Diagnosis:
    """Say where bounces go, and what their address needs. Nothing is asked of the DNS."""
    plain = settings.sender.bounces_to or settings.sender.address
    feedback = settings.feedback
    if not feedback.bounce_address:
        if names := feedback.webhooks.list_names():
            message = Phrase(
                "your provider reports bounces (%(names)s); what it returns goes to %(plain)s",
                names=", ".join(names),
                plain=plain,
            )
            return find_good("return path", message)
        message = Phrase(
            "bounces go to %(plain)s, and nobody knows whose they are, so dead addresses stay on "
            "the list. Set [feedback] bounce_address.",
            plain=plain,
        )
        return find_doubtful("return path", "return-path", message)
    domain = feedback.bounce_address.rpartition("@")[2]
    parts = [
        Phrase(
            "a newsletter's bounce comes back to %(bounce_address)s",
            bounce_address=_show_address(feedback.bounce_address, feedback.delimiter),
        ),
        Phrase(
            "%(domain)s needs an MX record, and an SPF record that names your relay",
            domain=domain,
        ),
    ]
    if settings.sender.bounces_to:
        parts.append(
            Phrase(
                "%(plain)s ([sender] bounces_to) counts only for tests and for mails to one person",
                plain=plain,
            )
        )
    if _are_related(domain, settings.sender.domain):
        return find_good("return path", join_sentences(parts, CLAUSES))
    parts.append(
        Phrase(
            "%(domain)s is not a part of %(sender_domain)s, so only DKIM makes DMARC pass. Better use an "
            "address below %(sender_domain)s",
            domain=domain,
            sender_domain=settings.sender.domain,
        )
    )
    return find_doubtful("return path", "return-path", join_sentences(parts, CLAUSES))


def check_leaving_by_mail(settings: Settings) -> Diagnosis:
    """Say whether a mail unsubscribes its reader, and whether anything would read it."""
    feedback = settings.feedback
    if not feedback.leave_address:
        message = gettext_noop(
            "readers leave on the web page only. For the buttons of Apple Mail and QQ Mail, set "
            "[feedback] leave_address."
        )
        return find_good("leaving by mail", message)
    shown = _show_address(feedback.leave_address, feedback.delimiter)
    if feedback.imap or feedback.maildir or feedback.lmtp:
        message = Phrase("a mail to %(shown)s unsubscribes its reader, whatever it says", shown=shown)
        return find_good("leaving by mail", message)
    message = Phrase(
        "readers are told to leave by a mail to %(shown)s, and no mailbox is named where it is "
        "read: they would stay on the list. Set [feedback] imap, maildir or lmtp, unless your mail "
        "server pipes it to `mailer feedback receive`.",
        shown=shown,
    )
    return find_doubtful("leaving by mail", "leave-address-unread", message)


def _show_address(base: str, delimiter: str) -> str:
    return make_address(base, delimiter, "…")


def _are_related(one: str, other: str) -> bool:
    one, other = one.casefold(), other.casefold()
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _check_imap(workspace: Workspace) -> Diagnosis:
    settings = workspace.settings.feedback
    try:
        options = read_imap_options(workspace)
        with probe_mailbox(options) as connection:
            waiting, can_idle = len(connection.list_uids()), connection.can_idle
            folders = (settings.processed_folder, settings.quarantine_folder)
            missing = [folder for folder in folders if folder and not connection.has_folder(folder)]
    except (MailboxError, ValueError) as error:
        return find_bad("feedback", "feedback-unread", read_error(error))
    logged_in = Phrase("%(name)s: logged in", name=options.name)
    parts = [logged_in, _describe_waiting(waiting)]
    if is_shared_mailbox(workspace.settings, options):
        parts.append(
            gettext_noop("people use it, too, so what they write stays where it is and is not forwarded")
        )
    if connection.is_read_only:
        parts.append(
            gettext_noop(
                "it can be read, but not changed, so messages stay where they are. Give this user the "
                "right to move messages"
            )
        )
        return find_doubtful("feedback", "feedback-unread", join_sentences(parts, CLAUSES))
    if missing:
        parts.append(Phrase("%(missing)s will be created", missing=join_phrases(missing, AND)))
    parts.append(
        gettext_noop("new messages are seen at once")
        if can_idle
        else gettext_noop("it is asked once a minute")
    )
    return find_good("feedback", join_sentences(parts, CLAUSES))


def _describe_waiting(number: int) -> str:
    if number == 1:
        return gettext_noop("1 message in it")
    words = (
        gettext_noop("%(number)s messages in it")
        if number < _MANY_WAITING
        else gettext_noop(
            "%(number)s messages in it, which `mailer serve` or `mailer work` reads in the order they came"
        )
    )
    return Phrase(words, number=f"{number:,}")


def _check_maildir(workspace: Workspace) -> Diagnosis:
    path = workspace.root / (workspace.settings.feedback.maildir or "")
    folders = [path / name for name in ("new", "cur")]
    if not all(folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK) for folder in folders):
        return find_bad(
            "feedback",
            "feedback-unread",
            Phrase(
                "%(path)s is not a Maildir that can be read and written: it needs the folders new and "
                "cur. Correct [feedback] maildir, or the permissions of these folders.",
                path=path,
            ),
        )
    waiting = sum(1 for folder in folders for _ in folder.iterdir())
    return find_good(
        "feedback",
        Phrase("%(path)s: %(waiting)s messages in it", path=path, waiting=f"{waiting:,}"),
    )


def _check_lmtp(workspace: Workspace) -> Diagnosis:
    address = read_lmtp_address(workspace)
    if address.path is None and address.host not in LOOPBACK_HOSTS:
        return find_bad(
            "feedback",
            "feedback-unread",
            Phrase(
                "[feedback] lmtp = %(address)s would be open to other machines, and LMTP knows no "
                "login. Write 127.0.0.1:%(port)s or the path of a Unix socket.",
                address=address,
                port=address.port,
            ),
        )
    # The folder for what runs is made at the start.
    folder = address.path.parent if address.path is not None else workspace.root
    if folder != workspace.root / "run" and not os.access(folder, os.W_OK):
        return find_bad(
            "feedback",
            "feedback-unread",
            Phrase(
                "the folder %(folder)s for the socket of [feedback] lmtp does not exist, or cannot be "
                "written.",
                folder=folder,
            ),
        )
    return find_good(
        "feedback",
        Phrase(
            "`mailer serve` or `mailer work` accepts messages by LMTP at %(address)s",
            address=address,
        ),
    )


def check_incoming(workspace: Workspace) -> Iterator[Diagnosis]:
    """Ask the mailbox where bounces and replies arrive."""
    settings = workspace.settings
    yield from check_feedback(workspace)
    yield check_return_path(settings)
    yield check_leaving_by_mail(settings)


def check_reported_senders(workspace: Workspace) -> Iterator[Diagnosis]:
    """Say who sends in our name, as receivers reported in the last 30 days (DMARC, RFC 9990)."""
    try:
        with workspace.use_database() as engine, engine.connect() as connection:
            found = read_senders(connection, since=datetime.now(UTC) - timedelta(days=30))
    except SQLAlchemyError:
        return
    if not found.reports:
        return
    unknown = sum(sender.messages - sender.passed for sender in found.unknown)
    said = Phrase(
        "in 30 days, receivers reported %(messages)s messages in your name, of which %(passed)s passed",
        messages=f"{found.messages:,}",
        passed=f"{found.passed:,}",
    )
    if unknown < _MANY_UNKNOWN or unknown < found.messages * _UNKNOWN_SHARE:
        yield find_good("senders", said)
        return
    came = Phrase(
        gettext_noop(
            "%(number)s came from 1 unknown address. See `mailer feedback senders`: bring programs of yours "
            "under SPF or DKIM, and keep others out with p=quarantine or p=reject."
        )
        if len(found.unknown) == 1
        else gettext_noop(
            "%(number)s came from %(addresses)s unknown addresses. See `mailer feedback senders`: bring "
            "programs of yours under SPF or DKIM, and keep others out with p=quarantine or p=reject."
        ),
        number=f"{unknown:,}",
        addresses=f"{len(found.unknown):,}",
    )
    yield find_doubtful("senders", "dmarc-unknown-senders", join_sentences([said, came], CLAUSES))


def check_webhooks(workspace: Workspace) -> Iterator[Diagnosis]:
    """Name the webhooks of providers, and those whose secret is missing."""
    settings = workspace.settings
    faults = find_faults(settings.feedback, workspace.root)
    for name in settings.feedback.webhooks.list_names():
        subject = f"webhook {name}"
        address = f"{settings.web.base_url}/hooks/{name}"
        if name in faults:
            yield find_bad(
                subject,
                "webhook-secret",
                Phrase("every event is refused: %(faults)s", faults=faults[name]),
            )
        elif not settings.web.base_url.startswith("https://"):
            message = Phrase(
                "events are received at %(address)s, which the provider cannot reach. Set [web] base_url "
                "to your https address.",
                address=address,
            )
            yield find_doubtful(subject, "webhook-unreachable", message)
        else:
            yield find_good(subject, Phrase("events are received at %(address)s", address=address))


def check_fakes(workspace: Workspace) -> Iterator[Diagnosis]:
    """Name the fakes that people have submitted at /verify lately."""
    try:
        with workspace.use_database() as engine:
            ensure_current(engine)
            with open_session(engine, read_only=True) as session:
                number = count_fakes(session, since=datetime.now(UTC) - _LATELY)
    except (ConfigurationError, MailerError, SQLAlchemyError):
        # The check of the database says what is wrong.
        return
    if number:
        message = Phrase(
            gettext_noop("1 fake mail in your name in the last %(days)s days. To see them: mailer fakes list")
            if number == 1
            else gettext_noop(
                "%(number)s fake mails in your name in the last %(days)s days. To see them: mailer fakes list"
            ),
            number=number,
            days=_LATELY.days,
        )
        yield find_doubtful("fakes", "fakes-submitted", message)
