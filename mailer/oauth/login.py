"""Keeps what a sign-in has brought, and ends a sign-in."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from locales.phrase import Phrase, gettext_noop
from mailer.errors import ConfigurationError
from mailer.oauth.access_tokens import make_token_client
from mailer.oauth.errors import OAuthError, SignInFailedError, SignInRequiredError
from mailer.oauth.grant import Grant, make_grant
from mailer.oauth.grant_store import GrantStore
from mailer.oauth.sign_in import SignIn
from mailer.oauth.token_client import TokenResponse


@dataclass(frozen=True, kw_only=True)
class Logout:
    """What became of a sign-in. ``is_revoked`` says that the provider has ended it; ``fault`` why it has not,
    "" if it has or could not be asked. ``was_there`` is false if there was none.
    """

    was_there: bool
    is_revoked: bool = False
    fault: str = ""


def keep_sign_in(sign_in: SignIn, root: Path, response: TokenResponse, *, now: datetime) -> Grant:
    """Keep the tokens of ``response``, in place of an older sign-in.

    Raises:
        SignInFailedError: the provider has not given what is needed.
    """
    name = sign_in.provider.name
    # On Google's consent screen, a person can untick single permissions.
    if response.scopes and _shorten(sign_in.scopes[0]) not in map(_shorten, response.scopes):
        raise SignInFailedError(
            Phrase(
                gettext_noop(
                    "%(name)s did not give access to mail (%(scopes)s). Run `%(command)s` again, and tick "
                    "every box on the page where you consent."
                ),
                name=name,
                scopes=sign_in.scopes[0],
                command=sign_in.command,
            )
        )
    if not sign_in.is_by_application and not response.refresh_token:
        raise SignInFailedError(
            Phrase(
                gettext_noop(
                    "%(name)s gave no refresh token, so the sign-in would end within the hour. Allow "
                    "offline access for the application, or ask for it in scopes (offline_access)."
                ),
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
                gettext_noop(
                    "The sign-in cannot be kept in %(folder)s (%(error)s). Make room, or correct the "
                    "permissions, and run the command again."
                ),
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
    except SignInRequiredError:
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
    """A scope without its place: Microsoft has several names for the same."""
    return scope.rstrip("/").rpartition("/")[2].lower()
