"""Keeps what a sign-in has brought, and ends a sign-in."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from locales.phrase import Phrase, read_error
from mailer.atomic_write import write_atomically
from mailer.errors import ConfigurationError
from mailer.oauth.access_tokens import make_token_client
from mailer.oauth.browser_sign_in import AuthorizationRequest, make_authorization_request, redeem_address
from mailer.oauth.grant_store import Grant, GrantStore, make_grant
from mailer.oauth.provider import OAuthError, OAuthSignInRequiredError, SignInFailedError
from mailer.oauth.sign_in import SignIn
from mailer.oauth.token_client import DeviceCode, DeviceEndedError, DevicePendingError, TokenResponse

_SLOWER = timedelta(seconds=5)  # RFC 8628 §3.5
_PASTE_LIFETIME = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Logout:
    """What became of a sign-in. ``is_revoked`` says that the provider has ended it; ``fault`` why it has not,
    "" if it has or could not be asked. ``was_there`` is false if there was none.
    """

    was_there: bool
    is_revoked: bool = False
    fault: str = ""


def keep_sign_in(sign_in: SignIn, root: Path, response: TokenResponse, *, now: datetime) -> Grant:
    """Keep the tokens of ``response``, in place of an older sign-in. Raise SignInFailedError if the provider
    has not given what is needed.
    """
    name = sign_in.provider.name
    # On Google's consent screen, a person can untick single permissions.
    if response.scopes and _shorten(sign_in.scopes[0]) not in map(_shorten, response.scopes):
        raise SignInFailedError(
            Phrase(
                "%(name)s did not give access to mail (%(scopes)s). Run `%(command)s` again, and tick "
                "every box on the page where you consent.",
                name=name,
                scopes=sign_in.scopes[0],
                command=sign_in.command,
            )
        )
    if not sign_in.is_by_application and not response.refresh_token:
        raise SignInFailedError(
            Phrase(
                "%(name)s gave no refresh token, so the sign-in would end within the hour. Allow "
                "offline access for the application, or ask for it in scopes (offline_access).",
                name=name,
            )
        )
    grant = make_grant(sign_in, response, now)
    store = GrantStore(root=root)
    try:
        with store.locked(sign_in.name):
            store.write(sign_in.name, grant)
    except OSError as error:
        raise SignInFailedError(
            Phrase(
                "The sign-in cannot be kept in %(folder)s (%(error)s). Make room, or correct the "
                "permissions, and run the command again.",
                folder=store.folder,
                error=error.strerror,
            )
        ) from error
    return grant


def end_sign_in(sign_in: SignIn, root: Path) -> Logout:
    """Revoke the sign-in at the provider, where that is possible, and forget it."""
    store = GrantStore(root=root)
    try:
        grant = store.read(sign_in.name)
    except OAuthSignInRequiredError:
        # It cannot be decrypted, and so not be revoked.
        grant = None
    token = grant.refresh_token if grant is not None and grant.belongs_to(sign_in) else ""
    is_revoked, fault = False, ""
    if token and sign_in.provider.revocation_url:
        try:
            make_token_client(sign_in, root).revoke(token)
            is_revoked = True
        except (OAuthError, ConfigurationError) as error:
            fault = str(error)
    return Logout(was_there=store.remove(sign_in.name), is_revoked=is_revoked, fault=fault)


def _shorten(scope: str) -> str:
    """Return a scope without its place: Microsoft has several names for the same."""
    return scope.rstrip("/").rpartition("/")[2].lower()


class SignInWay(StrEnum):
    """How a person signs in."""

    code = "code"
    """With a code that they type in on any device."""

    address = "address"
    """In a browser, whose last address they bring back."""

    application = "application"
    """Not at all: the application signs in by itself."""


@dataclass(frozen=True, kw_only=True)
class PendingSignIn:
    """A sign-in that waits for a person until ``ends_at``, by a code or by an address to open.

    ``asks_at`` is when the provider may be asked next.
    """

    sign_in: SignIn
    ends_at: datetime
    asks_at: datetime
    code: DeviceCode | None = None
    request: AuthorizationRequest | None = None
    interval: timedelta = timedelta()


def choose_way(sign_in: SignIn) -> SignInWay:
    """Return how to sign in where no browser on the program's own machine can be waited for."""
    if sign_in.is_by_application:
        return SignInWay.application
    # Google's device flow refuses the scope of mail.
    has_code = sign_in.settings.provider != "google" or sign_in.settings.device_url
    return SignInWay.code if has_code and sign_in.provider.device_url else SignInWay.address


