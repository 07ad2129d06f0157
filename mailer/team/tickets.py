"""Tickets: values that a browser keeps for us in a cookie, signed, for one purpose and a while.

They hold what a step of signing in has to remember, so that a stranger's visits write nothing to the
database. A browser can read its own ticket, so nothing in one is secret from its holder.
"""

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from subscribers.consent.suppression import SuppressionKey

_ID = "id"
_UNTIL = "until"
_MAX_LENGTH = 3500


class TicketPurpose(StrEnum):
    """What a ticket is for; one for another purpose is none."""

    asked = "asked"
    """A link was asked for: to which address."""

    known = "known"
    """Somebody was signed in here before: a keyed hash of their address."""

    passkey = "passkey"
    """The challenge that a passkey has to answer."""

    new_passkey = "new_passkey"
    """The challenge that a new passkey has to answer."""

    organisation = "organisation"
    """What the organisation's sign-in has to bring back."""


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A valid ticket: its own random name, and its values."""

    ticket_id: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class TicketSigner:
    """Makes and reads tickets with a key of the workspace."""

    key: SuppressionKey

    def make(
        self, purpose: TicketPurpose, values: Mapping[str, str], *, lifetime: timedelta, now: datetime
    ) -> str:
        """Make a ticket that is valid for ``lifetime``: text that needs no quoting in a cookie."""
        until = int((now + lifetime).timestamp())
        content = {**values, _ID: secrets.token_urlsafe(12), _UNTIL: str(until)}
        body = _encode(json.dumps(content, separators=(",", ":")).encode())
        return f"{body}.{_encode(self._sign(purpose, body))}"

    def read(self, purpose: TicketPurpose, text: str, *, now: datetime) -> Ticket | None:
        """Read a ticket; None if it is not ours, not for ``purpose``, or past its time."""
        body, _, signature = text[:_MAX_LENGTH].partition(".")
        try:
            if not hmac.compare_digest(_decode(signature), self._sign(purpose, body)):
                return None
            values: dict[str, str] = json.loads(_decode(body))
        except (ValueError, binascii.Error):
            return None
        ticket_id, until = values.pop(_ID), int(values.pop(_UNTIL))
        if datetime.fromtimestamp(until, UTC) <= now:
            return None
        return Ticket(ticket_id=ticket_id, values=values)

    def hash_address(self, email: str) -> str:
        """A keyed hash of an address, to recognise it by."""
        return hmac.digest(self.key.key, f"studio address\0{email}".encode(), "sha256").hex()

    def _sign(self, purpose: TicketPurpose, body: str) -> bytes:
        return hmac.digest(self.key.key, f"studio ticket\0{purpose}\0{body}".encode(), "sha256")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
