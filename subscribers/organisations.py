"""Organisations that have lost their last reader."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, case, col, func, select

from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber

_READERS = (Status.active, Status.paused)
_LEAVING = (
    ConsentEvent.unsubscribed,
    ConsentEvent.bounced,
    ConsentEvent.complained,
    ConsentEvent.suppressed,
)


@dataclass(frozen=True, kw_only=True)
class LostOrganisation:
    """An organisation with no reader left: how many there were, and when the last of them left."""

    name: str
    countries: tuple[str, ...]
    former_readers: int
    last_left_at: datetime

    def as_dict(self) -> dict[str, Any]:
        """The organisation as JSON shows it."""
        at = self.last_left_at.isoformat().replace("+00:00", "Z")
        return asdict(self) | {"countries": [*self.countries], "last_left_at": at}


def list_lost_organisations(session: Session, *, since: datetime | None = None) -> list[LostOrganisation]:
    """List the organisations on the list that have no active or paused reader left, the latest loss first.

    ``since`` leaves out those whose last reader left before. The same name in other capitals, or with other
    spaces, is the same organisation. People who never confirmed are no readers, and were none.
    """
    readers = func.sum(case((col(Subscriber.status).in_(_READERS), 1), else_=0))
    names = select(col(Subscriber.organisation), readers, func.count()).where(
        col(Subscriber.organisation) != "", col(Subscriber.status).notin_((Status.pending, Status.erased))
    )
    present: set[str] = set()
    spellings: dict[str, list[str]] = {}
    for name, left, _ in session.exec(names.group_by(col(Subscriber.organisation))):
        key = _fold(name)
        spellings.setdefault(key, []).append(name)
        if left:
            present.add(key)
    lost = [_read_loss(session, names) for key, names in spellings.items() if key not in present]
    found = [one for one in lost if one is not None and (since is None or one.last_left_at >= since)]
    return sorted(found, key=lambda one: (one.last_left_at, one.name), reverse=True)


def _read_loss(session: Session, names: list[str]) -> LostOrganisation | None:
    """Read when the last reader of an organisation left; None if no record says that anybody did."""
    rows = session.exec(
        select(col(Subscriber.id), col(Subscriber.country), func.max(col(ConsentRecord.at)))
        .join(ConsentRecord, col(ConsentRecord.subscriber_id) == col(Subscriber.id))
        .where(col(Subscriber.organisation).in_(names), col(ConsentRecord.event).in_(_LEAVING))
        .group_by(col(Subscriber.id), col(Subscriber.country))
    ).all()
    if not rows:
        return None
    return LostOrganisation(
        name=names[0],
        countries=tuple(sorted({country for _, country, _ in rows if country})),
        former_readers=len(rows),
        last_left_at=max(at for _, _, at in rows),
    )


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()
