"""Signing in at the organisation: a client of OpenID Connect (Core 1.0, with PKCE by RFC 7636).

Everything that the provider says is checked before it is believed: the signature of the ID token with the
provider's own keys, by algorithms that need them; who made it, for whom, until when; and the nonce that only
this browser was given.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlsplit

from sqlmodel import Session, col, delete, select

from mailer.database.team_models import OrganisationAccount
from mailer.errors import MailerError
from mailer.settings import LOOPBACK_HOSTS
from mailer.team.members import Member, find_member, find_member_by_address
from mailer.workspace import Workspace
from subscribers.address import normalise_address
from subscribers.errors import AddressError

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

_TIMEOUT_SECONDS = 10.0
_MAX_BYTES = 256 * 1024
_KEPT_SECONDS = 3600.0
# A token with a key that we do not know makes us ask for the keys again, but not at every token.
_KEYS_AGAIN_SECONDS = 60.0
_LEEWAY = timedelta(minutes=2)
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SCOPE = "openid email profile"
_MAX_SUBJECT = 255


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom a provider says that somebody is. ``subject`` is what ``issuer`` calls them for ever; ``email``
    may pass to somebody else. ``is_verified`` says that the provider vouches for the address."""

    issuer: str
    subject: str
    email: str
    is_verified: bool


class UnknownIdentityError(MailerError):
    """Nobody of the team has this account."""


class OtherIdentityError(MailerError):
    """The member signs in with another account."""


def find_identity_member(
    session: Session, identity: Identity, *, domains: tuple[str, ...], now: datetime
) -> Member:
    """Find the member whose account this is. The first time it is found by the address that the provider
    vouches for, and kept. ``domains`` are those that an address must have, if any. The caller commits. Raise
    UnknownIdentityError if there is none, or the provider does not vouch for an address that we accept, and
    OtherIdentityError if the address is that of a member who has another account.
    """
    found = select(OrganisationAccount).where(
        OrganisationAccount.issuer == identity.issuer, OrganisationAccount.subject == identity.subject
    )
    row = session.exec(found).one_or_none()
    if row is not None:
        member = find_member(session, row.member_id)
        if member is None:
            raise UnknownIdentityError
        return member
    member = _find_by_address(session, identity, domains)
    if session.get(OrganisationAccount, member.id) is not None:
        raise OtherIdentityError
    session.add(
        OrganisationAccount(
            member_id=member.id, issuer=identity.issuer, subject=identity.subject, linked_at=now
        )
    )
    session.flush()
    return member


def find_organisation_account(session: Session, member_id: int) -> str:
    """Return the issuer of a member's account at the organisation; "" if they have none."""
    row = session.get(OrganisationAccount, member_id)
    return row.issuer if row is not None else ""


def delete_organisation_account(session: Session, member_id: int) -> bool:
    """Forget a member's account at the organisation; return False if there was none. The caller commits."""
    gone = session.exec(delete(OrganisationAccount).where(col(OrganisationAccount.member_id) == member_id))
    return gone.rowcount == 1


def _find_by_address(session: Session, identity: Identity, domains: tuple[str, ...]) -> Member:
    try:
        email = normalise_address(identity.email).email if identity.is_verified else ""
    except AddressError:
        email = ""
    if domains and email.rpartition("@")[2] not in domains:
        email = ""
    member = find_member_by_address(session, email) if email else None
    if member is None:
        raise UnknownIdentityError
    return member


class OpenIdError(MailerError):
    """The organisation's sign-in did not work."""


class ProviderDownError(OpenIdError):
    """The provider does not answer, or not with what it should."""


class IdentityRefusedError(OpenIdError):
    """What the provider or the browser brought back cannot be believed."""


@dataclass(frozen=True, kw_only=True)
class OpenIdRequest:
    """Where a browser is sent, and what it has to bring back; ``verifier`` proves that we redeem the code."""

    url: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class _Endpoints:
    """What a provider says of itself (OpenID Connect Discovery 1.0 §3)."""

    authorization: str
    token: str
    keys: str
    takes_secret_in_body: bool


