"""Where saved segments are used, and whether one may go."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.campaigns.uses import (
    SegmentUses,
    delete_saved_segment,
    find_segment_uses,
    make_lookups,
    rename_saved_segment,
)
from mailer.database.launch_models import CampaignPreparation
from mailer.database.models import Campaign, CampaignState
from mailer.workspace import Workspace
from subscribers.segments.saved_segments import (
    SavedSegmentError,
    find_saved_segment,
    list_saved_segments,
    save_segment,
)
from tests.factories.deliveries import START


@pytest.fixture
def session(engine: Engine, workspace: Workspace) -> Iterator[Session]:
    """Three saved segments: "east", "teachers", which uses it, and one that nobody uses."""
    with Session(engine) as session:
        connection = session.connection()
        for name, text in (
            ("east", "country:MN or country:CN"),
            ("teachers", "segment:east sector:education"),
            ("unused", "tag:nobody"),
        ):
            save_segment(connection, name, text, make_lookups(connection, workspace.settings), now=START)
        yield session


def add(session: Session, edition: str, segment: str, state: CampaignState, *, prepared: bool = False) -> int:
    """Add a campaign for ``segment``; if it is ``prepared``, that is only decided."""
    launched = None if prepared or state is CampaignState.scheduled else START
    campaign = Campaign(
        edition=edition,
        title=edition,
        segment="" if prepared else segment,
        state=state,
        digest="",
        created_at=START,
        launched_at=launched,
        scheduled_at=START + timedelta(days=3) if state is CampaignState.scheduled else None,
    )
    session.add(campaign)
    session.flush()
    assert campaign.id is not None
    if prepared:
        session.add(
            CampaignPreparation(campaign_id=campaign.id, segment=segment, prepared_at=START, changed_at=START)
        )
        session.flush()
    return campaign.id


def find(session: Session, workspace: Workspace) -> dict[str, SegmentUses]:
    saved = list_saved_segments(session.connection())
    return find_segment_uses(session.connection(), workspace.settings, saved, saved)


def test_a_segment_is_used_by_others_drafts_and_campaigns(session: Session, workspace: Workspace) -> None:
    sent = add(session, "2026-1", "country:MN or country:CN", CampaignState.finished)
    written_out = "(country:MN or country:CN) sector:education"
    teachers = add(session, "2026-2", written_out, CampaignState.scheduled)
    named = add(session, "2026-3", "segment:east -tag:press", CampaignState.draft, prepared=True)
    same = add(session, "2026-4", " country:MN or country:CN ", CampaignState.tested, prepared=True)
    # One that was launched is no draft any more, whatever had been decided.
    add(session, "2026-5", "segment:east", CampaignState.finished, prepared=True)
    uses = find(session, workspace)
    assert uses["east"].segments == ("teachers",)
    assert [use.campaign_id for use in uses["east"].drafts] == [same, named]
    assert [use.campaign_id for use in uses["east"].named_in] == [named]
    assert [use.campaign_id for use in uses["east"].campaigns] == [sent]
    assert uses["east"].last_used == START
    assert [use.campaign_id for use in uses["teachers"].campaigns] == [teachers]
    assert uses["teachers"].last_used is None
    assert uses["unused"] == SegmentUses()


def test_a_campaign_keeps_what_a_name_meant(session: Session, workspace: Workspace) -> None:
    add(session, "2026-1", "country:MN or country:CN", CampaignState.finished)
    connection = session.connection()
    lookups = make_lookups(connection, workspace.settings)
    save_segment(connection, "east", "country:JP", lookups, now=START)
    assert find(session, workspace)["east"].campaigns == ()


def test_a_segment_that_a_draft_names_stays(session: Session, workspace: Workspace) -> None:
    add(session, "2026-4", "country:MN or country:CN", CampaignState.draft, prepared=True)
    connection, settings = session.connection(), workspace.settings
    east = find_saved_segment(connection, "east")
    orient = rename_saved_segment(connection, settings, east, "orient", now=START)
    number = add(session, "2026-3", "segment:ORIENT", CampaignState.approved, prepared=True)
    told = rf"prepared: 2026-3 \(campaign {number}\)"
    with pytest.raises(SavedSegmentError, match=told):
        rename_saved_segment(connection, settings, orient, "east", now=START)
    with pytest.raises(SavedSegmentError, match=told):
        delete_saved_segment(connection, settings, orient)


def test_a_segment_that_can_no_longer_be_read_has_its_uses_still(
    session: Session, workspace: Workspace
) -> None:
    add(session, "2026-1", "segment:east sector:education", CampaignState.finished)
    sectors = workspace.settings.model_copy(update={"sectors": {"learning": "Learning"}})
    saved = list_saved_segments(session.connection())
    uses = find_segment_uses(session.connection(), sectors, saved, saved)
    assert len(uses["teachers"].campaigns) == 1
