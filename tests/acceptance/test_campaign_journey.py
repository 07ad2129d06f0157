"""A team's first campaign in Studio, from an empty workspace to a correction, in real browsers and by a real
mail server that puts off, refuses and hangs up; without JavaScript to the live page; and on a phone."""

import re
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import update
from sqlmodel import col

from mailer.database.launch_models import PendingLaunchRecord
from mailer.database.models import CampaignState, Delivery, DeliveryState
from mailer.database.team_models import Role
from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace, open_workspace
from tests.acceptance.studio_desk import (
    EDITION,
    LONG,
    Desk,
    add_story,
    begin_edition,
    make_the_first_account,
    opened_desk,
)
from tests.factories.deliveries import add_campaign, read_campaign, read_states
from tests.factories.exported_lists import outlook
from tests.factories.small_edition import SLUG, add_people, write_edition
from tests.servers.campaign_worker import working
from tests.servers.misbehaving_smtp import DROP, MisbehavingServer, Received, Stage
from tests.servers.process import wait_until
from tests.web.studio.asked_approval import ask_of_outsider
from tests.web.studio.conftest import Studio, serve_studio

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
TITLES = "Title,First Name,Middle Name,Last Name,Suffix,Company|E-mail Address,E-mail Type|Categories"
PEOPLE = ("Bat", "MN"), ("Kim", "MN"), ("Dorj", "MN"), ("Li", "CN"), ("Sato", "CN"), ("Ute", "AT")
INSIDE = {f"{name.lower()}@partner.example" for name, country in PEOPLE if country != "AT"}
FIRST, SECOND = "teachers-meet-in-ulaanbaatar", "a-forest-is-counted"
WRONG, RIGHT = "Forty teachers met for three days.", "Sixty teachers met for three days."


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    """Bat is put off once, Li is unknown, and the line breaks once after the mails to Kim and to Dorj."""
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "451 4.7.1 Come back later", only="bat@", times=1)
        server.answer(Stage.rcpt, "550 5.1.1 No such user", only="li@")
        for name in ("kim@", "dorj@"):
            server.answer(Stage.dot, DROP, only=name, times=1)
        yield server


@pytest.fixture
def studio(workspace: Workspace, server: MisbehavingServer) -> Iterator[Studio]:
    """The Studio of an empty workspace."""
    file = workspace.root / "mailer.toml"
    relay = f'\n[smtp]\nurl = "{server.url}"\ntimeout = 5\nfinal_timeout = 5\n'
    file.write_text(file.read_text("utf-8") + relay, "utf-8")
    with serve_studio(open_workspace(workspace.root, environ={})) as studio:
        yield studio


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without-scripts"])
def test_a_team_sends_its_first_campaign(
    browser: Browser, studio: Studio, server: MisbehavingServer, tmp_path: Path, scripts: bool
) -> None:
    with working(studio.workspace), opened_desk(browser, studio, scripts=scripts) as mei:
        make_the_first_account(mei)
        ben = studio.add_member(Role.approver, "Ben Approver")
        import_partners(mei, tmp_path)
        make_segment(mei)
        begin_edition(mei, "Two stories from our office", "Teachers and trees: what we did this spring.")
        add_story(mei, "Teachers meet in Ulaanbaatar", "Education", WRONG)
        add_story(mei, "A forest is counted", "Natural Sciences", "Rangers counted every tree.")
        campaign = prepare(mei)
        send_test(mei, campaign, server)
        ask_in_a_step(mei, campaign)
        with (
            opened_desk(browser, studio, scripts=scripts) as ana,
            opened_desk(browser, studio, ben, scripts=scripts) as other,
        ):
            ask_for_a_change(ana, await_review_links(server, 1)[0])
            change_story_and_ask_again(mei, campaign)
            for reviewer, path in (
                (ana, await_review_links(server, 2)[1]),
                (other, f"/campaigns/{campaign}/approval"),
            ):
                approve(reviewer, path)
        launch(mei, campaign)
        watch(mei, campaign)
        assert server_got(server) == {"kim": 1, "dorj": 1, "sato": 1, "bat": 1}
        if scripts:
            settle_doubts(mei, campaign)
            assert server_got(server) == {"kim": 1, "dorj": 2, "sato": 1, "bat": 1}
            read_report(mei, campaign)
            begin_correction(mei)
    check_ledger(studio, campaign, settled=scripts)
    check_who_got_mail(server)


