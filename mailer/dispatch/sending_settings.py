"""Turn settings into what sends: relays with their credentials and transports, and the signer."""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from locales.phrase import Phrase, gettext_noop
from mailer.errors import ConfigurationError
from mailer.oauth.access_tokens import AccessTokens
from mailer.oauth.grant_store import GrantStore
from mailer.oauth.provider import OAuthError, OAuthSignInRequiredError, ProviderUnavailableError
from mailer.oauth.sign_in import find_relay_oauth, make_relay_sign_in
from mailer.settings import MAIN_RELAY, RelaySettings, Settings, SmtpSettings
from mailer.settings.changes.secret_files import find_secret_time
from mailer.smtp.auth import Credentials, TokenFile, TokenSource, read_first_line
from mailer.smtp.connection import SmtpOptions
from mailer.smtp.dkim import DkimSigner, SigningKey, load_ed25519_key, load_rsa_key
from mailer.smtp.interfaces import ConnectionFailedError, DkimKeyError, Transport
from mailer.smtp.maildir import MaildirTransport
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, clean_reply_text
from mailer.smtp.transport import SmtpTransport
from subscribers.address import normalise_address
from subscribers.errors import AddressError

_OVERRIDABLE = ("auth", "starttls", "rate", "messages_per_connection", "warm_up")
_SELECTOR = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)


class RelayTokens:
    """The tokens of one relay, as :class:`mailer.smtp.auth.TokenSource`. For one event loop at a time;
    whatever asks the provider runs in a thread. A token that is near its end is renewed in the background."""

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


def list_relays(smtp: SmtpSettings) -> tuple[RelaySettings, ...]:
    """Return the relays of ``smtp`` in the order of the file; its own url as "main" if it lists none. Raise
    ConfigurationError if two have the same name, or one of several is a folder.
    """
    if not smtp.relays:
        return (RelaySettings(name=MAIN_RELAY, url=smtp.url),)
    names = [relay.name for relay in smtp.relays]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(
            Phrase(
                "[[smtp.relays]]: two relays are named %(doubled)s. Give each relay its own name.",
                doubled=f"{doubled[0]!r}",
            )
        )
    for relay in smtp.relays if len(smtp.relays) > 1 else ():
        if urlsplit(relay.url).scheme == "maildir":
            raise ConfigurationError(
                Phrase(
                    "[[smtp.relays]] %(relay)s: a folder cannot be one of several relays, because "
                    "nothing delivers its messages. Set it alone, in [smtp] url.",
                    relay=relay.name,
                )
            )
    return smtp.relays


def merge_relay_settings(smtp: SmtpSettings, relay: RelaySettings) -> SmtpSettings:
    """Return ``smtp`` with the settings of ``relay`` in place of its own. A relay with its own secret
    inherits none: the token of one relay is not for another."""
    own: dict[str, object] = {
        name: value for name in _OVERRIDABLE if (value := getattr(relay, name)) is not None
    }
    if relay.password_file or relay.token_file or relay.oauth or urlsplit(relay.url).password:
        own |= {"password_file": relay.password_file, "token_file": relay.token_file}
    own["oauth"] = find_relay_oauth(smtp, relay)
    return smtp.model_copy(update={"url": relay.url, "relays": (), **own})


def make_transport(settings: SmtpSettings, root: Path, *, name: str = MAIN_RELAY) -> Transport:
    """Return the transport for ``settings.url``; relative paths are under ``root``. Nothing is connected yet.
    ``name`` is the relay's, whose sign-in is used if it has one. Raise ConfigurationError if the URL is not a
    relay address, or the password cannot be read."""
    url = urlsplit(settings.url)
    if url.scheme in {"smtp", "smtps"} and url.hostname and _has_valid_port(url):
        return SmtpTransport(make_smtp_options(settings, root, name=name))
    if url.scheme == "maildir" and url.path:
        return MaildirTransport(root / url.path)
    # There may be a password before an @.
    shown = f"{url.scheme}://…@{settings.url.rpartition('@')[2]}" if "@" in settings.url else settings.url
    raise ConfigurationError(
        Phrase(
            "[smtp] url = %(shown)s is not a relay address. Use smtp://host:587, smtps://host:465 or "
            "maildir:PATH.",
            shown=f"{shown!r}",
        )
    )


def find_login(smtp: SmtpSettings, relay: RelaySettings, root: Path) -> tuple[str, datetime | None]:
    """Return how a relay is logged in to: "none", "password", "token", "oauth" or "missing"; and since when
    its password is there, or somebody is signed in."""
    merged, parts = merge_relay_settings(smtp, relay), urlsplit(relay.url)
    if not parts.username:
        return "none", None
    if merged.oauth is not None:
        return "oauth", _find_sign_in_time(root, relay.name)
    if merged.token_file is not None:
        return "token", None
    if merged.password_file is not None:
        return "password", find_secret_time(root, merged.password_file)
    return "password" if parts.password else "missing", None


def _find_sign_in_time(root: Path, name: str) -> datetime | None:
    try:
        grant = GrantStore(root=root).read(name)
    except (OAuthSignInRequiredError, ConfigurationError):
        return None
    return grant.signed_in_at if grant is not None and not grant.refused else None


