"""Passwords of members: what may be one, and how they are kept and checked.

Length is what protects a password; rules about signs make people write "Password1!". So it has twelve
characters or more, and is neither among the first that anybody tries nor the member's own name (NIST
SP 800-63B-4 §3.1.1.2). It is kept as Argon2id (RFC 9106).
"""

import re
import threading
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlmodel import Session, col, delete

from locales.phrase import WordedEnum, gettext_noop
from mailer.database.team_models import MemberPassword

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_LENGTH = 12
MAX_LENGTH = 256

# Of "nobody's password", with the library's parameters: checking it takes as long as checking a real one.
_NOBODYS_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$gvPYBNFZWqUSoh8f6S95qw$HBdUo3UlaVo29xQTL1bhyEUZkHBMrYOM9kPcKtOiYy0"
)
# One takes 64 MB and all cores for a moment.
_AT_ONCE = 2
_LIST = Path(__file__).with_name("common_passwords.txt")
_FEW_CHARACTERS = 3
_MIN_PART = 3
_MIN_REST = 4
_SEQUENCES = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "1234567890",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik",
    "q1w2e3r4t5y6u7i8o9p0",
    "1q2w3e4r5t6y7u8i9o0p",
)
_COMMON_WORDS = ("password", "passwort", "motdepasse", "letmein", "welcome", "admin", "newsletter", "studio")


class PasswordFault(WordedEnum):
    """Why a password is refused."""

    too_short = (
        "too_short",
        gettext_noop(
            "Use at least %(minimum)s characters. Three or four words that have nothing to do with each "
            "other make a good password."
        ),
    )
    too_long = ("too_long", gettext_noop("Use at most %(maximum)s characters."))
    common = (
        "common",
        gettext_noop("This is one of the first passwords that anybody tries. Choose another."),
    )
    own_name = ("own_name", gettext_noop("This is made of your name or address. Choose another."))


def find_password_fault(password: str, own_words: Iterable[str]) -> PasswordFault | None:
    """Find out why ``password`` cannot be one; None if it can. ``own_words`` are the member's name and
    address, and what else of theirs would be guessed."""
    text = normalise_password(password)
    if len(text) < MIN_LENGTH:
        return PasswordFault.too_short
    if len(text) > MAX_LENGTH:
        return PasswordFault.too_long
    lowered = text.casefold()
    if len(set(lowered)) <= _FEW_CHARACTERS or lowered in _read_common_passwords():
        return PasswordFault.common
    if any(lowered in sequence * 4 or lowered in sequence[::-1] * 4 for sequence in _SEQUENCES):
        return PasswordFault.common
    if _is_made_of(lowered, _COMMON_WORDS):
        return PasswordFault.common
    if _is_made_of(lowered, _list_parts(own_words)):
        return PasswordFault.own_name
    return None


def normalise_password(password: str) -> str:
    """Return the same text for the same keys on every machine (RFC 8265 §4.2.2)."""
    return unicodedata.normalize("NFC", password)


class PasswordChecker:
    """Hashes and checks passwords, a few at a time: each takes 64 MB for a twentieth of a second."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """Hash a password, with a salt of its own."""
        with self._slots:
            return _make_hasher().hash(normalise_password(password))

    def check(self, password: str, stored: str | None) -> bool:
        """Return whether ``password`` has the hash ``stored``. Without any it takes as long, and is wrong."""
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            with self._slots:
                _make_hasher().verify(
                    _NOBODYS_HASH if stored is None else stored,
                    normalise_password(password[: 2 * MAX_LENGTH]),
                )
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None


def is_outdated(stored: str) -> bool:
    """Return whether a hash was made with weaker parameters than today's."""
    return _make_hasher().check_needs_rehash(stored)


def find_password(session: Session, member_id: int) -> str | None:
    """Return the hash of a member's password; None if they have none."""
    row = session.get(MemberPassword, member_id)
    return None if row is None else row.hash


def store_password(session: Session, member_id: int, hashed: str, *, now: datetime) -> None:
    """Store the hash of a member's new password. The caller commits."""
    row = session.get(MemberPassword, member_id)
    if row is None:
        row = MemberPassword(member_id=member_id, hash=hashed, changed_at=now)
    row.hash, row.changed_at = hashed, now
    session.add(row)
    session.flush()


def delete_password(session: Session, member_id: int) -> bool:
    """Delete a member's password; return False if there was none. The caller commits."""
    gone = session.exec(delete(MemberPassword).where(col(MemberPassword.member_id) == member_id))
    return gone.rowcount == 1


def _make_hasher() -> "PasswordHasher":
    # Loaded when a password is first checked: not every command needs it.
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _read_common_passwords() -> frozenset[str]:
    return frozenset(_LIST.read_text(encoding="utf-8").split())


def _list_parts(words: Iterable[str]) -> tuple[str, ...]:
    """Return the parts of names and addresses that are long enough to mean somebody, the longest first."""
    parts = {
        part for text in words for part in re.split(r"[\W_]+", text.casefold()) if len(part) >= _MIN_PART
    }
    return tuple(sorted(parts, key=lambda part: (-len(part), part)))


def _is_made_of(lowered: str, parts: tuple[str, ...]) -> bool:
    """Return whether little is left of a password without ``parts``, and without digits and signs."""
    rest = lowered
    for part in parts:
        rest = rest.replace(part, " ")
    return rest != lowered and sum(character.isalpha() for character in rest) < _MIN_REST
