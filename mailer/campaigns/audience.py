"""The audience: who of a segment gets an edition, and who does not and why."""

from datetime import date

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlmodel import col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from subscribers.models import Subscriber
from subscribers.segment import Segment, eligible


def is_in_audience(segment: Segment, edition: str, today: date, *, again: bool) -> ColumnElement[bool]:
    """Whether a subscriber gets ``edition``, as a condition on ``Subscriber``.

    They are in the segment, may get mail ``today``, and (unless ``again``) do not have the edition already.
    """
    conditions = [segment.where(), eligible(today)]
    if not again:
        conditions.append(~already_has(edition))
    return and_(*conditions)


def already_has(edition: str) -> ColumnElement[bool]:
    """Whether a subscriber has got ``edition``, may have got it, or is waiting for it, as a condition."""
    has_it = col(Delivery.state).in_([DeliveryState.sent, DeliveryState.in_doubt])
    gets_it = and_(
        col(Delivery.state).in_([DeliveryState.queued, DeliveryState.claimed, DeliveryState.deferred]),
        col(Campaign.state).in_([CampaignState.sending, CampaignState.paused]),
    )
    return exists().where(
        col(Delivery.subscriber_id) == col(Subscriber.id),
        col(Campaign.id) == col(Delivery.campaign_id),
        col(Campaign.edition) == edition,
        or_(has_it, gets_it),
    )
