"""How to connect to an SMTP server and how long to use each connection."""

from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from mailer.smtp.auth import AuthSetting, Credentials, read_user

_SMTP_PORT, _SUBMISSION_PORT, _SUBMISSIONS_PORT = 25, 587, 465


@dataclass(frozen=True, kw_only=True)
class SmtpOptions:
    """The options of one server. Times are in seconds.

    ``implicit_tls`` speaks TLS from the first byte; ``starttls`` says whether a connection without it must,
    may or must not be upgraded. ``timeout`` is for ordinary replies, ``final_timeout`` for the reply to the
    final dot (RFC 5321 §4.5.3.2). A connection is renewed after ``messages_per_connection`` messages or
    ``connection_seconds``.
    """

    host: str
    port: int
    implicit_tls: bool = False
    starttls: Literal["require", "if-offered", "never"] = "if-offered"
    credentials: Credentials | None = None
    auth: AuthSetting = "auto"
    pipelining: bool = True
    timeout: float = 300
    final_timeout: float = 600
    messages_per_connection: int = 50
    connection_seconds: float = 300

    @classmethod
    def from_url(cls, url: str, *, credentials: Credentials | None = None, **options: Any) -> Self:
        """Return the options for ``smtp://host:587`` or ``smtps://host:465``, with ``options`` as above.

        Without a port it is 465 for ``smtps``, 587 for ``smtp`` with a user, else 25. The user and password
        in the URL are used unless ``credentials`` are given.

        Raises:
            ValueError: the URL names neither scheme, no host, or an invalid port.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError(f"{parts.scheme}://{parts.hostname or ''} is not the URL of an SMTP server")
        implicit_tls = parts.scheme == "smtps"
        usual = _SUBMISSIONS_PORT if implicit_tls else _SUBMISSION_PORT if parts.username else _SMTP_PORT
        return cls(
            host=parts.hostname,
            port=parts.port or usual,
            implicit_tls=implicit_tls,
            credentials=credentials or read_user(url),
            **options,
        )

    @property
    def address(self) -> str:
        """Host and port, as shown to people."""
        return f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the server runs on this machine."""
        return self.host in {"127.0.0.1", "localhost", "::1"}

    @property
    def needs_trusted_certificate(self) -> bool:
        """Whether the server's certificate must be valid.

        It must be for implicit TLS, for ``starttls = "require"`` and whenever a password is sent. Otherwise
        an unverified certificate is still better than clear text (RFC 7435).
        """
        return self.implicit_tls or self.starttls == "require" or self.credentials is not None
