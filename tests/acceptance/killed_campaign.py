"""The steps of a journey through Studio from a launch to a correction; its server is killed at each."""

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import update
from sqlmodel import col, select

from mailer.activity.acts import Act
from mailer.database.engine import open_session
from mailer.database.launch_models import CampaignPreparation, PendingLaunchRecord, PendingLaunchState
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.deliveries import count_deliveries
from mailer.web.dependencies import utc_now
from tests.acceptance.form_browser import ServerGoneError
from tests.acceptance.killed_deliveries import (
    check_all_settled,
    check_deliveries,
    check_live,
    check_settled,
    find_addresses,
    find_delivery,
    list_named_doubts,
)
from tests.acceptance.killed_journey import Step, Work
from tests.acceptance.killed_team import EDITION, PEOPLE, STORY, Team
from tests.servers.process import wait_until


def launch(team: Team) -> None:
    """Launch it, undo that, and launch it again."""
    _launch(team)
    journey, path = team.journey, f"/campaigns/{team.campaign}/launch"
    undone = col(PendingLaunchRecord.state) == PendingLaunchState.undone
    journey.walk(
        Step(
            name="undoing a launch",
            fill=team.form(path, "Undo the launch"),
            count=lambda: journey.number(PendingLaunchRecord, undone),
            says=lambda: not _shows_launch(team),
            act=Act.undid_launch,
        )
    )
    assert journey.number(Delivery) == 0
    _launch(team)


def _launch(team: Team) -> None:
    journey, path = team.journey, f"/campaigns/{team.campaign}/launch"
    journey.walk(
        Step(
            name="launching",
            fill=team.form(path, "Send to 30 partners", {"count": "30"}),
            count=lambda: journey.number(PendingLaunchRecord),
            says=lambda: _shows_launch(team),
            act=Act.launched_campaign,
        )
    )


def _shows_launch(team: Team) -> bool:
    return team.mei.open(f"/studio/campaigns/{team.campaign}/launch").has_button("Undo the launch")


def send(team: Team) -> None:
    """The seconds to undo it are over: it is launched, and sent to all but one who is put off."""
    journey = team.journey
    launched = col(Campaign.launched_at).is_not(None)
    journey.work(
        Work(
            name="starting a launch",
            is_done=lambda: journey.number(Campaign, launched) == 1,
            check=lambda: _check_start(team),
            begin=lambda: _let_launch_start(team),
            kills=6,
        )
    )
    journey.holds_launches = False
    assert journey.number(Delivery) == len(PEOPLE)
    with open_session(journey.engine, read_only=True) as session:
        team.campaign = session.exec(select(Campaign).where(launched)).one().id or 0
    journey.work(
        Work(
            name="sending",
            is_done=lambda: _has_left(team),
            check=lambda: check_live(team),
            kills=14,
        )
    )
    wait_until(lambda: _put_off(team, timedelta(hours=1)), what="Bat to be put off")
    check_settled(team)


def _let_launch_start(team: Team) -> None:
    waits = col(PendingLaunchRecord.state) == PendingLaunchState.waiting
    with team.journey.engine.begin() as connection:
        connection.execute(update(PendingLaunchRecord).where(waits).values(due_at=utc_now()))


def _check_start(team: Team) -> None:
    """It is launched for all or for nobody."""
    before = team.journey.number(Delivery)
    is_live = team.mei.open(f"/studio/campaigns/{team.campaign}/live").path.endswith("/live")
    after = team.journey.number(Delivery)
    assert {before, after} <= {0, len(PEOPLE)}
    assert is_live in {bool(before), bool(after)}
    check_deliveries(team)


def _has_left(team: Team) -> bool:
    """Whether nothing is left to be sent now."""
    open_states = (DeliveryState.queued, DeliveryState.claimed)
    is_open = col(Delivery.state).in_(open_states) | col(Delivery.owner).is_not(None)
    return not team.journey.number(Delivery, is_open)


def _put_off(team: Team, by: timedelta) -> bool:
    """Whether there is somebody who was put off, and will be sent it later by so much."""
    deferred = col(Delivery.state) == DeliveryState.deferred
    with team.journey.engine.begin() as connection:
        values = {"not_before": utc_now() + by}
        return connection.execute(update(Delivery).where(deferred).values(values)).rowcount == 1


