"""Authentication at an SMTP server (RFC 4954, RFC 4616, RFC 7628, XOAUTH2).

Nothing here knows a socket. The connection says what it was offered, writes what it is given and passes on
each challenge.
"""

import base64
import binascii
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, Protocol
from urllib.parse import unquote, urlsplit

from locales.phrase import gettext_noop
from mailer.smtp.interfaces import ConnectionFailedError
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, clean_reply_text

AuthSetting = Literal["auto", "plain", "login", "xoauth2", "oauthbearer"]
"""The mechanism to use; "auto" takes the best the server offers."""

# RFC 5321 §4.5.3.1.4: a command line has at most 512 octets, its CRLF included. RFC 4954 §4: an initial
# response that would make it longer waits for the server's 334; then every server must accept 12,288 octets.
_MAX_COMMAND_LENGTH = 512
_MAX_RESPONSE_LENGTH = 12_288
_CANCEL = "*"
_MIN_SECRET_LENGTH = 6


class AuthMechanism(StrEnum):
    """An authentication mechanism; the value is its name in SMTP."""

    xoauth2 = "XOAUTH2"
    oauthbearer = "OAUTHBEARER"
    plain = "PLAIN"
    login = "LOGIN"

    @property
    def takes_token(self) -> bool:
        return self in {AuthMechanism.xoauth2, AuthMechanism.oauthbearer}


class TokenSource(Protocol):
    """Supplies the tokens to log in with. For several connections at once, in one event loop."""

    async def read(self) -> str:
        """Return a token that should work now. Raise ConnectionFailedError if there is none; the outcome says
        whether to wait or to stop."""

    async def replace(self, refused: str) -> str:
        """Return another token than ``refused``, which the server does not take; "" if there is no other.
        Raises as :meth:`read` does."""

    def refuse(self, token: str) -> None:
        """Learn that the server has ended a session because of ``token``, so that it is not used again."""


@dataclass(frozen=True, kw_only=True)
class TokenFile:
    """A token in a file that another program rewrites."""

    path: Path

    async def read(self) -> str:
        try:
            return read_first_line(self.path)
        except (OSError, ValueError) as error:
            raise _auth_failed(
                gettext_noop(
                    "token_file: %(path)s cannot be read or is empty. Its first line must be the OAuth token"
                )
                % {"path": self.path}
            ) from error

    async def replace(self, refused: str) -> str:
        token = await self.read()
        return "" if token == refused else token

    def refuse(self, token: str) -> None:
        """Nothing to do: the file is read at every login."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The user and secret to authenticate with. Neither the password nor a token is ever shown."""

    user: str
    password: str = field(default="", repr=False)
    tokens: TokenSource | None = field(default=None, repr=False)


def read_user(url: str) -> Credentials | None:
    """Return the user and password in ``url``; None if it names no user. Raise ValueError if there is a user
    without a password.
    """
    parts = urlsplit(url)
    if not parts.username:
        return None
    if not parts.password:
        raise ValueError("the URL names a user but no password")
    return Credentials(user=unquote(parts.username), password=unquote(parts.password))


def read_first_line(path: Path) -> str:
    """Return the first line of the file, which holds a secret. Raise OSError if the file cannot be read, and
    ValueError if it is not text, or its first line is empty."""
    first, *_ = [*path.read_text(encoding="utf-8").splitlines(), ""]
    if not first.strip():
        raise ValueError("the first line is empty")
    return first.strip()


def choose_mechanism(
    offered: Collection[str], setting: AuthSetting, *, has_token: bool, has_password: bool = True
) -> AuthMechanism:
    """Choose a mechanism from those ``offered`` (in upper or lower case). Raise ConnectionFailedError if none
    can be used; the outcome stops the campaign and says what to set."""
    names = {name.upper() for name in offered}
    there = ", ".join(sorted(names)) or "none"
    if setting != "auto":
        return _require_mechanism(AuthMechanism[setting], names, there, has_token, has_password)
    usable = [AuthMechanism.xoauth2, AuthMechanism.oauthbearer] if has_token else []
    usable += [AuthMechanism.plain, AuthMechanism.login] if has_password else []
    for mechanism in usable:
        if mechanism in names:
            return mechanism
    if not names:
        raise _auth_failed(
            gettext_noop(
                "the server does not offer authentication on this port. Use its submission port (587 or "
                "465), or remove the user from the url"
            )
        )
    ours = " and ".join(mechanism.value for mechanism in usable)
    missing = "password_file" if has_token else "oauth or token_file"
    raise _auth_failed(
        gettext_noop(
            "the server offers %(there)s; only %(ours)s can be used with these settings. To use "
            "another, set %(missing)s"
        )
        % {"there": there, "ours": ours, "missing": missing}
    )


