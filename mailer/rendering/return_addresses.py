"""The addresses of one reader's message: where its bounces come back to, and where a mail unsubscribes them.

A token stands between the address of ``[feedback]`` and its domain: ``bounce+TOKEN@news.example.org`` (VERP).
"""

from subscribers.tokens import MAIL_TOKEN_LENGTH

_HEX_DIGITS = frozenset("0123456789abcdef")


def split_address(base: str, delimiter: str) -> tuple[str, str]:
    """What stands before and after the token in the addresses made from ``base``, such as
    ``("bounce+", "@news.example.org")``."""
    local_part, _, domain = base.rpartition("@")
    return f"{local_part}{delimiter}", f"@{domain}"


def make_address(base: str, delimiter: str, token: str) -> str:
    """``base`` with ``token`` before its domain."""
    before, after = split_address(base, delimiter)
    return f"{before}{token}{after}"


def find_token(address: str) -> str | None:
    """The token at the end of the local part, in lower case; None if there is none. It is not verified.

    Whatever stands before the token is passed over: servers change the case of an address, and those that
    forward put their own words before it (SRS, BATV). What the settings called the address when the message
    was sent may be different by now.
    """
    local_part = address.strip().rpartition("@")[0].rstrip('"').lower()
    before, token = local_part[:-MAIL_TOKEN_LENGTH], local_part[-MAIL_TOKEN_LENGTH:]
    if len(token) < MAIL_TOKEN_LENGTH or not _HEX_DIGITS.issuperset(token):
        return None
    # A longer word of letters and digits is somebody else's.
    return None if before[-1:].isalnum() else token
