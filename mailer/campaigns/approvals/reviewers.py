"""People outside the team who are asked: whom their link is for, and for how long it works.

The database has the digest of a link's secret alone. The secret is made as the link is mailed, so a copy of
the database opens nothing.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import Connection, select, update
from sqlmodel import col

from mailer.campaigns.approvals.round import Answer, Round
from mailer.campaigns.approvals.rounds import find_round
from mailer.campaigns.approvals.steps import Person
from mailer.database.approval_models import ApprovalReviewer

LINK_LIFETIME = timedelta(days=14)
"""How long the link of an outside reviewer works."""

_SECRET_BYTES = 24


@dataclass(frozen=True, kw_only=True)
class Review:
    """What the link of an outside reviewer leads to. ``answer`` is theirs, None until they have given it."""

    reviewer: Person
    asked: Round
    answer: Answer | None

    @property
    def is_waited_for(self) -> bool:
        """Whether they may answer now."""
        return self.asked.is_asked(self.reviewer)


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """A person outside the team who is asked. ``email`` is "" once the retention period is over."""

    reviewer_id: int
    name: str
    email: str

    def as_person(self) -> Person:
        """The reviewer as somebody who answers."""
        return name_reviewer(self.reviewer_id, self.name)


def list_reviewers(connection: Connection, round_id: int) -> tuple[Reviewer, ...]:
    """The people outside the team whom a round asks."""
    columns = (col(ApprovalReviewer.id), col(ApprovalReviewer.name), col(ApprovalReviewer.email))
    found = select(*columns).where(col(ApprovalReviewer.round_id) == round_id)
    return tuple(
        Reviewer(reviewer_id=row.id or 0, name=row.name, email=row.email)
        for row in connection.execute(found.order_by(col(ApprovalReviewer.id)))
    )


def find_review(connection: Connection, secret: str, *, now: datetime) -> Review | None:
    """What the link with ``secret`` leads to; None if there is no such link, or it has ended. When the round
    ends, so does the link of a reviewer who has not answered. Changes nothing."""
    digest = digest_link(secret)
    columns = (
        *(col(ApprovalReviewer.id), col(ApprovalReviewer.round_id)),
        *(col(ApprovalReviewer.name), col(ApprovalReviewer.expires_at)),
    )
    row = connection.execute(select(*columns).where(col(ApprovalReviewer.digest) == digest)).first()
    if row is None or row.expires_at is None or row.expires_at <= now:
        return None
    asked = find_round(connection, row.round_id)
    reviewer = name_reviewer(row.id, row.name)
    answer = asked.find_answer(reviewer) if asked is not None else None
    if asked is None or not (asked.is_open or answer):
        return None
    return Review(reviewer=reviewer, asked=asked, answer=answer)


def make_link(connection: Connection, reviewer_id: int, *, now: datetime) -> str:
    """Make the secret of a reviewer's link, in place of an earlier one. The caller commits before it mails
    it."""
    secret = secrets.token_hex(_SECRET_BYTES)
    values = {"digest": digest_link(secret), "expires_at": now + LINK_LIFETIME}
    connection.execute(update(ApprovalReviewer).where(col(ApprovalReviewer.id) == reviewer_id).values(values))
    return secret


def digest_link(secret: str) -> str:
    """The SHA-256 of a link's secret, in hexadecimal."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def name_reviewer(reviewer_id: int, name: str) -> Person:
    """An outside reviewer as somebody who answers."""
    return Person(key=f"reviewer:{reviewer_id}", name=name, reviewer_id=reviewer_id)
