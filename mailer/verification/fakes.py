"""Keeps the fakes that people submit, for the team: what they say, where they lead, and how they came.

Only what claims to be ours is kept, never a mail of somebody else. Its readers are taken out: their headers,
their addresses anywhere, and every token.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, delete, insert, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, col, func, select

from mailer.database.feedback_models import FakeMail
from mailer.errors import MailerError
from mailer.utc import format_iso
from mailer.verification.mail_check import MailAnswer
from mailer.verification.submitted_mail import SubmittedMail

_TABLE = SQLModel.metadata.tables["fake_mail"]
MAX_FAKES = 500
"""So many different fakes are kept; whoever submits more makes the oldest go."""

_MAX_HEADERS = 16_000
_MAX_FIELD = 300
_MAX_HOSTS = 2000
# Headers that say who got the mail, or whose system it passed.
_LEFT_OUT = re.compile(
    r"(?:to|cc|bcc|delivered-to|apparently-to|envelope-to|x-(?:original|envelope|delivered|forwarded|apparently)-to"
    r"|x-forwarded-for|resent-.*|x-rcpt-to|x-google-.*|x-gm-.*|x-received|x-ms-exchange-.*|x-feedback-token"
    r"|cfbl-feedback-id|list-unsubscribe|disposition-notification-to|x-originalarrivaltime|thread-.*)",
    re.IGNORECASE,
)
_SENDER_FIELDS = frozenset({"from", "sender", "reply-to", "return-path"})
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]@=]{1,255}@([^\s<>,;:\"()\[\]@]{1,255})")
_TOKEN = re.compile(r"(?<![\w-])[\w-]{39,}(?![\w-])|c\d+\.s\d+\.[0-9a-f]{12}", re.ASCII)


_TOLD = ("verdict", "sender", "subject", "hosts", "campaign", "times", "first_at", "last_at", "headers")


class UnknownFakeError(MailerError):
    def __init__(self, number: int) -> None:
        super().__init__(f"There is no fake with the number {number}. `mailer fakes list` shows all.")


def keep_fake(session: Session, found: MailAnswer, *, now: datetime) -> bool:
    """Record the fake in ``found``, or count it once more; False if it is none. The caller commits."""
    if found.mail is None or not (found.answer.is_warning and found.claims_us):
        return False
    values = _describe(found.mail, found)
    digest = _make_digest(values)
    connection = session.connection()
    if not _count_again(connection, digest, now):
        try:
            with connection.begin_nested():
                row = {**values, "digest": digest, "times": 1, "first_at": now, "last_at": now}
                connection.execute(insert(_TABLE).values(row))
        except IntegrityError:
            # Somebody submitted the same at the same moment.
            _count_again(connection, digest, now)
    _forget_surplus(connection)
    return True


def list_fakes(session: Session) -> list[FakeMail]:
    """Return the fakes, the last submitted first."""
    latest = select(FakeMail).order_by(col(FakeMail.last_at).desc(), col(FakeMail.id).desc())
    return list(session.exec(latest))


def find_fake(session: Session, number: int) -> FakeMail:
    """Return a fake. Raise UnknownFakeError if there is none with this number."""
    row = session.get(FakeMail, number)
    if row is None:
        raise UnknownFakeError(number)
    return row


def describe_fake(fake: FakeMail) -> dict[str, Any]:
    """Return a fake in the form of the JSON output."""
    told = {name: getattr(fake, name) for name in _TOLD}
    times = {"first_at": format_iso(fake.first_at), "last_at": format_iso(fake.last_at)}
    return {"number": fake.id} | told | {"hosts": fake.hosts.split()} | times


def count_fakes(session: Session, *, since: datetime) -> int:
    return session.exec(
        select(func.count()).select_from(FakeMail).where(col(FakeMail.last_at) >= since)
    ).one()


def mask_headers(mail: SubmittedMail) -> str:
    """Return the headers of ``mail`` without anything that names who got it."""
    lines = []
    for name, value in mail.part.headers.fields:
        if _LEFT_OUT.fullmatch(name):
            continue
        if name not in _SENDER_FIELDS:
            value = _ADDRESS.sub(r"…@\1", value)
        lines.append(f"{name}: {_TOKEN.sub('…', value)}")
    return "\n".join(lines)[:_MAX_HEADERS]


def _describe(mail: SubmittedMail, found: MailAnswer) -> dict[str, str]:
    hosts = sorted({token.link.host for tokens in mail.tokens for token in tokens if token.link is not None})
    edition = found.answer.edition
    return {
        "verdict": found.answer.verdict.value,
        "sender": _clean(mail.sender_text)[:_MAX_FIELD],
        "subject": _clean(mail.subject)[:_MAX_FIELD],
        "hosts": _join(hosts, _MAX_HOSTS),
        "campaign": edition.slug if edition else "",
        "headers": "\n".join(map(_clean, mask_headers(mail).split("\n"))),
    }


def _make_digest(values: dict[str, str]) -> str:
    """Hash what is the same for all who got a fake. Its words may have their names in them."""
    said = "\0".join(values[name] for name in ("verdict", "sender", "subject", "hosts", "campaign"))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


def _count_again(connection: Connection, digest: str, now: datetime) -> bool:
    counted = update(_TABLE).where(_TABLE.c.digest == digest)
    result = connection.execute(counted.values(times=_TABLE.c.times + 1, last_at=now))
    return result.rowcount > 0


def _forget_surplus(connection: Connection) -> None:
    kept = sa.select(_TABLE.c.id).order_by(_TABLE.c.last_at.desc(), _TABLE.c.id.desc()).limit(MAX_FAKES)
    connection.execute(delete(_TABLE).where(_TABLE.c.id.not_in(kept)))


def _join(words: Sequence[str], limit: int) -> str:
    joined = ""
    for word in words:
        if len(joined) + len(word) + 1 > limit:
            break
        joined += f" {word}" if joined else word
    return joined


def _clean(text: str) -> str:
    """Return ``text`` on one line, without control characters, which a terminal would obey."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
