"""Sessions: where members are signed in to Studio, and the tickets that lead there.

The secret of a session is in the browser's cookie alone; the database has its SHA-256, so that a copy of the
database signs in nobody.

They hold what a step of signing in has to remember, so that a stranger's visits write nothing to the
database. A browser can read its own ticket, so nothing in one is secret from its holder.
"""

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from sqlmodel import Session, col, delete, select

from mailer.database.team_models import SignInMethod, TeamMember, TeamSession
from mailer.team.members import Member, as_member
from subscribers.consent.suppression import SuppressionKey

_BYTES = 24
_MAX_BROWSER_LENGTH = 300
# SQLite takes no number of more than 64 bits, and PostgreSQL none of more than 32.
_MAX_NUMBER = 2**31
# A page need not write to the database each time.
_SEEN_EVERY = timedelta(minutes=1)
_ID = "id"
_UNTIL = "until"
_MAX_LENGTH = 3500
_BROWSERS = (
    # Each calls itself by the names of others, so the most particular comes first.
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def make_secret() -> str:
    """Make a secret of 192 random bits: 48 digits and letters, where no mail program breaks a line."""
    return secrets.token_hex(_BYTES)


def digest_secret(secret: str) -> str:
    """Return the SHA-256 of a secret, in hexadecimal. Looking a row up by it reveals nothing by its duration:
    who does not know the secret cannot choose the digest."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A member in one session. ``confirmed_at`` is when they last proved who they are. ``is_seen_lately``
    is false if the session's time of the last visit needs to be written."""

    session_id: int
    member: Member
    method: SignInMethod
    confirmed_at: datetime
    is_seen_lately: bool = True


def open_team_session(
    session: Session, member_id: int, method: SignInMethod, *, browser: str, now: datetime
) -> str:
    """Sign a member in and return the secret for the browser's cookie. The caller commits."""
    secret = make_secret()
    row = TeamSession(
        digest=digest_secret(secret),
        member_id=member_id,
        method=method,
        browser=browser[:_MAX_BROWSER_LENGTH],
        created_at=now,
        confirmed_at=now,
        last_seen_at=now,
    )
    session.add(row)
    session.flush()
    return secret


def find_signed_in(session: Session, secret: str, *, lifetime: timedelta, now: datetime) -> SignedIn | None:
    """Find the session of a cookie's ``secret``; None if there is none, it was not used for ``lifetime``, or
    its member has left the team."""
    if not secret:
        return None
    found = session.exec(
        select(TeamSession, TeamMember)
        .where(TeamSession.digest == digest_secret(secret))
        .where(TeamMember.id == TeamSession.member_id, col(TeamMember.removed_at).is_(None))
    ).one_or_none()
    if found is None or found[0].last_seen_at + lifetime <= now:
        return None
    row, member = found
    return SignedIn(
        session_id=row.id or 0,
        member=as_member(member),
        method=row.method,
        confirmed_at=row.confirmed_at,
        is_seen_lately=now - row.last_seen_at < _SEEN_EVERY,
    )


def mark_seen(session: Session, session_id: int, *, now: datetime) -> None:
    """Note that a session was used ``now``. The caller commits."""
    row = session.get(TeamSession, session_id)
    if row is not None and row.last_seen_at < now:
        row.last_seen_at = now
        session.add(row)


def describe_browser(user_agent: str) -> tuple[str, str]:
    """Return the names of a browser and of its system; "" for what is not known."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return browser, system


def list_team_sessions(
    session: Session, member_id: int, *, used_after: datetime | None = None
) -> Sequence[TeamSession]:
    """List where a member is signed in, the one that was used last first. Those that have ended for want of
    use are among them, as long as they are kept, but for those not ``used_after`` a time."""
    found = select(TeamSession).where(TeamSession.member_id == member_id)
    if used_after is not None:
        found = found.where(TeamSession.last_seen_at > used_after)
    return session.exec(
        found.order_by(col(TeamSession.last_seen_at).desc(), col(TeamSession.id).desc())
    ).all()


def end_own_session(session: Session, member_id: int, session_id: int) -> bool:
    """End a session if it is the member's; return whether they had it. The caller commits."""
    if session_id >= _MAX_NUMBER:
        return False
    ended = session.exec(
        delete(TeamSession).where(col(TeamSession.id) == session_id, col(TeamSession.member_id) == member_id)
    )
    return ended.rowcount == 1


def end_team_session(session: Session, session_id: int) -> None:
    """End one session. The caller commits."""
    session.exec(delete(TeamSession).where(col(TeamSession.id) == session_id))


def end_all_sessions(session: Session, member_id: int, *, except_id: int = 0) -> int:
    """End all sessions of a member, but for one; return how many ended. The caller commits."""
    ended = session.exec(
        delete(TeamSession)
        .where(col(TeamSession.member_id) == member_id)
        .where(col(TeamSession.id) != except_id)
    )
    return ended.rowcount


def delete_old_sessions(session: Session, *, unused_since: datetime) -> int:
    """Delete the sessions last used before ``unused_since``; return how many. The caller commits."""
    return session.exec(delete(TeamSession).where(col(TeamSession.last_seen_at) <= unused_since)).rowcount


class TicketPurpose(StrEnum):
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
        """Return a keyed hash of an address, to recognise it by."""
        return hmac.digest(self.key.key, f"studio address\0{email}".encode(), "sha256").hex()

    def _sign(self, purpose: TicketPurpose, body: str) -> bytes:
        return hmac.digest(self.key.key, f"studio ticket\0{purpose}\0{body}".encode(), "sha256")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
