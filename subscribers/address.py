"""Email addresses, normalised once on input.

Two spellings of one mailbox must not become two subscribers, so an address is identified by its lower-case
form: the domain by IDNA rules, and the local part too, which no server that partners use tells apart by case.
What is sent over SMTP keeps the local part as written, for servers that do (RFC 5321). ``lower()`` rather
than ``casefold()``: the latter turns "ß" into "ss", and with SMTPUTF8 those are two mailboxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from unicodedata import category, normalize

from locales.phrase import Phrase, gettext_noop
from subscribers.errors import AddressError

if TYPE_CHECKING:
    from email_validator import EmailNotValidError

NO_ADDRESS = gettext_noop("it does not look like name@example.org")
"""The reason why something is no address, if none is better."""

_MAX_LOCAL_BYTES = 64  # RFC 5321, section 4.5.3.1.1; counted in UTF-8 (RFC 6531, section 3.3)
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@dataclass(frozen=True, kw_only=True)
class Address:
    """A mailbox. ``email`` identifies it (lower case, domain in Unicode); ``envelope`` is used in SMTP: it
    keeps the case of the local part and has its domain as A-labels.
    """

    email: str
    envelope: str
    needs_smtputf8: bool


def normalise_address(text: str) -> Address:
    """Parse the address in ``text``, which may have spaces around it or contain full-width characters. Raise
    AddressError if it is not an address, or mail cannot safely be sent to it. DNS is not queried.
    """
    # Its tables take a tenth of the start of a command, and most commands read no address.
    from email_validator import EmailNotValidError, validate_email

    stripped = normalize("NFKC", text).strip()
    _reject_unsafe(text, stripped)
    try:
        valid = validate_email(stripped, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise AddressError(text, _describe_error(stripped, error)) from error
    local = normalize("NFC", valid.local_part)
    if len(local.encode()) > _MAX_LOCAL_BYTES:
        words = gettext_noop("it is too long before the @; other than English letters take several bytes")
        raise AddressError(text, Phrase(words))
    return Address(
        email=f"{normalize('NFC', local.lower())}@{valid.domain}",
        envelope=f"{local}@{valid.ascii_domain}",
        needs_smtputf8=not local.isascii(),
    )


def _reject_unsafe(text: str, stripped: str) -> None:
    if not stripped:
        raise AddressError(text, Phrase("it is empty"))
    for char in stripped:
        if category(char) in _INVISIBLE:
            words = gettext_noop("it contains an invisible character (%(code)s); retype it")
            raise AddressError(text, Phrase(words, code=f"U+{ord(char):04X}"))
    if stripped.startswith("-"):
        # A mail program that passes the address to a command would read it as an option (CVE-2026-45068).
        raise AddressError(text, Phrase("it begins with a hyphen"))


def _describe_error(stripped: str, error: EmailNotValidError) -> str:
    from email_validator import EmailSyntaxError

    if "<" in stripped or ">" in stripped:
        return Phrase("write the address alone, without a name or < and >")
    if any(char.isspace() for char in stripped) and stripped.count("@") == 1:
        return Phrase("it contains a space")
    if stripped.count("@") > 1:
        return Phrase("it contains more than one @; put one address in each cell")
    words = str(error).strip().rstrip(".")
    if not isinstance(error, EmailSyntaxError) or not words:
        return Phrase(NO_ADDRESS)
    return words[0].lower() + words[1:]
