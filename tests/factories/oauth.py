"""Sign-ins at a provider of the tests, and grants as a person's ``mailer login`` leaves them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mailer.keys import KEYS_FILE, write_keys
from mailer.oauth.grant_store import Grant, GrantStore, make_grant
from mailer.oauth.provider import Protocol
from mailer.oauth.sign_in import SignIn
from mailer.oauth.token_client import TokenClient, TokenResponse
from mailer.settings import OAuthSettings
from tests.servers.oauth_provider import ACCOUNT, CLIENT_ID, CLIENT_SECRET, OAuthProvider


def make_sign_in(provider: OAuthProvider, *, protocol: Protocol = Protocol.smtp, **changes: Any) -> SignIn:
    """The sign-in of the relay ``main`` at ``provider``."""
    settings = OAuthSettings.model_validate(provider.settings | changes)
    return SignIn(name="main", user=ACCOUNT, protocol=protocol, settings=settings)


def make_client(provider: OAuthProvider, *, client_secret: str = "", **changes: Any) -> TokenClient:
    return TokenClient(
        provider=make_sign_in(provider).provider,
        client_id=CLIENT_ID,
        client_secret=client_secret,
        **changes,
    )


def make_keys(root: Path) -> Path:
    """``root`` with keys in it."""
    if not (root / KEYS_FILE).exists():
        write_keys(root / KEYS_FILE)
    return root


def write_secret(root: Path) -> Path:
    """The file with the application's secret, relative to ``root``."""
    (root / "client-secret").write_text(f"{CLIENT_SECRET}\n")
    return Path("client-secret")


def sign_in_person(
    provider: OAuthProvider, sign_in: SignIn, root: Path, *, age: timedelta = timedelta(0)
) -> Grant:
    """Keep the grant of somebody who signed in ``age`` ago."""
    access_token, refresh_token = provider.make_grant()
    response = TokenResponse(
        access_token=access_token,
        lifetime=provider.lifetime,
        refresh_token=refresh_token,
        scopes=sign_in.scopes,
        account=ACCOUNT,
    )
    grant = make_grant(sign_in, response, datetime.now(UTC) - age)
    GrantStore(root=make_keys(root)).write(sign_in.name, grant)
    return grant
