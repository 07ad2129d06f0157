"""A sign-in as it is kept: who signed in, and the tokens that came of it."""

import base64
import binascii
import contextlib
import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from locales.phrase import Phrase
from mailer.atomic_write import write_atomically
from mailer.keys import KEYS_FILE, read_keys
from mailer.oauth.provider import OAuthSignInRequiredError, ProviderUnavailableError
from mailer.oauth.sign_in import SignIn
from mailer.oauth.token_client import TokenResponse

_MARGIN = timedelta(minutes=5)
"""How long before its end a token is renewed at the latest, if it lasts an hour or so."""

_MARGIN_SHARE = 0.1
_EARLY_SHARE = 0.25
_CLOCK_TOLERANCE = timedelta(minutes=1)
GRANTS_FOLDER = "grants"
_SUFFIX = ".grant"
_HEADER = re.compile(rb"partner-mailer grant 1 key (\d{1,3})")
_PURPOSE = b"partner-mailer grants, version 1"
_NONCE_BYTES = 12  # NIST SP 800-38D §8.2.1
_LOCK_SECONDS = 30.0
_LOCK_POLL_SECONDS = 0.02
Stamp = tuple[int, int, int]
"""Changes whenever the file is written."""


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
        """Return whether it was made for the application and the provider that the settings name now.

        Otherwise its refresh token would be shown to another party.
        """
        return (self.client_id, self.token_url) == (sign_in.settings.client_id, sign_in.provider.token_url)

    def is_usable(self, now: datetime) -> bool:
        """Return whether a login with the access token will succeed, even a slow one by a slow clock."""
        margin = min(_MARGIN, self._lifetime * _MARGIN_SHARE)
        # A token from the future: the clock was set back, and nobody knows how old it is.
        is_known_age = self.received_at - _CLOCK_TOLERANCE <= now
        return bool(self.access_token) and is_known_age and now < self.expires_at - margin

    def is_due(self, now: datetime) -> bool:
        """Return whether it is time to renew the access token, while it still works."""
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
        """Read what :meth:`to_json` wrote. Raise ValueError if it is something else."""
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


def make_grant(sign_in: SignIn, response: TokenResponse, now: datetime) -> Grant:
    empty = Grant(
        client_id=sign_in.settings.client_id,
        token_url=sign_in.provider.token_url,
        received_at=now,
        expires_at=now,
        signed_in_at=now,
    )
    return empty.renewed(response, now)


@dataclass(frozen=True, kw_only=True)
class GrantStore:
    """The grants of the workspace in ``root``."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / GRANTS_FOLDER

    def find_path(self, name: str) -> Path:
        """Return the file of the grant ``name``, whether or not there is one."""
        return self.folder / f"{name}{_SUFFIX}"

    def read_stamp(self, name: str) -> Stamp | None:
        """Return what tells one version of the file from another; None if there is none."""
        try:
            status = self.find_path(name).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def read(self, name: str) -> Grant | None:
        """Return the grant ``name``; None if there is none. Raise OAuthSignInRequiredError if the file cannot
        be read or decrypted, and ConfigurationError if the workspace's keys cannot be read.
        """
        path = self.find_path(name)
        try:
            header, _, sealed = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OAuthSignInRequiredError(
                Phrase(
                    "%(path)s cannot be read (%(error)s). Make it readable for the user who runs this "
                    "program, or run `mailer login %(name)s`.",
                    path=path,
                    error=error.strerror,
                    name=name,
                )
            ) from error
        try:
            return Grant.from_json(self.unseal(name, header, sealed))
        except ValueError as error:
            raise OAuthSignInRequiredError(
                Phrase(
                    "%(path)s cannot be decrypted with the keys of this workspace. Run `mailer login "
                    "%(name)s`.",
                    path=path,
                    name=name,
                )
            ) from error

    def write(self, name: str, grant: Grant) -> None:
        """Keep ``grant``, in place of an older one of this name. Raise OSError if the file cannot be written;
        the older one is still there.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        write_atomically(self.find_path(name), self.seal(name, grant.to_json()))

    def remove(self, name: str) -> bool:
        """Forget the grant; return whether there was one."""
        path = self.find_path(name)
        found = path.exists()
        path.unlink(missing_ok=True)
        return found

    @contextlib.contextmanager
    def locked(self, name: str, *, seconds: float = _LOCK_SECONDS) -> Iterator[None]:
        """Hold the grant for one renewal: two at once would use the same refresh token twice.

        The system releases the lock if the process dies. Raise ProviderUnavailableError if another process
        has held it for ``seconds``, and OSError if the folder cannot be written.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self.folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            end = time.monotonic() + seconds
            while not _try_lock(descriptor):
                if time.monotonic() > end:
                    raise ProviderUnavailableError(
                        Phrase(
                            "Another process has been renewing the sign-in %(name)s for %(seconds)s seconds.",
                            name=name,
                            seconds=f"{seconds:.0f}",
                        )
                    )
                time.sleep(_LOCK_POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)

    def seal(self, name: str, text: bytes) -> bytes:
        """Encrypt ``text`` under a name, in place of which nothing else can stand. Raise ConfigurationError
        if the workspace's keys cannot be read.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        tokens = read_keys(self.root / KEYS_FILE).tokens
        header = b"partner-mailer grant 1 key %d" % tokens.current
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(_derive_key(tokens.keys[tokens.current])).encrypt(nonce, text, _bind(header, name))
        return header + b"\n" + base64.b64encode(nonce + sealed) + b"\n"

    def unseal(self, name: str, header: bytes, sealed: bytes) -> bytes:
        """Return what was sealed under ``name``: its first line, and the rest. Raise ValueError if it was
        not, or not with a key of this workspace, and ConfigurationError if the workspace's keys cannot be
        read.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        found = _HEADER.fullmatch(header)
        keys = read_keys(self.root / KEYS_FILE).tokens.keys
        if found is None or int(found[1]) not in keys:
            raise ValueError("there is no such key")
        try:
            raw = base64.b64decode(sealed.strip(), validate=True)
            nonce, text = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return AESGCM(_derive_key(keys[int(found[1])])).decrypt(nonce, text, _bind(header, name))
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise ValueError("the contents are not what was written") from error


def _bind(header: bytes, name: str) -> bytes:
    return header + b" " + name.encode()


def _derive_key(secret: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