def import_partners(author: Desk, folder: Path) -> None:
    """From Outlook, where one of them has no address but the name of a mailbox."""
    people = [
        {1: name, 3: "Partner", 14: country, 57: f"{name.lower()}@partner.example", 58: "SMTP"}
        for name, country in PEOPLE
    ]
    exchange = {1: "Udo", 57: "/o=Firm/ou=Group/cn=Recipients/cn=udo", 58: "EX"}
    (folder / "contacts.csv").write_text(outlook(TITLES, *people, exchange), encoding="utf-8")
    author.open("/imports/new")
    author.page.locator("#file").set_input_files(folder / "contacts.csv")
    author.press("Show what it would change")
    look_again(author, "Look again", "Import 6 partners")
    author.read("names a mailbox inside Exchange", place="#refused")
    author.page.get_by_label("Why may you write to these people?").fill("partners of the office")
    author.press("Import 6 partners")
    look_again(author, "Look again", "partners of the office")


def look_again(desk: Desk, link: str, words: str) -> None:
    """Wait for what is worked out after the page has answered; without script, one follows a link to it."""
    awaited = desk.page.locator("main").filter(has_text=words)
    again = desk.page.get_by_role("link", name=link, exact=True)
    while True:
        expect(awaited.or_(again).first).to_be_visible(timeout=LONG)
        if awaited.count() or desk.scripts:
            break
        again.first.click()
    desk.read(words)


def make_segment(author: Desk) -> None:
    author.open("/segments/new")
    author.page.get_by_label("Query").fill("country:MN,CN")
    author.page.get_by_label("Name", exact=True).fill("east")
    author.press("Save segment")
    author.read("The segment is saved.", place="[role=status]")


def prepare(author: Desk) -> int:
    """Prepare the edition for the segment; return the number of the campaign."""
    author.open("/campaigns/new")
    author.page.get_by_role("radio").first.check()
    author.press("Prepare a campaign of it")
    author.follow("Choose who gets it")
    author.follow("east")
    author.press("Save who gets it")
    look_again(author, "Look now", "5 partners")
    found = re.search(r"/campaigns/(\d+)", author.page.url)
    assert found is not None
    return int(found[1])


def send_test(author: Desk, campaign: int, server: MisbehavingServer) -> None:
    author.open(f"/campaigns/{campaign}/tests")
    author.page.get_by_label("To whom").fill("desk@office.example")
    author.press("Send the test")
    author.read("The test is sent.", "As it would be sent now")
    assert server.recipients == ["desk@office.example"]


def ask_in_a_step(author: Desk, campaign: int) -> None:
    author.open(f"/campaigns/{campaign}/approval")
    author.follow("Choose who is asked")
    step = author.page.locator("#step-1")
    step.get_by_label("What it is about (optional)").fill("Facts")
    step.get_by_label("Ben Approver").check()
    step.get_by_label("People outside the team").fill("Ana Diaz <ana@ministry.example>")
    step.get_by_label("All of them").check()
    author.press("Ask for approval in these steps")
    author.read("Facts", "Waiting for")


def await_review_links(server: MisbehavingServer, number: int) -> list[str]:
    """The paths of the links that the reviewer outside was mailed, once there are as many as ``number``."""
    wait_until(lambda: len(list_mails(server, "ana@")) >= number, what="the mail to the reviewer", seconds=60)
    return [read_review_link(mail) for mail in list_mails(server, "ana@")]