def pause(team: Team) -> None:
    journey, live = team.journey, f"/campaigns/{team.campaign}/live"
    journey.walk(
        Step(
            name="pausing",
            fill=team.form(live, "Pause sending"),
            count=lambda: journey.number(Campaign, Campaign.state == CampaignState.paused),
            says=lambda: team.mei.open(f"/studio{live}").has_button("Go on sending"),
            act=Act.paused_campaign,
        )
    )


def settle_doubts(team: Team) -> None:
    """Kim has it, and Dorj is sent it again: both are asked, and neither before that."""
    assert {"kim@partner.example", "dorj@partner.example"} <= list_named_doubts(team)
    _settle(team, "kim", "They have it")
    _settle(team, "dorj", "Send again")


def _settle(team: Team, name: str, button: str) -> None:
    journey, path = team.journey, f"/campaigns/{team.campaign}/doubts"
    address = f"{name}@partner.example"
    number = find_delivery(team, address)
    settled = (col(Delivery.id) == number, col(Delivery.state) != DeliveryState.in_doubt)
    journey.walk(
        Step(
            name=f"settling: {button}",
            fill=team.form(path, button, within=address),
            count=lambda: journey.number(Delivery, *settled),
            says=lambda: address not in list_named_doubts(team),
            act=Act.resolved_doubts,
        )
    )
    assert len(team.mails_to(address)) == 1
    if button == "Send again":
        team.sent_again.add(address)
    check_settled(team)


def resume(team: Team) -> None:
    """It goes on: Bat, who was put off, gets it, and so does Dorj."""
    journey, live = team.journey, f"/campaigns/{team.campaign}/live"
    team.journey.mails.rules.clear()
    journey.walk(
        Step(
            name="resuming",
            fill=team.form(live, "Go on sending"),
            count=lambda: journey.number(Campaign, Campaign.state != CampaignState.paused),
            says=lambda: not team.mei.open(f"/studio{live}").has_button("Go on sending"),
            act=Act.resumed_campaign,
        )
    )
    finished = Campaign.state == CampaignState.finished
    journey.work(
        Work(
            name="sending to the rest",
            is_done=lambda: journey.number(Campaign, finished) == 1,
            check=lambda: check_live(team),
            begin=lambda: _end_wait(team),
            kills=6,
        )
    )
    check_all_settled(team)


def _end_wait(team: Team) -> None:
    _put_off(team, timedelta())


def report(team: Team) -> None:
    """The report has the numbers of the ledger, even if the server was killed while it was read."""
    path = f"/campaigns/{team.campaign}/report"

    def read() -> None:
        with suppress(ServerGoneError):
            team.words(path)

    def check() -> None:
        with team.journey.engine.connect().execution_options(read_only=True) as connection:
            equation = count_deliveries(connection, team.campaign).equation()
        words = team.words(path)
        assert equation in words
        assert find_addresses(words) == list_named_doubts(team)

    team.journey.work(Work(name="reading the report", is_done=lambda: True, check=check, begin=read))


def correct(team: Team) -> None:
    journey, path = team.journey, f"/corrections/{EDITION}/{STORY}/1"
    folder = journey.workspace.root / "corrections" / EDITION / STORY
    values = {"was-en": "Forty teachers", "right-en": "Seventy teachers"}
    new = f"/corrections/new?edition={EDITION}&story={STORY}"
    journey.walk(
        Step(
            name="writing a correction",
            fill=team.form(new, "Save, and show the email", values),
            count=lambda: len(list(folder.glob("[0-9].md"))),
            says=lambda: "Seventy" in team.words(path),
            act=Act.wrote_correction,
            again=False,
        )
    )
    journey.walk(
        Step(
            name="preparing a correction",
            fill=team.form(path, "Prepare a campaign"),
            count=lambda: journey.number(CampaignPreparation),
            says=lambda: "A campaign has begun of this correction" in team.words(path),
            act=Act.prepared_correction,
        )
    )


STEPS = (launch, send, pause, settle_doubts, resume, report, correct)
