"""Count the readers of a campaign who have left since, as far as the consent records tell."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, Select, case, func, select
from sqlmodel import col

from mailer.campaigns.audiences.segments import RECEIVED_STATES
from mailer.database.models import Campaign, Delivery
from mailer.dispatch.safeguards import name_campaign
from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber

_LEFT = (ConsentEvent.unsubscribed, ConsentEvent.complained)


@dataclass(frozen=True, kw_only=True)
class Departures:
    """Readers who got the mail or may have got it, have a record of unsubscribing or of reporting spam since
    its launch, and have not come back.

    ``complained`` are those who reported spam, ``unsubscribed`` all others. ``through_mail`` counts those of
    both who used the link or the button of this very mail; the rest left through another mail, a page, a
    command or a list that was imported. What an erased person did is counted, but no longer through what.
    """

    unsubscribed: int = 0
    complained: int = 0
    through_mail: int = 0

    @property
    def total(self) -> int:
        return self.unsubscribed + self.complained

    def as_dict(self) -> dict[str, int]:
        return {"total": self.total, **asdict(self)}


def count_departures(connection: Connection, campaign_id: int) -> Departures:
    """Count who has left since the campaign was launched; nobody before that."""
    people = select_departed(campaign_id).subquery()
    counted = select(func.count(), func.sum(people.c.complained), func.sum(people.c.here)).select_from(people)
    total, complained, through_mail = connection.execute(counted).one()
    return Departures(
        unsubscribed=total - (complained or 0), complained=complained or 0, through_mail=through_mail or 0
    )


def select_departed(campaign_id: int) -> Select[int, int, int]:
    """The statement that selects who has left since the campaign was launched: the ``subscriber_id`` of each,
    and 1 or 0 for whether they ``complained`` and whether they left through this mail (``here``)."""
    here = col(ConsentRecord.source) == name_campaign(campaign_id)
    spam = col(ConsentRecord.event) == ConsentEvent.complained
    return (
        select(
            col(ConsentRecord.subscriber_id).label("subscriber_id"),
            func.max(case((spam, 1), else_=0)).label("complained"),
            func.max(case((here, 1), else_=0)).label("here"),
        )
        .select_from(ConsentRecord)
        .join(Delivery, col(Delivery.subscriber_id) == col(ConsentRecord.subscriber_id))
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            col(Campaign.id) == campaign_id,
            col(Delivery.state).in_(RECEIVED_STATES),
            col(ConsentRecord.event).in_(_LEFT),
            col(ConsentRecord.at) >= col(Campaign.launched_at),
            col(Subscriber.status).in_(GONE_STATUSES - {Status.bounced}),
        )
        .group_by(col(ConsentRecord.subscriber_id))
    )
