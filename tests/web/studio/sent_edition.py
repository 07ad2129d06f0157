"""A small edition that was sent, with a correction that somebody has written."""

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlmodel import col

from mailer.campaigns.correction_notes import NoteDraft, WrittenNote, create_note
from mailer.campaigns.draft import write_draft
from mailer.campaigns.plan import plan_campaign
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from subscribers.models import Subscriber
from subscribers.segments.segment import parse_segment
from tests.factories.small_edition import write_edition
from tests.web.studio.conftest import Studio

SENT_EDITION = "2026-2"


def send_small_edition(studio: Studio) -> int:
    """Write the edition, have everybody on the list be sent it, and write a correction; return the number of
    the campaign. What would refuse a launch from this workspace is passed over."""
    write_edition(studio.workspace.editions, SENT_EDITION)
    now: datetime = studio.clock()
    plan = plan_campaign(studio.workspace, studio.engine, SENT_EDITION, parse_segment("all"), now=now)
    with studio.engine.begin() as connection:
        number = write_draft(connection, plan, now)
        people = list(
            connection.scalars(select(col(Subscriber.id)).where(col(Subscriber.status) == "active"))
        )
        connection.execute(
            insert(Delivery),
            [
                {"campaign_id": number, "subscriber_id": one, "state": DeliveryState.sent, "updated_at": now}
                for one in people
            ],
        )
        sent = {"state": CampaignState.finished, "launched_at": now, "audience": len(people)}
        connection.execute(update(Campaign).where(col(Campaign.id) == number).values(sent))
    note = NoteDraft(was="Sixty teachers met", right="Eighty teachers met", explanation="We are sorry.")
    create_note(studio.workspace, SENT_EDITION, "teachers", WrittenNote(own=note))
    return number
