"""The page on which a scheduled campaign gets another time."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailer.database.models import CampaignState
from mailer.database.team_models import Role
from mailer.workspace import Workspace
from tests.factories.deliveries import add_campaign, read_campaign
from tests.factories.small_edition import SLUG
from tests.servers.scripted_smtp import ScriptedServer
from tests.web.studio.campaigns.conftest import NOW, Desk
from tests.web.studio.conftest import serve_studio
from tests.web.studio.house import House

AT = datetime(2096, 4, 2, 1, 0, tzinfo=UTC)
# By the database's clock, which no test sets, this is in the future for some time.
LATER = {"start": "2096-04-03T09:30", "zone": "Asia/Shanghai"}


@pytest.fixture
def number(desk: Desk) -> int:
    """A campaign that is scheduled."""
    number = desk.prepare()
    desk.change_campaign(number, state=CampaignState.scheduled, scheduled_at=AT, segment="all")
    return number


def find_start(desk: Desk, number: int) -> str:
    found = re.search(r"<dt>Starts</dt><dd><bdi>(.*?)</bdi>", desk.get(f"/campaigns/{number}"))
    assert found is not None
    return found[1]


def read_form(page: str) -> dict[str, str]:
    """What the form says: the time it began from, the time, and the zone."""
    fields = {name: re.search(rf'name="{name}" value="(.*?)"', page) for name in ("seen", "start")} | {
        "zone": re.search(r'<option value="(.*?)" selected', page)
    }
    return {name: found[1] for name, found in fields.items() if found is not None}


def test_a_scheduled_campaign_gets_another_time_and_the_log_says_so(desk: Desk, number: int) -> None:
    path = f"/campaigns/{number}/reschedule"
    assert f'href="/studio{path}"' in desk.get(f"/campaigns/{number}", Role.approver)
    form = read_form(desk.get(path, Role.approver))
    assert form == {"seen": AT.isoformat(), "start": "2096-04-02T09:00", "zone": "Asia/Shanghai"}
    led = desk.act(path, {**form, **LATER}, Role.approver)
    assert led == f"/campaigns/{number}?notice=decisions-saved"
    assert find_start(desk, number) == "3 April 2096, 09:30 (Asia/Shanghai, UTC+8)"
    detail = "from 2096-04-02 01:00 UTC to 2096-04-03 01:30 UTC"
    assert desk.list_acts()[0] == ("rescheduled_campaign", SLUG, str(number), detail)
    page = desk.get(f"/campaigns/{number}")
    assert f"Changed when campaign {number} starts" in page
    assert detail in page


def test_saving_the_same_time_leaves_no_line(desk: Desk, number: int) -> None:
    path = f"/campaigns/{number}/reschedule"
    before = desk.list_acts()
    desk.act(path, read_form(desk.get(path, Role.approver)), Role.approver)
    assert desk.list_acts() == before


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"start": "2020-01-01T09:00", "zone": "UTC"}, "start", "This has passed: there it is"),
        ({"start": "soon", "zone": "UTC"}, "start", "Write a day and a time"),
        ({"start": "9999-12-31T23:59", "zone": "America/Los_Angeles"}, "start", "Write a day and a time"),
        ({"start": "2096-03-25T02:30", "zone": "Europe/Berlin"}, "start", "does not exist"),
        ({"start": "2096-04-03T09:30", "zone": "Nowhere"}, "zone", "Choose the time zone"),
    ],
)
def test_a_time_that_is_none_is_refused_at_its_field(
    desk: Desk, number: int, form: dict[str, str], field: str, words: str
) -> None:
    page = desk.refuse(f"/campaigns/{number}/reschedule", form, Role.approver)
    found = re.search(rf'id="{field}-error">(.*?)</p>', page)
    assert found is not None
    assert words in found[1]
    assert f'value="{form["start"]}"' in page


def test_who_saves_later_sees_the_time_of_the_other_and_may_save_again(desk: Desk, number: int) -> None:
    path = f"/campaigns/{number}/reschedule"
    form = read_form(desk.get(path, Role.approver))
    desk.act(path, {**form, **LATER}, Role.manager)
    page = desk.refuse(path, {**form, "start": "2096-04-05T09:00"}, Role.approver, status=409)
    assert "Somebody else has changed this meanwhile" in page
    assert "3 April 2096, 09:30 (Asia/Shanghai, UTC+8)" in page
    again = read_form(page)
    assert again["start"] == "2096-04-05T09:00"
    desk.act(path, again, Role.approver)
    assert find_start(desk, number).startswith("5 April 2096, 09:00")


def test_what_has_started_meanwhile_is_left_alone(desk: Desk, number: int) -> None:
    path = f"/campaigns/{number}/reschedule"
    form = read_form(desk.get(path, Role.approver))
    desk.change_campaign(number, state=CampaignState.sending, launched_at=AT, audience=4)
    led = desk.act(path, {**form, **LATER}, Role.approver)
    assert led == f"/campaigns/{number}?notice=campaign-changed"
    assert desk.house.ask("GET", path, Role.approver).status == 303


def test_who_may_not_launch_does_not_choose_the_time(desk: Desk, number: int) -> None:
    assert "Change when it starts" not in desk.get(f"/campaigns/{number}")
    assert desk.post(f"/campaigns/{number}/reschedule", LATER).status == 403


def test_where_two_people_launch_one_alone_only_puts_it_off(workspace: Workspace) -> None:
    chosen = workspace.settings.campaigns.model_copy(update={"launch_by": "two"})
    settings = workspace.settings.model_copy(update={"campaigns": chosen})
    with serve_studio(replace(workspace, settings=settings), clock=lambda: NOW) as studio:
        number = add_campaign(studio.engine, 0, state=CampaignState.scheduled, scheduled_at=AT)
        cookies = {Role.approver.value: studio.sign_in(studio.add_member(Role.approver))}
        house = House(studio=studio, cookies=cookies, pristine=workspace.root)
        desk, path = Desk(house=house, relay=ScriptedServer()), f"/campaigns/{number}/reschedule"
        page = desk.refuse(path, {**LATER, "start": "2096-04-01T09:30"}, Role.approver)
        assert "one alone can only put it off" in page
        desk.act(path, LATER, Role.approver)
        assert read_campaign(studio.engine, number).scheduled_at == AT + timedelta(hours=24, minutes=30)