def _require_mechanism(
    mechanism: AuthMechanism, names: set[str], there: str, has_token: bool, has_password: bool
) -> AuthMechanism:
    asked = f'auth = "{mechanism.name}"'
    if mechanism not in names:
        raise _auth_failed(
            gettext_noop(
                "%(asked)s needs %(mechanism)s, which the server does not offer. It offers: %(there)s. "
                'Set auth = "auto"'
            )
            % {"asked": asked, "mechanism": mechanism, "there": there}
        )
    if mechanism.takes_token and not has_token:
        raise _auth_failed(
            gettext_noop("%(asked)s needs a token. Set oauth, or token_file to the file that holds the token")
            % {"asked": asked}
        )
    if not mechanism.takes_token and not has_password:
        raise _auth_failed(
            gettext_noop("%(asked)s needs a password. Set password_file to the file that holds it")
            % {"asked": asked}
        )
    return mechanism


class AuthExchange:
    """One authentication exchange. Use a new one for every connection.

    The connection writes ``AUTH <mechanism>``, followed by a space and :meth:`initial_response` if that is
    not empty; then, for each 334, what :meth:`respond` returns. Any other reply ends the exchange.
    """

    def __init__(self, mechanism: AuthMechanism, responses: list[str], secret: str) -> None:
        self.mechanism = mechanism
        self._responses = responses
        # A very short one would hide words of the server, and is no secret.
        self._secrets = [text for text in (*responses, secret) if len(text) >= _MIN_SECRET_LENGTH]
        self.error_detail = ""
        """What the server said about a rejected token besides its reply; empty if nothing."""

    def initial_response(self) -> str:
        """Return what follows ``AUTH`` and the mechanism on their line, in base64; "" to wait for a 334."""
        if self.mechanism is AuthMechanism.login:
            # LOGIN has no initial response; only some servers accept one anyway.
            return ""
        if len(f"AUTH {self.mechanism} {self._responses[0]}\r\n") > _MAX_COMMAND_LENGTH:
            return ""
        return self._responses.pop(0)

    def respond(self, challenge: str) -> str:
        """Return the line that answers ``334 challenge``; ``*`` cancels when nothing is left to say.

        The text of LOGIN's challenges is ignored: servers word it as they like, but the order never changes.
        """
        if self._responses:
            return self._responses.pop(0)
        if self.mechanism.takes_token and not self.error_detail:
            self.error_detail = _decode_error(challenge)
            # The 535 follows this line; without it both sides would wait. RFC 7628 §3.2.3 asks for a byte 1.
            return "" if self.mechanism is AuthMechanism.xoauth2 else _encode("\x01")
        return _CANCEL

    def hide_secrets(self, text: str) -> str:
        """``text`` without what was sent to log in: a server may quote the line that it refuses."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text


def start_exchange(mechanism: AuthMechanism, credentials: Credentials, token: str = "") -> AuthExchange:
    """Start authenticating ``credentials`` by ``mechanism``, with ``token`` if it takes one. Raise
    ConnectionFailedError if a response is longer than servers must accept.
    """
    secret = token if mechanism.takes_token else credentials.password
    responses = [_encode(text) for text in _RESPONSES[mechanism](credentials.user, secret)]
    if any(len(response) > _MAX_RESPONSE_LENGTH for response in responses):
        raise _auth_failed(
            gettext_noop(
                "the password or token is longer than the %(octets)s octets of RFC 4954. "
                "Check what its file contains"
            )
            % {"octets": f"{_MAX_RESPONSE_LENGTH:,}"}
        )
    return AuthExchange(mechanism, responses, secret)


def write_xoauth2(user: str, token: str) -> str:
    """Return the response of XOAUTH2, as Google and Microsoft document it; the same in SMTP and IMAP."""
    return f"user={user}\x01auth=Bearer {token}\x01\x01"


def write_oauthbearer(user: str, token: str) -> str:
    """Return the response of OAUTHBEARER (RFC 7628 §3.1, RFC 5801 §4 for the user), the same in SMTP and
    IMAP."""
    name = user.replace("=", "=3D").replace(",", "=2C")
    return f"n,a={name},\x01auth=Bearer {token}\x01\x01"


_RESPONSES: Final[dict[AuthMechanism, Callable[[str, str], list[str]]]] = {
    AuthMechanism.plain: lambda user, password: [f"\0{user}\0{password}"],
    AuthMechanism.login: lambda user, password: [user, password],
    AuthMechanism.xoauth2: lambda user, token: [write_xoauth2(user, token)],
    AuthMechanism.oauthbearer: lambda user, token: [write_oauthbearer(user, token)],
}


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decode_error(challenge: str) -> str:
    """Decode the challenge of a refused token: base64 of JSON such as {"status": "400", "scope": …}."""
    try:
        said = json.loads(base64.b64decode(challenge, validate=True))
        words = ", ".join(f"{key} {value}" for key, value in said.items())
    except (binascii.Error, ValueError, AttributeError):
        words = ""
    return clean_reply_text(words) or gettext_noop("the server did not accept the token")


def _auth_failed(words: str) -> ConnectionFailedError:
    return ConnectionFailedError(Outcome(verdict=Verdict.stop, stage=Stage.login, text=words, reconnect=True))
