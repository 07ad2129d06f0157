"""A sign-in as it is kept: who signed in, and the tokens that came of it."""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Self

from mailer.oauth.sign_in import SignIn
from mailer.oauth.token_client import TokenResponse

_MARGIN = timedelta(minutes=5)
"""How long before its end a token is renewed at the latest, if it lasts an hour or so."""

_MARGIN_SHARE = 0.1
_EARLY_SHARE = 0.25
_CLOCK_TOLERANCE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a provider has granted. Times are in UTC; no token is ever shown.

    ``refresh_token`` is "" for an application that signs in by itself. ``refused`` says why the provider has
    ended it, "" while it has not.
    """

    client_id: str
    token_url: str
    account: str = ""
    scopes: tuple[str, ...] = ()
    access_token: str = field(default="", repr=False)
    received_at: datetime
    expires_at: datetime
    refresh_token: str = field(default="", repr=False)
    signed_in_at: datetime
    refused: str = ""

    def belongs_to(self, sign_in: SignIn) -> bool:
        """Whether it was made for the application and the provider that the settings name now.

        Otherwise its refresh token would be shown to somebody else.
        """
        return (self.client_id, self.token_url) == (sign_in.settings.client_id, sign_in.provider.token_url)

    def is_usable(self, now: datetime) -> bool:
        """Whether a login with the access token will succeed, with time for a login and a slow clock."""
        margin = min(_MARGIN, self._lifetime * _MARGIN_SHARE)
        # A token from the future: the clock was set back, and nobody knows how old it is.
        return self._is_known_age(now) and now < self.expires_at - margin

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to renew the access token, while it still works."""
        return not self.is_usable(now) or now >= self.expires_at - self._lifetime * _EARLY_SHARE

    def renewed(self, response: TokenResponse, now: datetime) -> Self:
        """This grant with the tokens of ``response``. Microsoft replaces a refresh token, Google keeps it."""
        return replace(
            self,
            access_token=response.access_token,
            received_at=now,
            expires_at=now + timedelta(seconds=response.lifetime),
            refresh_token=response.refresh_token or self.refresh_token,
            scopes=response.scopes or self.scopes,
            account=response.account or self.account,
            refused="",
        )

    def ended(self, reason: str) -> Self:
        """This grant after the provider has refused it for ``reason``: no token is kept."""
        return replace(self, access_token="", refresh_token="", refused=reason)

    def to_json(self) -> bytes:
        """Everything, tokens included, to be encrypted."""
        return json.dumps(asdict(self), default=datetime.isoformat).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        values: dict[str, Any] = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("not a grant")
        known = {item.name for item in fields(cls)}
        try:
            for name in ("received_at", "expires_at", "signed_in_at"):
                values[name] = datetime.fromisoformat(values[name])
            values["scopes"] = tuple(values.get("scopes", ()))
            # A newer version may have written more.
            return cls(**{name: value for name, value in values.items() if name in known})
        except (KeyError, TypeError) as error:
            raise ValueError("not a grant") from error

    @property
    def _lifetime(self) -> timedelta:
        return self.expires_at - self.received_at

    def _is_known_age(self, now: datetime) -> bool:
        return bool(self.access_token) and self.received_at - _CLOCK_TOLERANCE <= now


def make_grant(sign_in: SignIn, response: TokenResponse, now: datetime) -> Grant:
    """The grant that a sign-in has brought."""
    empty = Grant(
        client_id=sign_in.settings.client_id,
        token_url=sign_in.provider.token_url,
        received_at=now,
        expires_at=now,
        signed_in_at=now,
    )
    return empty.renewed(response, now)
