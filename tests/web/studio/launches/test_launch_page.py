"""Launching from Studio: what is said before, the number typed, ten seconds, a second person, the outcome,
without script and with real mail."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select, text, update
from sqlmodel import Session, col

from mailer.campaigns.due_launches import start_due_launches
from mailer.campaigns.preparation.preparation import Decisions
from mailer.campaigns.preparation.preparation_store import begin_preparation, save_preparation
from mailer.database.launch_models import PendingLaunchRecord
from mailer.database.models import CampaignState, DeliveryState
from mailer.database.team_models import ActivityRecord, Role
from mailer.doctor.diagnosis import Health, list_findings, read_diagnosis
from mailer.settings import SmtpSettings
from mailer.web.dependencies import utc_now
from mailer.web.studio.campaigns.launch import FAULT_ACTS
from mailer.workspace import Workspace, open_workspace
from tests.factories.deliveries import add_subscribers, read_campaign, read_states
from tests.factories.small_edition import add_people, write_edition
from tests.servers.campaign_worker import working
from tests.servers.misbehaving_smtp import DROP, MisbehavingServer, Stage
from tests.servers.process import wait_until
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.house import House, open_house

_EDITION = "2026-7"
"""No other part of the house prepares it."""

_DIGEST = re.compile(r'name="digest" value="([0-9a-f]{64})"')


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        yield house


@pytest.fixture
def campaign(house: House) -> Iterator[int]:
    """The number of a campaign that is prepared for everybody: four people."""
    add_people(house.studio.engine)
    yield prepare(house.studio, Decisions(segment="all", note="The minister is quoted."))
    house.restore()


def prepare(studio: Studio, decisions: Decisions, edition: str = _EDITION) -> int:
    write_edition(studio.workspace.editions, edition)
    with Session(studio.engine) as session:
        begun = begin_preparation(session, edition, title="Partner News", member_id=None, now=utc_now())
        save_preparation(session, begun, decisions, member_id=None, now=utc_now())
        session.commit()
        return begun.campaign_id


def read_page(house: House, path: str, who: Role = Role.approver) -> str:
    """The page once it has been checked; each look asks again, as the browser does."""
    pages: list[str] = []

    def look() -> bool:
        pages[:] = [house.ask("GET", path, who).body.decode()]
        return "Counting partners" not in pages[0]

    wait_until(look, what="the check of the campaign")
    return pages[0]


def ask_launch(house: House, campaign: int, count: str, who: Role = Role.approver) -> tuple[int, str]:
    found = _DIGEST.search(read_page(house, f"/campaigns/{campaign}/launch", who))
    assert found is not None
    form = {"count": count, "digest": found[1]}
    answer = house.ask("POST", f"/campaigns/{campaign}/launch", who, form=form)
    return answer.status, answer.headers.get("location", "") + answer.body.decode()


def hurry(studio: Studio) -> None:
    """Let the ten seconds be over."""
    with studio.engine.begin() as connection:
        connection.execute(update(PendingLaunchRecord).values(due_at=utc_now() - timedelta(seconds=1)))


def list_acts(studio: Studio) -> list[str]:
    with studio.engine.connect() as connection:
        return list(connection.scalars(select(col(ActivityRecord.act)).order_by(col(ActivityRecord.id))))


def test_the_page_says_what_will_happen_and_sends_for_the_number_alone(house: House, campaign: int) -> None:
    path = f"/campaigns/{campaign}/launch"
    page = read_page(house, path)
    for words in ("goes to 4 partners", "everyone on the list", "The minister is quoted.", "ten seconds to"):
        assert words in page
    for wrong in ("5", "", "four", "44"):
        status, answer = ask_launch(house, campaign, wrong)
        assert status == 422
        assert f'name="count" value="{wrong}"' in answer
        assert 'href="#count"' in answer
    assert list_acts(house.studio) == []
    status, answer = ask_launch(house, campaign, " 4 ")
    assert (status, answer) == (303, f"/studio{path}")
    waits = house.ask("GET", path, Role.approver).body.decode()
    assert "It starts in" in waits
    assert "everyone on the list" in waits, "to whom, in words, while it can be undone"
    assert all('<a href="/studio/campaigns">Campaigns</a> / ' in one for one in (page, waits))
    assert '<noscript><meta http-equiv="refresh" content="2">' in waits
    assert house.ask("POST", path, Role.approver, form={"count": "4", "digest": "0" * 64}).status == 303
    assert list_acts(house.studio) == ["launched_campaign"]


def test_it_is_undone_within_ten_seconds_and_not_afterwards(house: House, campaign: int) -> None:
    path = f"/campaigns/{campaign}/launch"
    ask_launch(house, campaign, "4")
    undone = house.ask("POST", f"{path}/undo", Role.manager, form={"number": "1"})
    assert undone.headers["location"].endswith("launch?notice=launch-undone")
    again = house.ask("POST", f"{path}/undo", Role.approver, form={"number": "1"})
    assert again.headers["location"].endswith("launch?notice=launch-undone"), "in another window"
    late = house.ask("GET", f"{path}/pending", Role.manager, hx_request="true")
    assert late.headers["hx-redirect"].endswith("launch?notice=launch-undone"), "a question that comes after"
    hurry(house.studio)
    assert start_due_launches(house.studio.engine, house.studio.workspace) == []
    ask_launch(house, campaign, "4")
    hurry(house.studio)
    waits = house.ask("GET", path, Role.approver).body.decode()
    assert "Waits to be sent" in waits, "nothing starts while no program is sending"
    assert "It is starting" not in waits
    start_due_launches(house.studio.engine, house.studio.workspace)
    late = house.ask("POST", f"{path}/undo", Role.approver, form={"number": "2"})
    assert late.headers["location"].endswith(f"/campaigns/{campaign}/live?notice=launch-begun")
    assert house.ask("GET", path, Role.approver).headers["location"].endswith(f"/campaigns/{campaign}/live")
    fragment = house.ask("GET", f"{path}/pending", Role.approver, hx_request="true")
    assert fragment.headers["hx-redirect"] == f"/studio/campaigns/{campaign}/live"
    again = house.ask("POST", path, Role.approver, form={"count": "4"})
    assert again.status == 303
    assert list_acts(house.studio) == ["launched_campaign", "undid_launch", "launched_campaign"]


def test_two_people_in_two_tabs_launch_one_campaign(house: House, campaign: int) -> None:
    digest = _DIGEST.search(read_page(house, f"/campaigns/{campaign}/launch"))
    assert digest is not None
    form = {"count": "4", "digest": digest[1]}
    barrier, statuses = threading.Barrier(4), []

    def click(who: Role) -> None:
        barrier.wait()
        statuses.append(house.ask("POST", f"/campaigns/{campaign}/launch", who, form=form).status)

    threads = [threading.Thread(target=click, args=(who,)) for who in (Role.approver, Role.manager) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [303] * 4
    hurry(house.studio)
    assert len(start_due_launches(house.studio.engine, house.studio.workspace)) == 1
    assert list_acts(house.studio) == ["launched_campaign"]
    assert len(read_states(house.studio.engine)) == 4


@pytest.mark.spare
def test_another_number_at_the_start_is_told_and_typed_anew(house: House, campaign: int) -> None:
    ask_launch(house, campaign, "4")
    add_subscribers(house.studio.engine, ["late@example.org"])
    hurry(house.studio)
    start_due_launches(house.studio.engine, house.studio.workspace)
    page = house.ask("GET", f"/campaigns/{campaign}/launch", Role.approver).body.decode()
    assert "It was confirmed for 4, but at its start there were 5 partners to send it to." in page
    assert "Nothing was sent" in page
    assert read_states(house.studio.engine) == {}
    told = "The last launch did not start. Nothing was sent."
    assert told in read_page(house, "/"), "to who has gone away, and believes that it was sent"
    assert told not in read_page(house, "/", Role.author), "who may not launch"
    # For some seconds, the number is the one that was counted before.
    wait_until(lambda: ask_launch(house, campaign, "5")[0] == 303, what="a launch to five")
    assert told not in read_page(house, "/")


def test_all_that_stands_in_the_way_is_named_with_the_step_that_mends_it(house: House) -> None:
    number = prepare(house.studio, Decisions(segment="country:FR"))
    page = read_page(house, f"/campaigns/{number}/launch")
    assert "Nobody would get it." in page
    assert f'href="/studio/campaigns/{number}"' in page
    assert 'name="count"' not in page
    form = {"count": "0", "digest": "0" * 64}
    assert house.ask("POST", f"/campaigns/{number}/launch", Role.approver, form=form).status == 422
    house.restore()
    number = prepare(house.studio, Decisions())
    assert "Nobody has chosen who gets it." in read_page(house, f"/campaigns/{number}/launch")
    for path, _ in FAULT_ACTS.values():
        place = path.format(campaign=number, edition=_EDITION)
        assert house.ask("GET", place, Role.manager).status == 200, place
    house.restore()


@contextmanager
def serving(workspace: Workspace, settings: str) -> Iterator[Studio]:
    """A Studio of its own, whose settings have some more lines."""
    file = workspace.root / "mailer.toml"
    file.write_text(file.read_text(encoding="utf-8") + settings, encoding="utf-8")
    write_edition(workspace.editions)
    with serve_studio(open_workspace(workspace.root, environ={})) as studio:
        add_people(studio.engine)
        yield studio


def test_a_second_person_confirms_what_the_first_has_asked_for(
    workspace: Workspace, browser: Browser
) -> None:
    with serving(workspace, '\n[campaigns]\nlaunch_by = "two"\n') as studio:
        ann = studio.add_member(Role.approver, "Ann Osei")
        ben = studio.add_member(Role.manager, "Ben Oyun")
        number = prepare(studio, Decisions(segment="all"))
        path = f"{studio.url}/campaigns/{number}/launch"
        with studio.browse(browser, ann) as page:
            page.goto(path)
            page.get_by_label("Type the number of partners").fill("4")
            page.get_by_role("button", name="Send to 4 partners").click()
            expect(page.get_by_text("It waits for another person to confirm it.")).to_be_visible()
            assert page.get_by_role("button", name="Confirm").count() == 0
        assert start_due_launches(studio.engine, studio.workspace) == []
        with studio.browse(browser, ben, java_script_enabled=False) as page:
            page.goto(f"{studio.url}/")
            page.get_by_role("link", name="Confirm the launch").click()
            box = page.get_by_label("Type the number of partners, to confirm it")
            box.fill("5")
            page.get_by_role("button", name="Confirm sending to 4 partners").click()
            expect(page.get_by_text("The launch is for 4 partners.").first).to_be_visible()
            box.fill("4")
            page.get_by_role("button", name="Confirm sending to 4 partners").click()
            expect(page.get_by_text("You have confirmed the launch.")).to_be_visible()
        hurry(studio)
        (started,) = start_due_launches(studio.engine, studio.workspace)
        assert started.has_started, started.reason
        assert list_acts(studio) == ["asked_launch", "launched_campaign"]


def test_a_campaign_is_launched_and_sent_to_a_server_that_defers_refuses_and_drops(
    workspace: Workspace, browser: Browser
) -> None:
    with MisbehavingServer() as server, serving(workspace, f'\n[smtp]\nurl = "{server.url}"\n') as studio:
        server.answer(Stage.rcpt, "451 4.7.1 Come back later", only="bat@")
        server.answer(Stage.rcpt, "550 5.1.1 No such user", only="li@")
        server.answer(Stage.dot, DROP, only="kim@")
        impatient = SmtpSettings(url=server.url, timeout=5, final_timeout=5)
        settings = studio.workspace.settings.model_copy(update={"smtp": impatient})
        with working(replace(studio.workspace, settings=settings)):
            number = prepare(studio, Decisions(segment="all"))
            with studio.browse(browser, studio.add_member(Role.approver, "Ann Osei")) as page:
                page.goto(f"{studio.url}/campaigns/{number}/launch")
                page.get_by_label("Type the number of partners").fill("4")
                page.get_by_role("button", name="Send to 4 partners").click()
                expect(page.get_by_text("It starts in")).to_be_visible()
                hurry(studio)
                for name in ("sent", "rejected", "deferred", "in_doubt"):
                    expect(page.locator(f".sum .{name} dd")).to_contain_text("1", timeout=30_000)
                expect(page.get_by_text("550 5.1.1 No such user")).to_be_visible()
                expect(page.get_by_text("No program is sending")).to_have_count(0)
        assert read_campaign(studio.engine, number).state is CampaignState.sending
        assert read_states(studio.engine) == {
            "bat@example.org": DeliveryState.deferred,
            "li@example.org": DeliveryState.rejected,
            "kim@example.org": DeliveryState.in_doubt,
            "sato@example.org": DeliveryState.sent,
        }
        assert sorted(server.recipients) == ["kim@example.org", "sato@example.org"]


def test_trial_mode_is_shown_and_ended_by_a_manager_once_the_doctor_finds_nothing_bad(
    workspace: Workspace,
) -> None:
    settings = '\n[smtp]\nurl = "smtp://relay.example.net:25"\n'
    with serving(workspace, settings) as studio:
        manager = studio.sign_in(studio.add_member(Role.manager, "Mei Manager"))
        house = House(studio=studio, cookies={Role.manager: manager}, pristine=workspace.root)
        number = prepare(studio, Decisions(segment="all"))
        with studio.engine.begin() as connection:
            connection.execute(text("UPDATE subscriber SET envelope = 'reader' || id || '@ministry.mn'"))
        page = read_page(house, f"/campaigns/{number}/launch", Role.manager)
        assert "Trial mode is on" in page
        assert "lead to http://" in page
        assert "`mailer" not in page.partition('id="check"')[2]
        checklist = read_page(house, f"/campaigns/{number}", Role.manager)
        assert "This workspace is in trial mode" in checklist
        assert 'href="/studio/trial"' in checklist
        assert 'href="/studio/trial"' in page
        assert "until the set-up is proven" in house.ask("GET", "/trial", Role.manager).body.decode()
        refused = house.ask("POST", "/trial/end", Role.manager)
        assert refused.status == 422
        assert "Trial mode stays on: the doctor found" in refused.body.decode()
        assert list_acts(studio) == []
        # The page it leads to explains what was found now, and not what was found some time before.
        kept = read_diagnosis(workspace)
        assert kept is not None
        assert list_findings(kept.findings, Health.bad)
