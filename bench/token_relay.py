"""A relay with a provider beside it that signs in: ``token_relay PORT PROVIDER_PORT MESSAGES STRICT``.

After so many MESSAGES every access token ends, 0 for never, and logins with it get 535. With STRICT 1, the
sessions that it opened end, too: their next MAIL gets 530. The provider takes the refresh token
``INITIAL_TOKEN`` and any that it gave.
"""

import sys
import threading

from tests.servers.oauth_provider import OAuthProvider
from tests.servers.scripted_smtp import EXTENSIONS, ScriptedServer

INITIAL_TOKEN = "refresh-initial"  # a name, to begin with


class TokenRelay(ScriptedServer):
    """The relay. It keeps no message, so that it costs little beside the sender."""

    def __init__(self, provider: OAuthProvider, messages: int, *, is_strict: bool) -> None:
        super().__init__(
            extensions=(*EXTENSIONS, "AUTH XOAUTH2"),
            accepts_token=lambda token: token in provider.valid,
            checks_sessions=is_strict,
        )
        self.script = self._count
        self._provider = provider
        self._messages = messages
        self._count_so_far = 0

    def _count(self, verb: str, _: str) -> None:
        if verb == ".":
            self._count_so_far += 1
            for kept in (self.mails, self.chunks, self.logins):
                kept.clear()
            if self._messages and self._count_so_far % self._messages == 0:
                self._provider.end_access_tokens()


def main(port: int, provider_port: int, messages: int, strict: int) -> None:
    with OAuthProvider(port=provider_port) as provider:
        provider.refresh_tokens.add(INITIAL_TOKEN)
        relay = TokenRelay(provider, messages, is_strict=bool(strict))
        relay.port = port
        with relay:
            threading.Event().wait()


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:5]))
