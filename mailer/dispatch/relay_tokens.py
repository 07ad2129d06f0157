"""Supplies connections to a relay with the tokens of its sign-in, without making the event loop wait."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import timedelta

from mailer.errors import ConfigurationError
from mailer.oauth.access_tokens import AccessTokens
from mailer.oauth.errors import OAuthError, ProviderUnavailableError
from mailer.smtp.interfaces import ConnectionFailedError
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, clean_reply_text


class RelayTokens:
    """The tokens of one relay, as :class:`mailer.smtp.auth.TokenSource`. For one event loop at a time.

    Whatever asks the provider runs in a thread. A token that is near its end is renewed in the background,
    while the connections go on with it.
    """

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens
        self._refused = ""
        self._renewal: asyncio.Future[None] | None = None

    async def read(self) -> str:
        with _explaining():
            token, is_due = self._tokens.peek()
            if token and token == self._refused:
                return await self.replace(token)
            if not token:
                return await asyncio.to_thread(self._tokens.read)
        if is_due and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.get_running_loop().run_in_executor(None, self._renew_early)
        return token

    async def replace(self, refused: str) -> str:
        with _explaining():
            return await asyncio.to_thread(self._tokens.replace, refused)

    def refuse(self, token: str) -> None:
        self._refused = token

    def _renew_early(self) -> None:
        # The token still works. If the trouble lasts, the connection that needs another one tells of it.
        with contextlib.suppress(OAuthError, ConfigurationError):
            self._tokens.renew_early()


@contextlib.contextmanager
def _explaining() -> Iterator[None]:
    """Turn what signing in raises into the failure of a connection: wait, or stop until a person acts."""
    try:
        yield
    except ProviderUnavailableError as error:
        wait = timedelta(seconds=error.retry_after) if error.retry_after else None
        raise _fail(Verdict.give_back, error, retry_after=wait) from error
    except (OAuthError, ConfigurationError) as error:
        raise _fail(Verdict.stop, error) from error


def _fail(
    verdict: Verdict, error: Exception, *, retry_after: timedelta | None = None
) -> ConnectionFailedError:
    return ConnectionFailedError(
        Outcome(
            verdict=verdict,
            stage=Stage.sign_in,
            text=clean_reply_text(str(error)),
            retry_after=retry_after,
            reconnect=True,
        )
    )
