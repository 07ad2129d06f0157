"""Looks at an IMAP mailbox without changing anything: does it let us in, and could messages be moved?"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mailer.feedback.mailboxes.imap_connection import open_imap
from mailer.feedback.mailboxes.imap_options import ImapOptions

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class MailboxView:
    """What a probe found. ``waiting`` is the number of messages in the folder; ``missing`` are the folders
    that would be created.
    """

    waiting: int
    is_read_only: bool
    can_idle: bool
    missing: tuple[str, ...]


def probe_mailbox(options: ImapOptions, *, folders: Iterable[str]) -> MailboxView:
    """Log in, select the folder, and look for the others.

    Raises:
        MailboxError: the mailbox cannot be read; the text says why and what to do.
    """
    options = replace(options, timeout=min(options.timeout, _TIMEOUT_SECONDS))
    with contextlib.closing(open_imap(options)) as connection:
        return MailboxView(
            waiting=len(connection.list_uids()),
            is_read_only=connection.is_read_only,
            can_idle=connection.can_idle,
            missing=tuple(folder for folder in folders if folder and not connection.has_folder(folder)),
        )
