"""One connection to an IMAP mailbox: list, fetch, move, delete and wait, by UIDs."""

import contextlib
import imaplib
import re
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BufferedReader
from typing import cast

from imap_tools.errors import MailboxExpungeError, MailboxTaggedResponseError
from imap_tools.mailbox import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.utils import check_command_status

from locales.phrase import Phrase
from mailer.feedback.mailboxes.imap_options import (
    Encryption,
    FolderRefusedError,
    ImapOptions,
    LoginRefusedError,
    MailboxError,
    MailboxRefusedError,
    explain_command,
    explain_connection,
    explain_login,
)
from mailer.smtp.auth import write_oauthbearer, write_xoauth2

_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_UPDATES = ("EXISTS", "RECENT", "EXPUNGE", "FETCH", "VANISHED")
_IDLE_SLICE_SECONDS = 1.0
_TIMEOUT_SECONDS = 10.0


@dataclass(kw_only=True)
class ImapConnection:
    """A connection that is logged in and has selected its folder. Close it after use. ``uid_validity``
    changes when the server has given new numbers to all messages.
    """

    options: ImapOptions
    uid_validity: int
    is_read_only: bool
    _box: BaseMailBox
    _folders: dict[str, str] = field(default_factory=dict)

    @property
    def can_idle(self) -> bool:
        """Whether the server tells us of new messages by itself (RFC 2177)."""
        return "IDLE" in self._box.client.capabilities

    @property
    def can_move(self) -> bool:
        """Whether the server moves messages in one step (RFC 6851)."""
        return "MOVE" in self._box.client.capabilities

    def list_uids(self, *, after: int = 0) -> list[int]:
        """Return the UIDs above ``after``, in the order of arrival."""
        with explain_command(self.options):
            found = self._box.uids(f"UID {after + 1}:*", charset=None)
        # RFC 3501 §6.4.8: the range always includes the last message, even if its number is lower.
        return sorted(uid for uid in map(int, found) if uid > after)

    def fetch_sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """Return the sizes in bytes; a message that is gone meanwhile is left out."""
        sizes = {}
        for line in self._fetch(uids, "(UID RFC822.SIZE)"):
            text = line if isinstance(line, bytes) else b" ".join(line)
            uid, size = _UID.search(text), _SIZE.search(text)
            if uid and size:
                sizes[int(uid[1])] = int(size[1])
        return sizes

    def fetch(self, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        """Return messages as they arrived, without marking them as read; one that is gone is left out."""
        found: list[tuple[int, bytes]] = []
        content: bytes | None = None
        before = b""
        for line in self._fetch(uids, "(UID BODY.PEEK[])"):
            if isinstance(line, tuple):
                before, content = line
                after = b""
            else:
                after = line
            # The number may stand before or after the message, as the server likes.
            uid = _UID.search(before) or _UID.search(after)
            # Dovecot gives nothing for a message that another connection has deleted.
            if content and uid:
                found.append((int(uid[1]), content))
                content, before = None, b""
        return sorted(found)

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Move messages into ``folder``, which is created if need be; with "", delete them. Raise
        FolderRefusedError if the server refuses; the messages stay. After ConnectionLostError, nobody knows
        whether they were moved.
        """
        if not uids:
            return
        if not folder:
            self._remove(uids)
            return
        target = self._folders.get(folder) or self._find_folder(folder)
        self._folders[folder] = target
        with explain_command(self.options):
            if self.can_move:
                self._box.move(_join(uids), target)
            else:
                self._box.copy(_join(uids), target)
        if not self.can_move:
            self._remove(uids)
        self._forget_updates()

    def wait(self, seconds: float, *, is_over: Callable[[], bool]) -> bool:
        """Wait until something changes in the mailbox, ``seconds`` have passed or ``is_over``; return whether
        the server said anything. Raise ConnectionLostError if the connection was lost, and FolderRefusedError
        if the server refuses to wait.
        """
        idle = self._box.idle
        is_told = False
        with explain_command(self.options):
            try:
                idle.start()  # type: ignore[no-untyped-call]
            except MailboxTaggedResponseError as error:
                raise imaplib.IMAP4.abort("the server did not begin to wait") from error
            is_told = self._has_unread_words()
            end = time.monotonic() + seconds
            while not is_told and time.monotonic() < end and not is_over():
                began = time.monotonic()
                is_told = bool(idle.poll(timeout=_IDLE_SLICE_SECONDS))
                # An answer of nothing before its time is up: the server hung up, which stop() finds out.
                if not is_told and time.monotonic() - began < _IDLE_SLICE_SECONDS:
                    break
            idle.stop()  # type: ignore[no-untyped-call]
        self._forget_updates()
        return is_told

    def has_folder(self, folder: str) -> bool:
        """Return whether there is such a folder, at the top or below INBOX."""
        with explain_command(self.options):
            return any(map(self._box.folder.exists, self._name_candidates(folder)))

    def close(self) -> None:
        """Log out; whatever goes wrong then does not matter any more."""
        with contextlib.suppress(Exception):
            self._box.client.sock.settimeout(2)
            self._box.logout()
        with contextlib.suppress(Exception):
            self._box.client.shutdown()

    def _has_unread_words(self) -> bool:
        """Return whether the server said more than that it waits with us.

        What arrived since we last looked is told right after that, often in the same packet. Then the line is
        in imaplib's buffer already, and nothing shows on the socket, which is all that imap-tools polls.
        """
        client = self._box.client
        timeout = client.sock.gettimeout()
        client.sock.settimeout(0)
        try:
            return bool(cast("BufferedReader", client.file).peek(1))
        except OSError:
            return False
        finally:
            client.sock.settimeout(timeout)

    def _forget_updates(self) -> None:
        """Drop what the server told us in passing: imaplib keeps it all, for as long as we are connected."""
        for name in _UPDATES:
            self._box.client.response(name)

    def _fetch(self, uids: Sequence[int], parts: str) -> list[bytes | tuple[bytes, bytes]]:
        with explain_command(self.options):
            status, lines = self._box.client.uid("FETCH", _join(uids), parts)
        if status != "OK":
            raise FolderRefusedError(str(lines))
        return [line for line in lines if line is not None]

    def _remove(self, uids: Sequence[int]) -> None:
        with explain_command(self.options):
            self._box.flag(_join(uids), r"\Deleted", True)
            if "UIDPLUS" in self._box.client.capabilities:
                check_command_status(self._box.client.uid("EXPUNGE", _join(uids)), MailboxExpungeError)
                return
            marked = {int(uid) for uid in self._box.uids("DELETED", charset=None)}
            if marked <= set(uids):
                self._box.expunge()

    def _find_folder(self, folder: str) -> str:
        """Return the folder's name on this server; create the folder if there is none."""
        candidates = self._name_candidates(folder)
        with explain_command(self.options):
            for name in candidates:
                if self._box.folder.exists(name):
                    return name
        for name in candidates[:-1]:
            with contextlib.suppress(FolderRefusedError), explain_command(self.options):
                self._box.folder.create(name)
                return name
        with explain_command(self.options):
            self._box.folder.create(candidates[-1])
        return candidates[-1]

    def _name_candidates(self, folder: str) -> list[str]:
        """Return the names to try: some servers have every folder below INBOX."""
        inbox = next(iter(self._box.folder.list("", "INBOX")), None)
        delimiter = inbox.delim if inbox is not None else ""
        return [folder, f"INBOX{delimiter}{folder}"] if delimiter not in {"", "NIL"} else [folder]


def open_imap(options: ImapOptions) -> ImapConnection:
    """Connect, log in and select the folder. A token that the server does not take is renewed once. Raise
    MailboxRefusedError if what the settings say does not work at this server, and MailboxError if it cannot
    be reached now.
    """
    secret = options.read_secret()
    try:
        return _open(options, secret)
    except LoginRefusedError:
        # On a new connection: many servers end one whose login failed.
        newer = options.replace_secret(secret)
        if not newer:
            raise
        return _open(options, newer)


def _open(options: ImapOptions, secret: str) -> ImapConnection:
    with explain_connection(options):
        box = _connect(options)
    try:
        with explain_login(options):
            _log_in(box, options, secret)
        return _select(box, options)
    except BaseException:
        with contextlib.suppress(Exception):
            box.client.shutdown()
        raise


def _connect(options: ImapOptions) -> BaseMailBox:
    if options.encryption is Encryption.none:
        return MailBoxUnencrypted(options.host, options.port, timeout=options.timeout)
    context = ssl.create_default_context()
    kind = MailBox if options.encryption is Encryption.implicit else MailBoxStartTls
    return kind(options.host, options.port, timeout=options.timeout, ssl_context=context)


def _log_in(box: BaseMailBox, options: ImapOptions, secret: str) -> None:
    if options.uses_token:
        _authenticate(box, options.user, secret)
    elif (options.user + secret).isascii():
        box.login(options.user, secret, initial_folder=None)
    else:
        box.login_utf8(options.user, secret, initial_folder=None)
    # What a server offers after the login is more than before; imaplib asks before only.
    _, offered = box.client.capability()
    box.client.capabilities = tuple(b" ".join(offered).decode("ascii", "replace").upper().split())


def _authenticate(box: BaseMailBox, user: str, token: str) -> None:
    offered = box.client.capabilities
    is_standard = "AUTH=OAUTHBEARER" in offered and "AUTH=XOAUTH2" not in offered
    write, mechanism = (write_oauthbearer, "OAUTHBEARER") if is_standard else (write_xoauth2, "XOAUTH2")
    answers = [write(user, token).encode()]
    # A refused token is followed by a challenge with the reason. XOAUTH2 wants an empty answer to it, and RFC
    # 7628 §3.2.3 a byte 1.
    box.client.authenticate(
        mechanism, lambda _: answers.pop() if answers else b"\x01" if is_standard else b""
    )


def _select(box: BaseMailBox, options: ImapOptions) -> ImapConnection:
    is_read_only = False
    try:
        with explain_command(options):
            try:
                box.folder.set(options.folder)
            except imaplib.IMAP4.readonly:
                is_read_only = True
                box.folder.set(options.folder, readonly=True)
    except FolderRefusedError as error:
        raise MailboxRefusedError(
            Phrase(
                "%(user)s has no folder %(folder)s at %(server)s: %(error)s. Correct the folder at the "
                "end of [feedback] imap.",
                user=options.user,
                folder=options.folder,
                server=options.server,
                error=error,
            )
        ) from error
    _, validity = box.client.response("UIDVALIDITY")
    if not validity or validity[0] is None:
        raise MailboxError(
            Phrase(
                "%(server)s does not number its messages, which IMAP requires.",
                server=options.server,
            )
        )
    return ImapConnection(options=options, uid_validity=int(validity[0]), is_read_only=is_read_only, _box=box)


def _join(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


@contextlib.contextmanager
def probe_mailbox(options: ImapOptions) -> Iterator[ImapConnection]:
    """Log in and select the folder, with less patience than for reading. Raise MailboxError if the mailbox
    cannot be read; the text says why and what to do.
    """
    options = replace(options, timeout=min(options.timeout, _TIMEOUT_SECONDS))
    with contextlib.closing(open_imap(options)) as connection:
        yield connection