def make_smtp_options(settings: SmtpSettings, root: Path, *, name: str = MAIN_RELAY) -> SmtpOptions:
    """Return the options for ``settings``, as :func:`make_transport`. Raise ValueError if the URL is not that
    of an SMTP server."""
    return SmtpOptions.from_url(
        settings.url,
        credentials=read_credentials(
            settings.url,
            settings.password_file,
            settings.token_file,
            root,
            tokens=_make_tokens(settings, root, name),
        ),
        starttls=settings.starttls,
        auth=settings.auth,
        pipelining=settings.pipelining,
        timeout=settings.timeout,
        final_timeout=settings.final_timeout,
        messages_per_connection=settings.messages_per_connection,
        connection_seconds=60 * settings.connection_minutes,
    )


def _make_tokens(settings: SmtpSettings, root: Path, name: str) -> TokenSource | None:
    if settings.oauth is None:
        return None
    return RelayTokens(AccessTokens(make_relay_sign_in(name, settings.url, settings.oauth), root))


def read_credentials(
    url: str,
    password_file: Path | None,
    token_file: Path | None,
    root: Path,
    *,
    tokens: TokenSource | None = None,
) -> Credentials | None:
    """Return the credentials for ``url``; None if it names no user. Relative paths are under ``root``.
    ``tokens`` take precedence over a token in a file. Raise ConfigurationError if there is neither password
    nor token, or a file cannot be read."""
    parts = urlsplit(url)
    user = unquote(parts.username or "")
    if not user:
        return None
    password = unquote(parts.password or "")
    if not password and password_file is not None:
        password = _read_secret(root / password_file, "password_file", "password")
    if tokens is None and token_file is not None:
        _read_secret(root / token_file, "token_file", "OAuth token")
        tokens = TokenFile(path=root / token_file)
    if not password and tokens is None:
        raise ConfigurationError(
            gettext_noop(
                "[smtp] url names a user but no password is set. Put the password in a file and set "
                "password_file to its path, or sign in without a password ([smtp.oauth])."
            )
        )
    if any(not character.isprintable() for character in user + password):
        raise ConfigurationError(
            gettext_noop("[smtp]: the user name or password contains a control character. Remove it.")
        )
    return Credentials(user=user, password=password, tokens=tokens)


def _read_secret(path: Path, key: str, what: str) -> str:
    try:
        return read_first_line(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            Phrase(
                "[smtp] %(key)s: %(path)s cannot be read or is empty. Its first line must be the %(what)s.",
                key=key,
                path=path,
                what=what,
            )
        ) from error


def _has_valid_port(url: SplitResult) -> bool:
    try:
        return url.port is None or url.port > 0
    except ValueError:
        return False


def load_signer(settings: Settings, root: Path) -> DkimSigner | None:
    """Return the signer for ``[dkim]``, or None if no key is set. Key files are under ``root``. Raise
    ConfigurationError if a key cannot be used, or its selector is missing."""
    dkim = settings.dkim
    selectors = {}
    if dkim.key_file is not None:
        selectors["selector"] = dkim.selector
    if dkim.ed25519_key_file is not None:
        selectors["ed25519_selector"] = dkim.ed25519_selector
    if not selectors:
        return None
    _check_selectors(selectors)
    domain = _find_domain(settings)
    keys: list[SigningKey] = []
    # RSA first, because every receiver knows it.
    try:
        setting = "key_file"
        if dkim.key_file is not None:
            keys.append(load_rsa_key(root / dkim.key_file, selector=dkim.selector, domain=domain))
        setting = "ed25519_key_file"
        if dkim.ed25519_key_file is not None:
            path = root / dkim.ed25519_key_file
            keys.append(load_ed25519_key(path, selector=dkim.ed25519_selector, domain=domain))
    except DkimKeyError as error:
        raise ConfigurationError(f"[dkim] {setting}: {error}") from error
    return DkimSigner(keys)


def _check_selectors(selectors: dict[str, str]) -> None:
    for setting, selector in selectors.items():
        if not selector:
            raise ConfigurationError(
                Phrase(
                    "[dkim] %(setting)s is missing, but its key is set. Set the selector to the part "
                    "of the DNS record's name before ._domainkey, such as news1.",
                    setting=setting,
                )
            )
        if not _SELECTOR.fullmatch(selector):
            raise ConfigurationError(
                Phrase(
                    "[dkim] %(setting)s = %(selector)s cannot be part of a DNS name. Use letters, "
                    "digits and hyphens, such as news1.",
                    setting=setting,
                    selector=f"{selector!r}",
                )
            )
    if len({selector.lower() for selector in selectors.values()}) < len(selectors):
        raise ConfigurationError(
            gettext_noop(
                "[dkim] selector and ed25519_selector are the same, but a DNS record holds only one "
                "key. Give each key its own selector."
            )
        )


def _find_domain(settings: Settings) -> str:
    """Return the domain that signs, in ASCII."""
    domain = settings.dkim.domain or settings.sender.domain
    try:
        return normalise_address(f"postmaster@{domain}").envelope.rpartition("@")[2]
    except AddressError as error:
        raise ConfigurationError(
            Phrase(
                "[dkim] domain = %(domain)s is invalid: %(reason)s. Use the domain of the sender's address.",
                domain=f"{domain!r}",
                reason=error.reason,
            )
        ) from error
