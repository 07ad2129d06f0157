"""Write the values of the commands that ask for reports of delivery (RFC 3461, section 4)."""

from typing import Final

_ESCAPES: Final = {ord(char): f"+{ord(char):02X}" for char in "+="}


def encode_xtext(text: str) -> bytes:
    """Return ``text``, which has neither spaces nor control characters, as xtext.

    Raises:
        UnicodeEncodeError: it is not ASCII.
    """
    return text.translate(_ESCAPES).encode("ascii")
