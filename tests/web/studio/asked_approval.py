"""A campaign whose approval is asked for in two steps, the first of somebody outside the team."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, delete

from mailer.campaigns.approvals.people import WantedReviewer, WantedStep, list_reviewers, make_link
from mailer.campaigns.approvals.request import ask_for_approval
from mailer.campaigns.approvals.steps import Person
from mailer.campaigns.launch_lock import launch_lock
from mailer.campaigns.named_plan import plan_prepared_campaign
from mailer.campaigns.preparation.preparation_store import (
    begin_preparation,
    find_preparation,
    save_preparation,
)
from mailer.database.approval_models import ApprovalMail
from mailer.database.team_models import Role
from mailer.team.members import Member
from tests.web.studio.conftest import Studio


@dataclass(frozen=True, kw_only=True)
class AskedApproval:
    """``campaign`` and ``number`` are those of the campaign and of the request, ``secret`` is that of the
    reviewer's link."""

    campaign: int
    number: int
    secret: str


def ask_of_outsider(studio: Studio, edition: str, asker: Member, now: datetime) -> AskedApproval:
    """Ask for the approval of ``edition`` for everybody."""
    with Session(studio.engine) as session:
        begun = find_preparation(session, edition) or begin_preparation(
            session, edition, title=edition, member_id=asker.id, now=now
        )
        decided = replace(begun.decisions, segment="all")
        prepared = save_preparation(session, begun, decided, member_id=asker.id, now=now)
        session.commit()
    plan = plan_prepared_campaign(studio.workspace, studio.engine, prepared, now=now)
    ana = WantedReviewer(name="Ana Diaz", email="ana@ministry.example")
    with launch_lock(studio.engine, studio.workspace, plan) as connection:
        asked = ask_for_approval(
            connection,
            studio.workspace,
            plan,
            asker=Person.of_member(asker),
            steps=[WantedStep(name="Facts", reviewers=(ana,)), WantedStep(roles=(Role.manager,))],
            note="Is the name of the minister right?",
            campaign_id=prepared.campaign_id,
            now=now,
        )
        (reviewer,) = list_reviewers(connection, asked.id)
        # No mail is sent here, which would make another link.
        connection.execute(delete(ApprovalMail))
        secret = make_link(connection, reviewer.reviewer_id or 0, now=now)
    return AskedApproval(campaign=asked.campaign_id, number=asked.id, secret=secret)
