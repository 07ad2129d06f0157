"""Why a comment was not taken."""

from mailer.errors import MailerError


class CommentError(MailerError):
    """The comment was not changed; the message says why, in English, for pages to translate."""


class CommentGoneError(CommentError):
    """The comment, or the one that it replied to, has been deleted."""
