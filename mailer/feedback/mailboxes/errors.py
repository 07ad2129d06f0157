"""What can be wrong with a mailbox, in words for the operator."""

from mailer.errors import MailerError


class MailboxError(MailerError):
    """The mailbox cannot be read now; the text says why and what to do."""


class ConnectionLostError(MailboxError):
    """The connection to the mailbox ended. That is usual, and worth a word only if the next one fails."""


class MailboxRefusedError(MailboxError):
    """The server does not let us in: the same attempt will fail until somebody changes something."""


class LoginRefusedError(MailboxRefusedError):
    """The server does not take the password or the token."""


class FolderRefusedError(MailboxError):
    """The server does not move or delete a message. The message stays where it is."""
