"""The steps of a journey through Studio from an approver's invitation to the approval of a campaign.

Its server is killed at each of them, but not while the campaign is written and tested.
"""

from collections.abc import Callable
from http import HTTPStatus

from sqlmodel import select

from mailer.activity.acts import Act
from mailer.database.approval_models import ApprovalAnswer, ApprovalRound, RoundState
from mailer.database.engine import open_session
from mailer.database.team_models import TeamMember, TeamSession
from tests.acceptance import killed_preparation
from tests.acceptance.killed_journey import Step
from tests.acceptance.killed_team import Plan, Team
from tests.servers.process import wait_until

BEN, ANA = "ben@example.org", "ana@ministry.example"
RIGHT = "Forty teachers met for three days."


def begin(team: Team) -> None:
    """A campaign that is written and tested; nothing is killed meanwhile."""
    team.journey.is_calm = True
    killed_preparation.found_team(team)
    team.journey.is_calm = False
    _invite(team)
    _join(team)
    team.journey.is_calm = True
    for step in killed_preparation.STEPS[2:]:
        step(team)
    team.journey.is_calm = False


def _invite(team: Team) -> None:
    values = {"email": BEN, "name": "Ben Approver", "role": "approver"}
    team.journey.walk(
        Step(
            name="inviting an approver",
            fill=team.form("/team/invite", "Invite this person", values),
            count=lambda: team.journey.number(TeamMember),
            says=lambda: BEN in team.words("/team"),
            act=Act.invited_member,
        )
    )


def _join(team: Team) -> None:
    link = team.await_link(BEN, "link")
    team.journey.walk(
        Step(
            name="joining the team",
            fill=team.form(link, "Sign in", who=team.ben),
            count=lambda: team.journey.number(TeamSession),
            says=lambda: team.visitor().open(f"/studio{link}").status == HTTPStatus.GONE,
            again=False,
            kills=3,
        )
    )
    team.sign_in_again(team.ben, link)


def get_approval(team: Team) -> None:
    """Ana asks for a change, gets it, and approves; then Ben does."""
    path = f"/campaigns/{team.campaign}/approval"
    values = {
        "name-1": "Facts",
        "member-1": str(_find_member(team, "Ben Approver")),
        "reviewers-1": f"Ana Diaz <{ANA}>",
        "needs-1": "all",
    }
    _ask(team, team.form(f"{path}/steps", "Ask for approval in these steps", values))
    review = team.await_link(ANA, "review")
    asked = "Forty, not sixty."
    _answer(
        team,
        "asking for a change",
        team.form(review, "Request changes", {"words": asked}, who=team.ana),
        lambda: "You asked for changes" in team.words(review, team.ana),
        Act.requested_changes,
    )
    assert asked in team.words(path)
    killed_preparation.save_story(team, RIGHT)
    _ask_again(team, path)
    again = team.await_link(ANA, "review")
    _answer(
        team,
        "approving from outside",
        team.form(again, "Approve this content", who=team.ana),
        lambda: "You approved it" in team.words(again, team.ana),
        Act.approved_campaign,
    )
    _answer(
        team,
        "approving",
        team.form(path, "Approve this content", who=team.ben),
        lambda: "Approved · Ben Approver" in team.words(path, team.ben),
        Act.approved_campaign,
    )
    assert team.journey.number(ApprovalRound, ApprovalRound.state == RoundState.approved) == 1
    assert "Go on to the launch" in team.words(path)


def _find_member(team: Team, name: str) -> int:
    with open_session(team.journey.engine, read_only=True) as session:
        return session.exec(select(TeamMember).where(TeamMember.name == name)).one().id or 0


def _ask_again(team: Team, path: str) -> None:
    number = len(team.mails_to(ANA))
    _ask(team, team.form(path, "Ask for approval"))
    wait_until(lambda: len(team.mails_to(ANA)) > number, what="another mail to Ana", seconds=60)


def _ask(team: Team, fill: Plan) -> None:
    journey, path = team.journey, f"/campaigns/{team.campaign}/approval"
    is_open = ApprovalRound.state == RoundState.open
    journey.walk(
        Step(
            name="asking for approval",
            fill=fill,
            count=lambda: journey.number(ApprovalRound, is_open),
            says=lambda: "Waiting for" in team.words(path),
            act=Act.asked_for_approval,
            kills=5,
        )
    )


def _answer(team: Team, name: str, fill: Plan, says: Callable[[], bool], act: Act) -> None:
    journey = team.journey
    journey.walk(Step(name=name, fill=fill, count=lambda: journey.number(ApprovalAnswer), says=says, act=act))


STEPS = (begin, get_approval)
