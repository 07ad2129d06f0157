"""A campaign that is being sent, one that is scheduled, two that are prepared, and an outbox: what the pages
of sending show."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, update
from sqlmodel import Session, col

from mailer.campaigns.outbox import write_outbox
from mailer.campaigns.plan import plan_campaign
from mailer.campaigns.preparation.preparation import Decisions
from mailer.campaigns.preparation.preparation_store import (
    begin_preparation,
    find_preparation,
    save_preparation,
)
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.web.dependencies import utc_now
from subscribers.segments.segment import parse_segment
from tests.factories.deliveries import add_campaign
from tests.factories.small_edition import write_edition
from tests.web.studio.conftest import Studio
from tests.web.studio.sent_edition import SENT_EDITION

S = DeliveryState
_OWN_EDITION, _BROKEN_EDITION = "2026-8", "2026-9"


@dataclass(frozen=True, kw_only=True)
class Sending:
    """The numbers of the campaigns, ``broken`` that of one which cannot be launched, and the name of a
    message in the outbox."""

    live: int
    prepared: int
    broken: int
    scheduled: int
    message: str


def add_sending(studio: Studio) -> Sending:
    """Send a campaign half-way, and prepare two others; one of them has errors."""
    people = [f"live{number}@example.org" for number in range(12)]
    live = add_campaign(studio.engine, people, title="Spring news", launched_at=utc_now(), rate=2)
    with studio.engine.begin() as connection:
        found = select(col(Delivery.id)).where(col(Delivery.campaign_id) == live).order_by(col(Delivery.id))
        numbers = list(connection.scalars(found))
        for places, values in (
            (range(6), {"state": S.sent}),
            (range(6, 8), {"state": S.rejected, "code": 550, "reason": "5.1.1 <x@example.org> unknown"}),
            (
                range(8, 10),
                {"state": S.in_doubt, "doubted": True, "reason": "connection lost at dot: timed out"},
            ),
            (range(10, 11), {"state": S.sent, "doubted": True, "reason": "proved by a click"}),
        ):
            chosen = [numbers[place] for place in places]
            connection.execute(update(Delivery).where(col(Delivery.id).in_(chosen)).values(values))
    workspace = studio.workspace
    everybody = parse_segment("all")
    plan = plan_campaign(workspace, studio.engine, SENT_EDITION, everybody, again=True, now=utc_now())
    outbox = write_outbox(workspace, studio.engine, plan, addresses=(), now=utc_now())
    write_edition(workspace.editions, _OWN_EDITION)
    broken = write_edition(workspace.editions, _BROKEN_EDITION)
    (broken / "stories" / "010-teachers.md").write_text("---\ntitle: A\nsector: none\n---\n\nText.\n")
    prepared = [prepare(studio, edition) for edition in (_OWN_EDITION, _BROKEN_EDITION)]
    return Sending(
        live=live,
        prepared=prepared[0],
        broken=prepared[1],
        scheduled=_schedule(studio),
        message=outbox[0].name,
    )


def _schedule(studio: Studio) -> int:
    """Add a campaign that starts in two days."""
    with Session(studio.engine) as session:
        campaign = Campaign(
            edition=SENT_EDITION,
            title="Summer news",
            subject="Summer news",
            segment="country:MN",
            digest="",
            state=CampaignState.scheduled,
            created_at=utc_now(),
            scheduled_at=utc_now() + timedelta(days=2),
        )
        session.add(campaign)
        session.commit()
        return campaign.id or 0


def prepare(studio: Studio, edition: str, segment: str = "all") -> int:
    """Prepare a campaign of ``edition``; return its number."""
    with Session(studio.engine) as session:
        begun = find_preparation(session, edition) or begin_preparation(
            session, edition, title=edition, member_id=None, now=utc_now()
        )
        save_preparation(session, begun, Decisions(segment=segment), member_id=None, now=utc_now())
        session.commit()
        return begun.campaign_id


def write_own_sender(root: Path) -> None:
    """Give the workspace another sender than the sample's, in whose name nothing is launched."""
    own = {
        "name": "Regional Office",
        "address": "news@office.example.net",
        "organisation": "The Regional Office",
        "postal_address": "1 Long Street, Beijing 100600",
        "list_id": "news.office.example.net",
    }
    file = root / "mailer.toml"
    text = file.read_text(encoding="utf-8")
    for key, value in own.items():
        text = re.sub(rf"^{key} = .*$", f'{key} = "{value}"', text, count=1, flags=re.MULTILINE)
    file.write_text(text, encoding="utf-8")