def open_provider(workspace: Workspace) -> "OpenIdProvider | None":
    """Return the provider that the settings name; None if they name none. Nothing is asked of it yet.

    The file with the secret is read when the secret is needed, so that a new one needs no restart.
    """
    settings = workspace.settings.studio.oidc
    if settings is None:
        return None

    def read_secret() -> str:
        if settings.client_secret_file is None:
            return ""
        path = workspace.root / settings.client_secret_file
        try:
            return path.read_text(encoding="utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ProviderDownError(f"[studio.oidc] client_secret_file: cannot read {path}.") from error

    return OpenIdProvider(settings.issuer, settings.client_id, read_secret=read_secret)


class OpenIdProvider:
    """A provider at ``issuer``, for the application ``client_id``. Its answers about itself are kept for an
    hour. Thread-safe."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        read_secret: Callable[[], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self._client_id = client_id
        self._read_secret = read_secret
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._endpoints: tuple[float, _Endpoints] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def begin(self, redirect_uri: str) -> OpenIdRequest:
        """Make the address where a person signs in. Raise ProviderDownError if there is no answer."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        state, nonce, verifier = (secrets.token_urlsafe(n) for n in (24, 24, 48))
        url = prepare_grant_uri(
            self._find_endpoints().authorization,
            self._client_id,
            "code",
            redirect_uri=redirect_uri,
            scope=_SCOPE,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return OpenIdRequest(url=url, state=state, nonce=nonce, verifier=verifier)

    def redeem(self, code: str, *, redirect_uri: str, verifier: str, nonce: str, now: datetime) -> Identity:
        """Turn the code that a browser brought back into who it is. Raise ProviderDownError if the provider
        does not answer, and IdentityRefusedError if it refuses the code, or its token cannot be believed.
        """
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        token = self._post(self._find_endpoints(), body).get("id_token")
        if not isinstance(token, str):
            raise IdentityRefusedError("The provider gave no ID token.")
        return self._read_token(token, nonce, now)

    def _read_token(self, token: str, nonce: str, now: datetime) -> Identity:
        claims = self._verify(token)
        moment, leeway = now.timestamp(), _LEEWAY.total_seconds()
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        subject, expires = claims.get("sub"), claims.get("exp")
        issued = claims.get("iat")
        checks = {
            "issuer": claims.get("iss") == self.issuer,
            "audience": self._client_id in audiences,
            "authorised party": claims.get("azp", self._client_id) == self._client_id
            and (len(audiences) == 1 or "azp" in claims),
            "expiry": isinstance(expires, int | float) and expires > moment - leeway,
            "time of issue": isinstance(issued, int | float) and issued < moment + leeway,
            "nonce": claims.get("nonce") == nonce and bool(nonce),
            "subject": isinstance(subject, str) and 0 < len(subject) <= _MAX_SUBJECT,
        }
        if wrong := [name for name, is_right in checks.items() if not is_right]:
            raise IdentityRefusedError(f"The provider's ID token has a wrong {wrong[0]}.")
        email = claims.get("email")
        return Identity(
            issuer=self.issuer,
            subject=str(subject),
            email=email if isinstance(email, str) else "",
            # Some providers write it as text.
            is_verified=claims.get("email_verified") is True or claims.get("email_verified") == "true",
        )

    def _verify(self, token: str) -> Mapping[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        for is_last in (False, True):
            keys = self._find_keys(again=is_last)
            try:
                decoded = jwt.decode(token, keys, algorithms=list(_ALGORITHMS))
            except (JoseError, ValueError) as error:
                # Providers change their keys; ours may be those of yesterday.
                if is_last:
                    raise IdentityRefusedError("The provider's ID token is not signed by it.") from error
                continue
            return decoded.claims
        raise IdentityRefusedError

    def _find_endpoints(self) -> _Endpoints:
        with self._lock:
            kept = self._endpoints
        if kept is not None and self._monotonic() - kept[0] < _KEPT_SECONDS:
            return kept[1]
        known = self._request("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if known.get("issuer") != self.issuer:
            raise ProviderDownError(
                f"The provider calls itself {str(known.get('issuer'))[:200]!r}, and not what "
                f"[studio.oidc] issuer says."
            )
        methods = known.get("token_endpoint_auth_methods_supported")
        endpoints = _Endpoints(
            authorization=_check_url(known.get("authorization_endpoint")),
            token=_check_url(known.get("token_endpoint")),
            keys=_check_url(known.get("jwks_uri")),
            takes_secret_in_body=isinstance(methods, list) and "client_secret_basic" not in methods,
        )
        with self._lock:
            self._endpoints = (self._monotonic(), endpoints)
        return endpoints

    def _find_keys(self, *, again: bool) -> "KeySet":
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        with self._lock:
            kept = self._keys
        wanted = _KEYS_AGAIN_SECONDS if again else _KEPT_SECONDS
        if kept is not None and self._monotonic() - kept[0] < wanted:
            return kept[1]
        try:
            keys = KeySet.import_key_set(self._request("GET", self._find_endpoints().keys))  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProviderDownError("The provider's keys cannot be read.") from error
        with self._lock:
            self._keys = (self._monotonic(), keys)
        return keys

    def _post(self, endpoints: _Endpoints, body: dict[str, str]) -> Mapping[str, Any]:
        secret = self._read_secret()
        if secret and not endpoints.takes_secret_in_body:
            # RFC 6749 §2.3.1 has both quoted as in a form.
            auth = (quote_plus(self._client_id), quote_plus(secret))
            return self._request("POST", endpoints.token, body, auth=auth)
        own = {"client_id": self._client_id, **({"client_secret": secret} if secret else {})}
        return self._request("POST", endpoints.token, {**body, **own})

    def _request(
        self,
        method: str,
        url: str,
        body: dict[str, str] | None = None,
        *,
        auth: tuple[str, str] | None = None,
    ) -> Mapping[str, Any]:
        # Not imported at the top: it takes a tenth of a second to load.
        import httpx2

        try:
            with (
                httpx2.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as client,
                client.stream(
                    method, url, data=body, auth=auth, headers={"accept": "application/json"}
                ) as response,
            ):
                text = _read_limited(response.iter_bytes(), self._monotonic)
                status = response.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise ProviderDownError(f"{urlsplit(url).netloc} does not answer.") from error
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            values = None
        if body is not None and status in {400, 401, 403} and isinstance(values, dict):
            raise IdentityRefusedError(f"The provider refuses the code: {str(values.get('error'))[:100]}.")
        if status != 200 or not isinstance(values, dict):
            raise ProviderDownError(f"{urlsplit(url).netloc} answers {status}.")
        return values


def _read_limited(parts: Any, monotonic: Callable[[], float]) -> bytes:
    end, read = monotonic() + _TIMEOUT_SECONDS, b""
    for part in parts:
        read += part
        if len(read) > _MAX_BYTES or monotonic() > end:
            raise ProviderDownError("The provider's answer is too long.")
    return read


def _check_url(value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    if not isinstance(value, str) or not parts.hostname or not (parts.scheme == "https" or is_local):
        raise ProviderDownError("The provider names an address that is not https.")
    return value