@dataclass(frozen=True, kw_only=True)
class PendingSignIns:
    root: Path

    def find(self, sign_in: SignIn, *, now: datetime) -> PendingSignIn | None:
        """Return what waits for ``sign_in``; None if nothing does, or no longer, or it cannot be read."""
        store = GrantStore(root=self.root)
        try:
            header, _, sealed = self._find_path(sign_in).read_bytes().partition(b"\n")
            found = _from_json(sign_in, store.unseal(_name_file(sign_in), header, sealed))
        except (OSError, ValueError, KeyError, TypeError, ConfigurationError):
            return None
        return found if found is not None and now < found.ends_at else None

    def begin(self, sign_in: SignIn, *, now: datetime) -> Grant | None:
        """Begin to sign in, in place of what waits. Return the sign-in if the application needs no person.
        Raise OAuthError if the provider gives no code, or does not sign the application in, and
        ConfigurationError if the application's secret cannot be read.
        """
        client = make_token_client(sign_in, self.root)
        match choose_way(sign_in):
            case SignInWay.application:
                response = client.request_application_token(sign_in.scopes)
                return keep_sign_in(sign_in, self.root, response, now=now)
            case SignInWay.code:
                code = client.request_device_code(sign_in.scopes)
                self._keep(
                    PendingSignIn(
                        sign_in=sign_in,
                        ends_at=now + timedelta(seconds=code.lifetime),
                        asks_at=now,
                        code=code,
                        interval=timedelta(seconds=code.interval),
                    )
                )
            case SignInWay.address:
                request = make_authorization_request(client, sign_in.scopes, user=sign_in.user)
                self._keep(
                    PendingSignIn(
                        sign_in=sign_in, ends_at=now + _PASTE_LIFETIME, asks_at=now, request=request
                    )
                )
        return None

    def finish(self, pending: PendingSignIn, *, address: str = "", now: datetime) -> Grant | None:
        """Ask whether the person has signed in; ``address`` is the one that their browser ended at. Return
        the sign-in, or None if they have not finished yet. Raise OAuthError if they declined, the code has
        expired, or the provider gives no token, and ConfigurationError as :meth:`begin` does.
        """
        client = make_token_client(pending.sign_in, self.root)
        if pending.request is not None:
            response = redeem_address(client, pending.request, address)
        else:
            assert pending.code is not None  # noqa: S101 - one of both
            if now < pending.asks_at:
                return None
            self._keep(replace(pending, asks_at=now + pending.interval))
            try:
                response = client.redeem_device_code(pending.code)
            except DevicePendingError as error:
                wait = pending.interval + (_SLOWER if error.slow_down else timedelta())
                self._keep(replace(pending, asks_at=now + wait, interval=wait))
                return None
            except DeviceEndedError as error:
                self.forget(pending.sign_in)
                raise SignInFailedError(read_error(error)) from error
        grant = keep_sign_in(pending.sign_in, self.root, response, now=now)
        self.forget(pending.sign_in)
        return grant

    def forget(self, sign_in: SignIn) -> None:
        self._find_path(sign_in).unlink(missing_ok=True)

    def _keep(self, pending: PendingSignIn) -> None:
        store = GrantStore(root=self.root)
        name = _name_file(pending.sign_in)
        try:
            store.folder.mkdir(mode=0o700, exist_ok=True)
            write_atomically(self._find_path(pending.sign_in), store.seal(name, _to_json(pending)))
        except OSError as error:
            raise SignInFailedError(
                Phrase(
                    "%(folder)s could not be written (%(error)s). Make room, or correct the "
                    "permissions, and begin again.",
                    folder=store.folder,
                    error=error.strerror,
                )
            ) from error

    def _find_path(self, sign_in: SignIn) -> Path:
        return GrantStore(root=self.root).folder / _name_file(sign_in)


def _name_file(sign_in: SignIn) -> str:
    return f"{sign_in.name}.pending"


def _to_json(pending: PendingSignIn) -> bytes:
    values = {
        "settings": pending.sign_in.settings.model_dump(mode="json"),
        "user": pending.sign_in.user,
        "ends_at": pending.ends_at.isoformat(),
        "asks_at": pending.asks_at.isoformat(),
        "interval": pending.interval.total_seconds(),
        "code": asdict(pending.code) if pending.code else None,
        "request": asdict(pending.request) if pending.request else None,
    }
    return json.dumps(values).encode()


def _from_json(sign_in: SignIn, text: bytes) -> PendingSignIn | None:
    """Return what was kept, if it is about the application and the user that the settings name now."""
    values = json.loads(text)
    if (values["settings"], values["user"]) != (sign_in.settings.model_dump(mode="json"), sign_in.user):
        return None
    return PendingSignIn(
        sign_in=sign_in,
        ends_at=datetime.fromisoformat(values["ends_at"]),
        asks_at=datetime.fromisoformat(values["asks_at"]),
        interval=timedelta(seconds=values["interval"]),
        code=DeviceCode(**values["code"]) if values["code"] else None,
        request=AuthorizationRequest(**values["request"]) if values["request"] else None,
    )
