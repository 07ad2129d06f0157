"""Which campaigns have links signed with a key, so that a person knows what retiring it ends."""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from mailer.database.models import Campaign
from mailer.keys import TokenKey

_PROTECTED_DAYS = 60
"""How long a link to unsubscribe has to work after the mail was sent, in the strictest country (Canada)."""


@dataclass(frozen=True, kw_only=True)
class KeyUse:
    """The campaigns whose links a key may have signed: how many, their readers, and the day (UTC) on which
    the last was launched, None without any.
    """

    campaigns: int
    readers: int
    last_launch: date | None

    def is_protected(self, today: date) -> bool:
        """Whether the law still asks for some of the links to work."""
        return self.last_launch is not None and today - self.last_launch <= timedelta(days=_PROTECTED_DAYS)

    def as_dict(self) -> dict[str, object]:
        last = {"last_launch": None if self.last_launch is None else self.last_launch.isoformat()}
        return {**asdict(self), **last}


def find_key_use(session: Session, key: TokenKey) -> KeyUse:
    """Find the campaigns launched while ``key`` signed.

    A campaign that was being sent when the key was replaced may have links of the next key too.
    """
    conditions: list[ColumnElement[bool]] = [col(Campaign.launched_at).is_not(None)]
    if key.made:
        conditions.append(col(Campaign.launched_at) >= _start_of(date.fromisoformat(key.made)))
    if key.last_day:
        day_after = date.fromisoformat(key.last_day) + timedelta(days=1)
        conditions.append(col(Campaign.launched_at) < _start_of(day_after))
    number, readers, last = session.exec(
        select(
            func.count(), func.coalesce(func.sum(Campaign.audience), 0), func.max(col(Campaign.launched_at))
        ).where(*conditions)
    ).one()
    return KeyUse(
        campaigns=number, readers=readers, last_launch=last.astimezone(UTC).date() if last else None
    )


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
