"""Characters that must not be sent in an email."""

import re

from locales.phrase import gettext_noop

# Not allowed in XML 1.0 and never intended: control characters, surrogates, non-characters. U+2028 and U+2029
# break lines in some programs and not in others; U+202A to U+202E and U+2066 to U+2069 change the writing
# direction of what follows.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
UNSAFE_MESSAGE = gettext_noop(
    "%(sign)s is an invisible control character, which email programs handle badly. Delete it."
)


def find_unsafe_character(text: str) -> str | None:
    """Return the name (``U+0007``) of the first character of ``text`` that is not allowed in an email."""
    found = _UNSAFE.search(text)
    return f"U+{ord(found.group()):04X}" if found else None


def remove_unsafe_characters(text: str) -> str:
    """Return ``text`` without the characters that are not allowed in an email."""
    return _UNSAFE.sub("", text)


def mask_unsafe_characters(text: str) -> str:
    """Return ``text`` with U+FFFD in place of each such character but line ends; others keep their places."""
    return _UNSAFE.sub(lambda found: found.group() if found.group() == "\r" else "\ufffd", text)
