"""SMTP authentication: choose a mechanism and answer each challenge (RFC 4954, RFC 4616, XOAUTH2).

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
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from mailer.smtp.interfaces import ConnectionFailedError
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, clean_reply_text

AuthSetting = Literal["auto", "plain", "login", "xoauth2"]
"""The mechanism to use; "auto" takes the best the server offers."""

# RFC 5321 §4.5.3.1.4: a command line has at most 512 octets, its CRLF included. RFC 4954 §4: an initial
# response that would make it longer waits for the server's 334; then every server must accept 12,288 octets.
_MAX_COMMAND_LENGTH = 512
_MAX_RESPONSE_LENGTH = 12_288
_CANCEL = "*"


class AuthMechanism(StrEnum):
    """An authentication mechanism; the value is its name in SMTP."""

    xoauth2 = "XOAUTH2"
    """A token that is renewed regularly, in place of a password."""

    plain = "PLAIN"
    """User and password in one response."""

    login = "LOGIN"
    """User and password one after the other; older than the standard, and some servers offer nothing else."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The user and secret to authenticate with. Neither the password nor the token is ever shown."""

    user: str
    password: str = field(default="", repr=False)
    token_file: Path | None = None

    @property
    def has_password(self) -> bool:
        return self.password != ""

    @property
    def has_token(self) -> bool:
        return self.token_file is not None

    def read_token(self) -> str:
        """Read the current token: the program that renews it rewrites the file.

        Raises:
            ConnectionFailedError: the file cannot be read or is empty; authentication cannot succeed.
        """
        assert self.token_file is not None  # noqa: S101 - the mechanism was chosen for it
        try:
            return read_first_line(self.token_file)
        except (OSError, ValueError) as error:
            raise _auth_failed(
                f"token_file: {self.token_file} cannot be read or is empty. Its first line must be the "
                "OAuth token"
            ) from error


def read_user(url: str) -> Credentials | None:
    """Return the user and password in ``url``; None if it names no user.

    Raises:
        ValueError: there is a user without a password.
    """
    parts = urlsplit(url)
    if not parts.username:
        return None
    if not parts.password:
        raise ValueError("the URL names a user but no password")
    return Credentials(user=unquote(parts.username), password=unquote(parts.password))


def read_first_line(path: Path) -> str:
    """Return the first line of the file, which holds a secret.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not text, or its first line is empty.
    """
    first, *_ = [*path.read_text(encoding="utf-8").splitlines(), ""]
    if not first.strip():
        raise ValueError("the first line is empty")
    return first.strip()


def choose_mechanism(
    offered: Collection[str], setting: AuthSetting, *, has_token: bool, has_password: bool = True
) -> AuthMechanism:
    """Choose a mechanism from those ``offered`` (in upper or lower case).

    "auto" prefers XOAUTH2 if there is a token, then PLAIN, then LOGIN.

    Raises:
        ConnectionFailedError: none can be used; the outcome stops the campaign and says what to set.
    """
    names = {name.upper() for name in offered}
    there = ", ".join(sorted(names)) or "none"
    if setting != "auto":
        return _require_mechanism(AuthMechanism[setting], names, there, has_token, has_password)
    usable = [AuthMechanism.xoauth2] if has_token else []
    usable += [AuthMechanism.plain, AuthMechanism.login] if has_password else []
    for mechanism in usable:
        if mechanism in names:
            return mechanism
    if not names:
        raise _auth_failed(
            "the server does not offer authentication on this port. Use its submission port (587 or 465), or "
            "remove the user from the url"
        )
    ours = " and ".join(mechanism.value for mechanism in usable)
    missing = "password_file" if has_token else "token_file"
    raise _auth_failed(
        f"the server offers {there}; only {ours} can be used with these settings. To use another, "
        f"set {missing}"
    )


def _require_mechanism(
    mechanism: AuthMechanism, names: set[str], there: str, has_token: bool, has_password: bool
) -> AuthMechanism:
    asked = f'auth = "{mechanism.name}"'
    if mechanism not in names:
        raise _auth_failed(
            f"{asked} needs {mechanism}, which the server does not offer. It offers: {there}. "
            'Set auth = "auto"'
        )
    if mechanism is AuthMechanism.xoauth2 and not has_token:
        raise _auth_failed(f"{asked} needs a token. Set token_file to the file that holds it")
    if mechanism is not AuthMechanism.xoauth2 and not has_password:
        raise _auth_failed(f"{asked} needs a password. Set password_file to the file that holds it")
    return mechanism


class AuthExchange:
    """One authentication exchange. Use a new one for every connection.

    The connection writes ``AUTH <mechanism>``, followed by a space and :meth:`initial_response` if that is
    not empty; then, for each 334, a line with what :meth:`respond` returns. Any other reply ends the
    exchange.
    """

    def __init__(self, mechanism: AuthMechanism, responses: list[str]) -> None:
        self.mechanism = mechanism
        self._responses = responses
        self._error_detail = ""

    @property
    def error_detail(self) -> str:
        """What the server said about a rejected token besides its reply; empty if nothing."""
        return self._error_detail

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
        if self.mechanism is AuthMechanism.xoauth2 and not self._error_detail:
            self._error_detail = _decode_error(challenge)
            # The 535 follows this empty line; without it both sides would wait.
            return ""
        return _CANCEL


def start_exchange(mechanism: AuthMechanism, credentials: Credentials) -> AuthExchange:
    """Start authenticating ``credentials`` by ``mechanism``. The token is read now.

    Raises:
        ConnectionFailedError: the token cannot be read, or a response is longer than servers must accept.
    """
    responses = [_encode(text) for text in _RESPONSES[mechanism](credentials)]
    if any(len(response) > _MAX_RESPONSE_LENGTH for response in responses):
        raise _auth_failed(
            f"the password or token is longer than the {_MAX_RESPONSE_LENGTH:,} octets of RFC 4954. "
            "Check what its file contains"
        )
    return AuthExchange(mechanism, responses)


def _plain_responses(credentials: Credentials) -> list[str]:
    return [f"\0{credentials.user}\0{credentials.password}"]


def _login_responses(credentials: Credentials) -> list[str]:
    return [credentials.user, credentials.password]


def _xoauth2_responses(credentials: Credentials) -> list[str]:
    return [f"user={credentials.user}\x01auth=Bearer {credentials.read_token()}\x01\x01"]


_RESPONSES: Final[dict[AuthMechanism, Callable[[Credentials], list[str]]]] = {
    AuthMechanism.plain: _plain_responses,
    AuthMechanism.login: _login_responses,
    AuthMechanism.xoauth2: _xoauth2_responses,
}


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decode_error(challenge: str) -> str:
    """Decode XOAUTH2's error challenge: base64 of JSON such as {"status": "400", "scope": …}."""
    try:
        said = json.loads(base64.b64decode(challenge, validate=True))
        words = ", ".join(f"{key} {value}" for key, value in said.items())
    except (binascii.Error, ValueError, AttributeError):
        words = ""
    return clean_reply_text(words) or "the server did not accept the token"


def _auth_failed(words: str) -> ConnectionFailedError:
    return ConnectionFailedError(Outcome(verdict=Verdict.stop, stage=Stage.login, text=words, reconnect=True))
