"""Writing down who did what, in the transaction of the act itself."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlmodel import Session

from mailer.activity.deeds import Deed
from mailer.database.team_models import ActivityRecord
from mailer.team.members import Member

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who does something. ``member_id`` is None for the user of the command line. ``principal`` is whom they
    do it for, if they say that it is somebody else."""

    name: str
    member_id: int | None = None
    principal: str = ""

    @classmethod
    def from_member(cls, member: Member) -> Self:
        return cls(name=member.name, member_id=member.id)

    @classmethod
    def from_command_line(cls, user: str, by: str = "") -> Self:
        """``by`` is who makes the change, as the user says; "" if they do not."""
        return cls(name=user, principal=by if by != user else "")


@dataclass(frozen=True, kw_only=True)
class ActivityLine:
    """A line of the log: who did what, and when."""

    actor: Actor
    deed: Deed
    at: datetime


def record_line(session: Session, line: ActivityLine) -> None:
    """Write down what was done. The caller commits, together with the act. Texts that are too long are
    shortened; line breaks and characters that no database stores become spaces."""
    deed, actor = line.deed, line.actor
    principal = f"for {actor.principal}" if actor.principal else ""
    session.add(
        ActivityRecord(
            at=line.at,
            member_id=actor.member_id,
            act=deed.act.value,
            name=_clean_text(actor.name, 200),
            edition=_clean_text(deed.edition, 200),
            subject=_clean_text(deed.subject, 400),
            detail=_clean_text("; ".join(part for part in (deed.detail, principal) if part), 1000),
        )
    )


def record_activity(session: Session, actor: Actor, deed: Deed, *, now: datetime) -> None:
    """Write down that ``actor`` did what ``deed`` says. The caller commits both."""
    record_line(session, ActivityLine(actor=actor, deed=deed, at=now))


def _clean_text(text: str, length: int) -> str:
    # The name of a file may have bytes that are not UTF-8, which Python keeps as lone surrogates.
    plain = text.encode("utf-8", "replace").decode("utf-8")
    line = " ".join(_CONTROL.sub(" ", plain).split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
