"""What can go wrong in the SMTP client. A class's docstring is its message where none is given."""


class SmtpError(Exception):
    """The SMTP client could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])


class MessageFormatError(SmtpError):
    """The message cannot be sent or signed as it is; the error says why."""


class MalformedReplyError(SmtpError):
    """The server sent a line or a reply longer than any server should."""

    def __init__(self) -> None:
        super().__init__("the server's reply is too long")


class DkimKeyError(SmtpError):
    """A DKIM key cannot be used; the error says why."""