def list_mails(server: MisbehavingServer, recipient: str) -> list[Received]:
    return [mail for mail in list(server.received) if mail.recipient.startswith(recipient)]


def read_review_link(mail: Received) -> str:
    body = message_from_bytes(mail.content, policy=policy.default).get_body(("plain",))  # type: ignore[attr-defined]
    found = re.search(r"/studio(/review/\w+)", body.get_content())
    assert found is not None
    return found[1]


def ask_for_a_change(reviewer: Desk, path: str) -> None:
    reviewer.open(path)
    reviewer.read("It would go to 5 partners", "You answer as Ana Diaz.")
    reviewer.page.locator("#words").fill("Sixty teachers, not forty.")
    reviewer.press("Request changes")
    reviewer.read("You asked for changes")


def change_story_and_ask_again(author: Desk, campaign: int) -> None:
    author.open(f"/campaigns/{campaign}/approval")
    author.read("Asks for changes", "Sixty teachers, not forty.")
    author.open(f"/editions/{EDITION}/stories/{FIRST}")
    if author.scripts:
        author.body.click()
        author.page.keyboard.press("Control+a")
        author.page.keyboard.type(RIGHT)
    else:
        author.body.fill(RIGHT)
    author.save()
    author.open(f"/campaigns/{campaign}/approval")
    author.press("Ask for approval")
    author.read("Waiting for")


def approve(reviewer: Desk, path: str) -> None:
    reviewer.open(path)
    mail = reviewer.page.frame_locator(".contact iframe").first.locator("body")
    reviewer.page.locator("#variants").scroll_into_view_if_needed()
    expect(mail).to_contain_text(RIGHT, timeout=LONG)
    reviewer.press("Approve this content")
    reviewer.read("approved")


def launch(manager: Desk, campaign: int) -> None:
    """A wrong number sends nothing, an undone launch neither."""
    studio = manager.studio
    manager.open(f"/campaigns/{campaign}/launch")
    for number, words in (("6", "You typed 6, and 5 partners get it."), ("5", "It starts in")):
        manager.page.get_by_label("Type the number of partners").fill(number)
        manager.press("Send to 5 partners")
        manager.read(words)
    manager.press("Undo the launch")
    expect(manager.page.get_by_label("Type the number of partners")).to_be_visible(timeout=LONG)
    assert read_states(studio.engine) == {}
    manager.page.get_by_label("Type the number of partners").fill("5")
    manager.press("Send to 5 partners")
    manager.read("It starts in")
    # The ten seconds are over.
    with studio.engine.begin() as connection:
        past = utc_now() - timedelta(seconds=1)
        connection.execute(update(PendingLaunchRecord).values(due_at=past))


def watch(manager: Desk, campaign: int) -> None:
    """The page of the launch leads to the live one, which follows what is sent until it is over."""
    manager.page.wait_for_url(f"**/campaigns/{campaign}/live*")
    for name, number in (("sent", 1), ("rejected", 1), ("deferred", 1), ("in_doubt", 2)):
        manager.read(str(number), place=f".sum .{name} dd")
    manager.read("550 5.1.1 No such user")
    # The minutes until the next attempt are over.
    with manager.studio.engine.begin() as connection:
        deferred = col(Delivery.state) == DeliveryState.deferred
        connection.execute(update(Delivery).where(deferred).values(not_before=utc_now()))
    manager.read("2", place=".sum .sent dd")
    check_sum(manager)


def check_sum(manager: Desk) -> None:
    """The page's first number, the audience, is the sum of the others."""
    shown = manager.page.locator(".sum dd").all_inner_texts()
    audience, *parts = (int(re.sub(r"\D", "", words)) for words in shown)
    assert (audience, sum(parts)) == (5, 5)


