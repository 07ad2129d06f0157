"""Secrets that are shown once and then known by their digest: of sessions, links and browsers."""

import secrets
from hashlib import sha256

_BYTES = 24


def make_secret() -> str:
    """Make a secret of 192 random bits: 48 digits and letters, with nothing where a mail program could break
    the line."""
    return secrets.token_hex(_BYTES)


def digest_secret(secret: str) -> str:
    """The SHA-256 of a secret, in hexadecimal. Looking a row up by it reveals nothing by its duration: who
    does not know the secret cannot choose the digest."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()
