"""How the bytes of a token are written in links and in addresses of mail. Each has one spelling only."""

import base64
import binascii

from subscribers.errors import TokenError

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def write_token(signed: bytes) -> str:
    """Return the bytes in URL-safe characters, four for every three bytes."""
    return binascii.b2a_base64(signed, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def read_token(token: str) -> bytes:
    """Return the bytes that :func:`write_token` has written as ``token``.

    Raises:
        TokenError: it has written none so.
    """
    try:
        signed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError from None
    # The last character may have unused bits: accept only one spelling of a token.
    if write_token(signed) != token:
        raise TokenError
    return signed


def read_hex_token(token: str, length: int) -> bytes:
    """Return the ``length`` bytes that ``token`` has in hex digits, in capitals or not.

    Raises:
        TokenError: it has not.
    """
    # bytes.fromhex passes over spaces, which no address of ours contains.
    if len(token) != 2 * length or not (token.isascii() and token.isalnum()):
        raise TokenError
    try:
        return bytes.fromhex(token)
    except ValueError:
        raise TokenError from None