def settle_doubts(manager: Desk, campaign: int) -> None:
    """Kim's relay says that he has it; Dorj gets it again."""
    manager.open(f"/campaigns/{campaign}/doubts")
    manager.read("2 partners may or may not have got it")
    for name, act in (("Kim", "They have it"), ("Dorj", "Send again")):
        row = manager.page.locator("section").filter(has_text="By name").locator("li").filter(has_text=name)
        row.get_by_role("button", name=act).click()
        expect(row).to_have_count(0, timeout=LONG)
    manager.read("Nobody is in doubt.")
    manager.open(f"/campaigns/{campaign}/live")
    manager.read("Sent", place="#live-state")
    manager.read("4", place=".sum .sent dd")
    check_sum(manager)


def read_report(manager: Desk, campaign: int) -> None:
    manager.follow("Report")
    manager.read("Two stories from our office", "550 5.1.1", place="main")


def begin_correction(author: Desk) -> None:
    author.follow("Correct a story")
    author.follow("Teachers meet in Ulaanbaatar")
    author.page.get_by_label("What was said").first.fill("Sixty teachers")
    author.page.get_by_label("What is right").first.fill("Seventy teachers")
    author.press("Save, and show the email")
    author.read("Seventy teachers", "4 partners who were sent the story get the correction.")


def server_got(server: MisbehavingServer) -> dict[str, int]:
    """How often each partner got the campaign."""
    names = [one.partition("@")[0] for one in list(server.recipients) if one.endswith("@partner.example")]
    return {name: names.count(name) for name in names}


def check_ledger(studio: Studio, campaign: int, *, settled: bool) -> None:
    """The audience is the sum of what became of each."""
    states = read_states(studio.engine)
    assert set(states) == INSIDE
    sent, doubt = DeliveryState.sent, DeliveryState.sent if settled else DeliveryState.in_doubt
    expected = {"bat": sent, "sato": sent, "li": DeliveryState.rejected, "kim": doubt, "dorj": doubt}
    assert {address.partition("@")[0]: state for address, state in states.items()} == expected
    assert read_campaign(studio.engine, campaign).audience == len(states)
    if settled:
        assert read_campaign(studio.engine, campaign).state is CampaignState.finished


def check_who_got_mail(server: MisbehavingServer) -> None:
    """The partners of the segment got it, Ute in Austria did not; all other mail is the team's."""
    team = {"mei@example.org", "ben@example.org", "desk@office.example", "ana@ministry.example"}
    assert set(server.recipients) - team == INSIDE - {"li@partner.example"}
    for mail in server.received:
        if mail.recipient in INSIDE:
            content = message_from_bytes(mail.content, policy=policy.default)
            body = content.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
            assert RIGHT in body
            assert WRONG not in body
    numbers = {
        mail.content.lower().partition(b"message-id:")[2].split()[0] for mail in list_mails(server, "dorj@")
    }
    assert len(numbers) == 1, "a second copy that mail programs cannot tell is one"


def test_a_campaign_is_approved_and_paused_on_a_phone(browser: Browser, studio: Studio) -> None:
    write_edition(studio.workspace.editions)
    add_people(studio.engine)
    asked = ask_of_outsider(studio, SLUG, studio.add_member(Role.author, "Ann Author"), utc_now())
    mei = studio.add_member(Role.manager, "Mei Manager")
    with opened_desk(browser, studio, **PHONE) as ana:
        ana.open(f"/review/{asked.secret}")
        tap(ana, "Approve this content")
        ana.read("You approved it")
    with opened_desk(browser, studio, mei, **PHONE) as manager:
        manager.open(f"/campaigns/{asked.campaign}/approval")
        tap(manager, "Approve this content")
        manager.read("It is approved, and can be launched exactly as it is.")
        number = add_campaign(studio.engine, 3, title="Spring news", launched_at=utc_now())
        manager.open(f"/campaigns/{number}/live")
        tap(manager, "Pause sending")
        manager.read("The campaign is paused.")
    assert read_campaign(studio.engine, number).state is CampaignState.paused


def tap(desk: Desk, name: str) -> None:
    """Touch a button that fits the screen and a finger."""
    button = desk.page.get_by_role("button", name=name, exact=True)
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= 390
    button.tap()
