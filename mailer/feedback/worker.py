"""Reads what comes back, from everywhere that ``[feedback]`` names, for as long as the program runs.

Each source has a thread of its own. Any number of processes may run this; each source is read by one of them
at a time.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial

from mailer.background import run_beside
from mailer.database.engine import Clock, read_clock
from mailer.feedback.clicks.click_counter import watch_clicks
from mailer.feedback.context import FeedbackContext
from mailer.feedback.intake import make_intake
from mailer.feedback.lmtp_server import LmtpServer, LmtpStartError
from mailer.feedback.mailboxes.imap_mailbox import ImapMailbox
from mailer.feedback.mailboxes.imap_options import ImapOptions, parse_imap_url
from mailer.feedback.mailboxes.maildir import Maildir
from mailer.feedback.mailboxes.reading import FolderPolicy, MailboxLease, Notices, SourceLock
from mailer.feedback.refusals import RefusalWatch
from mailer.feedback.reply_forwarder import run_forwarding
from mailer.network import ListenAddress, parse_listen_address
from mailer.oauth.access_tokens import AccessTokens
from mailer.oauth.sign_in import make_mailbox_sign_in
from mailer.settings import Settings
from mailer.workspace import Workspace

_RETRY_SECONDS = 10.0
_log = logging.getLogger(__name__)


FeedbackSource = tuple[str, Callable[[threading.Event], None]]
"""The name of what brings messages or takes replies on, and the work, which goes on until the event is set.
"""


def run_feedback_worker(
    workspace: Workspace, *, stop: threading.Event, report: Callable[[str], None], clock: Clock = read_clock
) -> None:
    """Read what comes back, and send people's replies on, until ``stop`` is set.

    What the operator should know goes to ``report``.
    """
    with workspace.use_database() as engine:
        context = FeedbackContext(workspace=workspace, engine=engine)
        sources = _list_sources(context, report, clock)
        works = [partial(_keep_running, name, run, report) for name, run in sources]
        with run_beside("mailer-feedback-source", *works):
            while not stop.is_set():
                stop.wait(1.0)


def _list_sources(
    context: FeedbackContext, report: Callable[[str], None], clock: Clock
) -> Iterator[FeedbackSource]:
    """Yield the sources that the settings name; the ledger, whose refusals come back at once; clicks; and the
    queue of replies."""
    workspace = context.workspace
    settings = workspace.settings.feedback
    yield "the refusals in the ledger", RefusalWatch(context, clock=clock).run
    yield "the clicks on links", partial(watch_clicks, context, clock=clock)
    if settings.imap:
        try:
            yield _make_imap_source(context, report, clock)
        except ValueError as error:
            report(f"[feedback] imap cannot be used, so no mailbox is read: {error}.")
    if settings.maildir is not None:
        path = workspace.root / settings.maildir
        maildir = Maildir(
            path,
            policy=_make_policy(workspace.settings, is_shared=settings.shared_mailbox),
            intake=make_intake(context, "maildir", is_shared=settings.shared_mailbox, clock=clock),
            lock=SourceLock(workspace.root, f"maildir {path}"),
            notices=Notices(f"Maildir {path}", report),
        )
        yield f"the Maildir {path}", maildir.run
    if settings.lmtp:
        yield _make_lmtp_source(context, report, clock)
    # Replies also come by a pipe, and when a person judges a message to be one.
    yield "the queue of replies", partial(run_forwarding, context, report=report, clock=clock)


def read_imap_options(workspace: Workspace) -> ImapOptions:
    """Return the mailbox of ``[feedback] imap``. Its files are relative to the workspace. Raise ValueError if
    it is not the address of a mailbox.
    """
    settings = workspace.settings.feedback
    root, sign_in = workspace.root, make_mailbox_sign_in(workspace.settings)
    return parse_imap_url(
        settings.imap,
        password_file=root / settings.password_file if settings.password_file else None,
        token_file=root / settings.token_file if settings.token_file else None,
        tokens=AccessTokens(sign_in, root) if sign_in is not None else None,
    )


def is_shared_mailbox(settings: Settings, options: ImapOptions) -> bool:
    """Return whether people read the mailbox, too: by the settings, or because replies go there anyway.

    A reply that was forwarded to the mailbox it came from would come back for ever.
    """
    replies_to = (settings.sender.reply_to or settings.sender.address).casefold()
    names = {replies_to, replies_to.partition("@")[0]}
    return settings.feedback.shared_mailbox or options.user.casefold() in names


def read_lmtp_address(workspace: Workspace) -> ListenAddress:
    """Return where ``[feedback] lmtp`` says to listen; a socket's path is relative to the workspace."""
    address = parse_listen_address(workspace.settings.feedback.lmtp)
    return ListenAddress(path=workspace.root / address.path) if address.path is not None else address


def _make_policy(settings: Settings, *, is_shared: bool) -> FolderPolicy:
    return FolderPolicy(
        processed=settings.feedback.processed_folder,
        quarantine=settings.feedback.quarantine_folder,
        is_shared=is_shared,
    )


def _make_imap_source(
    context: FeedbackContext, report: Callable[[str], None], clock: Clock
) -> FeedbackSource:
    workspace = context.workspace
    options = read_imap_options(workspace)
    is_shared = is_shared_mailbox(workspace.settings, options)
    mailbox = ImapMailbox(
        options,
        policy=_make_policy(workspace.settings, is_shared=is_shared),
        intake=make_intake(context, "imap", is_shared=is_shared, clock=clock),
        lease=MailboxLease(context.engine, workspace.root, options.name, clock=clock),
        notices=Notices(f"Mailbox {options.name}", report),
    )
    return f"the mailbox {options.name}", mailbox.run


def _make_lmtp_source(
    context: FeedbackContext, report: Callable[[str], None], clock: Clock
) -> FeedbackSource:
    address = read_lmtp_address(context.workspace)
    intake = make_intake(context, "lmtp", clock=clock)
    lock = SourceLock(context.workspace.root, f"lmtp {address}")
    notices = Notices(f"LMTP at {address}", report)

    def run(stop: threading.Event) -> None:
        while not stop.is_set():
            if lock.try_acquire():
                try:
                    _serve_lmtp(LmtpServer(address, intake), notices, stop)
                finally:
                    lock.release()
            stop.wait(_RETRY_SECONDS)

    return f"LMTP at {address}", run


def _serve_lmtp(server: LmtpServer, notices: Notices, stop: threading.Event) -> None:
    try:
        server.start()
    except LmtpStartError as error:
        notices.report_trouble("start", str(error))
        return
    notices.clear_trouble("start", "Messages are accepted now.")
    try:
        while not stop.is_set():
            stop.wait(1.0)
    finally:
        server.stop()


def _keep_running(
    name: str, run: Callable[[threading.Event], None], report: Callable[[str], None], stop: threading.Event
) -> None:
    """Run a source until told to stop, whatever becomes of it; each trouble is said once."""
    last_words = ""
    while not stop.is_set():
        try:
            run(stop)
        except Exception as error:
            words = f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"
            if words != last_words:
                _log.warning("Working on %s failed.", name, exc_info=True)
                report(f"Working on {name} failed ({words}). Trying again.")
            last_words = words
            stop.wait(_RETRY_SECONDS)
