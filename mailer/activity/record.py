"""Writing down who did what, in the transaction of the act itself."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlmodel import Session

from mailer.activity.acts import Act
from mailer.database.team_models import ActivityRecord
from mailer.team.members import Member

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who does something. ``member_id`` is None for the user of the command line."""

    name: str
    member_id: int | None = None

    @classmethod
    def from_member(cls, member: Member) -> Self:
        return cls(name=member.name, member_id=member.id)

    @classmethod
    def from_command_line(cls, user: str) -> Self:
        return cls(name=user)


@dataclass(frozen=True, kw_only=True)
class ActivityLine:
    """A line of the log: who did what, and when. ``edition`` is the slug of the edition that it was about, if
    any; ``subject`` is what else: a story's slug, an address, a campaign's number, a file's name. ``detail``
    is for what a person who reads the log later would ask, such as "author → approver". Never put a secret in
    it, nor the address of an erased person."""

    actor: Actor
    act: Act
    at: datetime
    edition: str = ""
    subject: str = ""
    detail: str = ""


def record_line(session: Session, line: ActivityLine) -> None:
    """Write down what was done. The caller commits, together with the act. Texts that are too long are
    shortened; line breaks and characters that no database stores become spaces."""
    session.add(
        ActivityRecord(
            at=line.at,
            member_id=line.actor.member_id,
            act=line.act.value,
            name=_clean_text(line.actor.name, 200),
            edition=_clean_text(line.edition, 200),
            subject=_clean_text(line.subject, 400),
            detail=_clean_text(line.detail, 1000),
        )
    )


def record_activity(
    session: Session,
    actor: Actor,
    act: Act,
    *,
    edition: str = "",
    subject: str = "",
    detail: str = "",
    now: datetime,
) -> None:
    """Write down that ``actor`` did ``act``. The caller commits both."""
    line = ActivityLine(actor=actor, act=act, edition=edition, subject=subject, detail=detail, at=now)
    record_line(session, line)


def _clean_text(text: str, length: int) -> str:
    # The name of a file may have bytes that are not UTF-8, which Python keeps as lone surrogates.
    plain = text.encode("utf-8", "replace").decode("utf-8")
    line = " ".join(_CONTROL.sub(" ", plain).split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
