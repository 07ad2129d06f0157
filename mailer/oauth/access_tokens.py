"""The access tokens of one sign-in: read, and renewed before they end, by the first that needs one.

Many processes may use the same sign-in. On one machine, a lock lets one of them renew while the others wait
for what it writes. Where machines share the workspace's folder and their locks do not reach each other, two
may renew at once; each then looks what is in the file before it writes or gives up, and the newer refresh
token stays.
"""

import contextlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from locales.phrase import Phrase, gettext_noop
from mailer.oauth.grant_store import Grant, GrantStore, Stamp, make_grant
from mailer.oauth.provider import (
    ApplicationRefusedError,
    GrantRefusedError,
    OAuthSignInRequiredError,
    ProviderUnavailableError,
)
from mailer.oauth.sign_in import SignIn, read_client_secret
from mailer.oauth.token_client import TokenClient, TokenResponse


class AccessTokens:
    """The access tokens of ``sign_in``, whose grant is kept in the workspace in ``root``. Thread-safe.

    Every method that renews may take as long as a request, and raises

    - :class:`OAuthSignInRequiredError` if a person must run ``mailer login``,
    - :class:`ApplicationRefusedError` or ``ConfigurationError`` if the settings must change,
    - :class:`ProviderUnavailableError` if the provider does not answer now.
    """

    def __init__(
        self,
        sign_in: SignIn,
        root: Path,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.sign_in = sign_in
        self._root = root
        self._store = GrantStore(root=root)
        self._clock = clock
        # Two locks, because a renewal takes as long as a request, and looking at the token must not.
        self._renewing = threading.Lock()
        self._state = threading.RLock()
        self._grant: Grant | None = None
        self._stamp: Stamp | None = None
        self._is_unsaved = False
        self._client: TokenClient | None = None

    @property
    def file(self) -> Path:
        """Where the grant is kept; it changes when somebody signs in or a token is renewed."""
        return self._store.find_path(self.sign_in.name)

    def peek(self) -> tuple[str, bool]:
        """Return the access token that can be used now, "" if none can, and whether it is time to renew it.

        Nothing is asked of the provider.
        """
        now, grant = self._clock(), self._load()
        if grant is None or not grant.is_usable(now):
            return "", True
        return grant.access_token, grant.is_due(now)

    def read(self) -> str:
        """Return an access token that can be used now; renew it if it must be."""
        token, _ = self.peek()
        return token or self._renew(lambda grant: grant.is_usable(self._clock()))

    def renew_early(self) -> None:
        """Renew the token if it is time to, so that nobody has to wait for it later."""
        self._renew(lambda grant: not grant.is_due(self._clock()))

    def replace(self, refused: str) -> str:
        """Return another token than ``refused``, which the server does not take any more."""
        return self._renew(lambda grant: grant.access_token != refused and grant.is_usable(self._clock()))

    # --- the file

    def _load(self) -> Grant | None:
        """Return the grant as it is in the file now, or in memory if it could not be written."""
        with self._state:
            stamp = self._store.read_stamp(self.sign_in.name)
            if stamp != self._stamp or (self._grant is None and stamp is not None):
                grant = self._store.read(self.sign_in.name)
                if grant is not None and not grant.belongs_to(self.sign_in):
                    grant = None
                # Somebody has signed in or renewed meanwhile: what we could not write is of no use any more.
                self._grant, self._stamp, self._is_unsaved = grant, stamp, False
            return self._grant

    def _save(self, grant: Grant) -> None:
        """Keep ``grant``. If the disk is full, it is used from memory, and written when that works again."""
        with self._state:
            self._grant, self._is_unsaved = grant, True
            with contextlib.suppress(OSError):
                self._store.write(self.sign_in.name, grant)
                self._stamp, self._is_unsaved = self._store.read_stamp(self.sign_in.name), False

    # --- renewing

    def _renew(self, is_good: Callable[[Grant], bool]) -> str:
        """Renew the grant unless ``is_good`` holds, by the time it is our turn; return its access token."""
        name = self.sign_in.name
        with self._renewing, contextlib.ExitStack() as ending:
            try:
                ending.enter_context(self._store.locked(name))
            except OSError as error:
                raise ProviderUnavailableError(
                    Phrase(
                        "The sign-in %(name)s cannot be kept in %(folder)s: %(error)s.",
                        name=name,
                        folder=self._store.folder,
                        error=error.strerror or error,
                    )
                ) from error
            return self._renew_locked(is_good)

    def _renew_locked(self, is_good: Callable[[Grant], bool]) -> str:
        grant = self._load()
        if self._is_unsaved and grant is not None:
            self._save(grant)
        if grant is not None and not grant.refused and is_good(grant):
            return grant.access_token
        renewed = self._ask(grant)
        # Another machine, whose lock does not reach us, may have been faster.
        latest = self._load()
        if latest is not None and latest is not grant and latest.received_at > renewed.received_at:
            return latest.access_token
        self._save(renewed)
        return renewed.access_token

    def _ask(self, grant: Grant | None) -> Grant:
        if self.sign_in.is_by_application:
            response = self._ask_as_application()
            now = self._clock()
            return make_grant(self.sign_in, response, now) if grant is None else grant.renewed(response, now)
        if grant is None:
            raise OAuthSignInRequiredError(
                Phrase("Nobody has signed in yet. Run `%(command)s`.", command=self.sign_in.command)
            )
        if grant.refused or not grant.refresh_token:
            raise self._explain_end(grant.refused or gettext_noop("it came without a refresh token"))
        try:
            response = self._make_client().renew(grant.refresh_token, self.sign_in.scopes)
        except GrantRefusedError as error:
            return self._try_newer(grant, error)
        return grant.renewed(response, self._clock())

    def _try_newer(self, grant: Grant, error: GrantRefusedError) -> Grant:
        """Use what another machine has written meanwhile: some providers take a refresh token only once."""
        with self._state:
            self._stamp = None
        latest = self._load()
        if latest is None or latest.refresh_token in {"", grant.refresh_token}:
            reason = str(error).removeprefix(f"{self.sign_in.provider.name} has ended it: ").rstrip(".")
            # Written down, so that nobody asks the provider again with what it has refused.
            self._save(grant.ended(reason))
            raise self._explain_end(reason) from error
        if latest.is_usable(self._clock()):
            return latest
        response = self._make_client().renew(latest.refresh_token, self.sign_in.scopes)
        return latest.renewed(response, self._clock())

    def _ask_as_application(self) -> TokenResponse:
        try:
            return self._make_client().request_application_token(self.sign_in.scopes)
        except GrantRefusedError as error:
            raise ApplicationRefusedError(
                Phrase(
                    "%(error)s Check the permissions of the application, then run `%(command)s`.",
                    error=error,
                    command=self.sign_in.command,
                )
            ) from error

    def _explain_end(self, reason: str) -> OAuthSignInRequiredError:
        return OAuthSignInRequiredError(
            Phrase(
                "%(provider)s has ended the sign-in: %(reason)s. Run `%(command)s`.",
                provider=self.sign_in.provider.name,
                reason=reason,
                command=self.sign_in.command,
            )
        )

    def _make_client(self) -> TokenClient:
        # The secret is read each time, so that a new one is used as soon as it is in its file.
        secret = read_client_secret(self.sign_in.settings, self._root)
        if self._client is None or self._client.client_secret != secret:
            self._client = make_token_client(self.sign_in, self._root)
        return self._client


def make_token_client(sign_in: SignIn, root: Path) -> TokenClient:
    """Return the client that asks the provider of ``sign_in``. Raise ConfigurationError if the application's
    secret cannot be read.
    """
    return TokenClient(
        provider=sign_in.provider,
        client_id=sign_in.settings.client_id,
        client_secret=read_client_secret(sign_in.settings, root),
    )
