"""A campaign live: its numbers and their sum, the stream of them, and what may be done about it."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import delete, select, update
from sqlmodel import Session, col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, Dispatcher
from mailer.database.team_models import ActivityRecord, Role, TeamSession
from mailer.dispatch.deliveries import change_campaign_state
from mailer.dispatch.liveness import Presence
from mailer.web.dependencies import utc_now
from mailer.web.studio.campaigns import live
from mailer.workspace import Workspace
from tests.factories.deliveries import add_campaign, read_campaign
from tests.factories.small_edition import write_edition
from tests.servers.process import wait_until
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.house import House, open_house

S = DeliveryState


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        yield house


@pytest.fixture
def campaign(house: House) -> int:
    """A campaign of twelve that is being sent: eight have it, two were refused, one is in doubt."""
    house.restore()
    return add_sending(house.studio)


def add_sending(studio: Studio) -> int:
    number = add_campaign(studio.engine, 12, title="Spring news", launched_at=utc_now())
    put(studio, number, range(8), state=S.sent)
    put(studio, number, range(8, 10), state=S.rejected, code=550, reason="5.1.1 <x@example.org> unknown")
    put(studio, number, [10], state=S.in_doubt, reason="no reply")
    return number


def put(studio: Studio, campaign: int, places: object, **values: object) -> None:
    with studio.engine.begin() as connection:
        found = (
            select(col(Delivery.id)).where(col(Delivery.campaign_id) == campaign).order_by(col(Delivery.id))
        )
        numbers = list(connection.scalars(found))
        chosen = [numbers[place] for place in places]  # type: ignore[attr-defined]
        connection.execute(update(Delivery).where(col(Delivery.id).in_(chosen)).values(values))


def await_words(house: House, path: str, who: Role, words: str) -> str:
    """The page once it has ``words``: numbers that nobody has counted yet come late."""
    pages: list[str] = []

    def look() -> bool:
        pages[:] = [house.ask("GET", path, who).body.decode()]
        return words in pages[0]

    wait_until(look, what=words)
    return pages[0]


def list_acts(house: House) -> list[tuple[str, str]]:
    with Session(house.studio.engine) as session:
        rows = session.execute(select(col(ActivityRecord.act), col(ActivityRecord.subject))).all()
        return [(act, subject) for act, subject in rows]


def test_the_numbers_stand_there_and_add_up(house: House, campaign: int) -> None:
    page = await_words(house, f"/campaigns/{campaign}/live", Role.guest, "partners</dt><dd>12")
    words = " ".join(page.replace("</dt><dd>", " ").split())
    for term in ("partners 12", "> 8<", "> 2<", "> 1<"):
        assert term in words.replace("</span> ", "> "), term
    assert "5.1.1 &lt;…&gt; unknown" in page
    assert "the partner’s side" in page
    assert "No program is sending" in page
    assert f'<a href="/studio/campaigns/{campaign}">Campaign {campaign}</a>' in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page


def test_what_became_of_one_message_is_found_by_those_who_may_see_partners(
    house: House, campaign: int
) -> None:
    path = f"/campaigns/{campaign}/live?address="
    refused = house.ask("GET", f"{path}READER8@example.org", Role.author).body.decode()
    assert "Refused by their server" in refused
    assert "550 5.1.1 &lt;x@example.org&gt; unknown" in refused
    add_campaign(house.studio.engine, ["other@example.org"])
    assert "does not go to them" in house.ask("GET", f"{path}other@example.org", Role.author).body.decode()
    assert "Nobody with this address" in house.ask("GET", f"{path}no@example.org", Role.author).body.decode()
    assert "Nobody with this address" in house.ask("GET", f"{path}%00'%22", Role.author).body.decode()
    hidden = house.ask("GET", f"{path}reader8@example.org", Role.guest).body.decode()
    assert "Refused by their server</span> ·" not in hidden
    assert 'id="address"' not in hidden


@contextmanager
def reading_stream(house: House, campaign: int, who: Role) -> Iterator[http.client.HTTPResponse]:
    place = urlsplit(house.studio.url)
    connection = http.client.HTTPConnection("localhost", place.port, timeout=20)
    try:
        connection.request(
            "GET", f"/studio/campaigns/{campaign}/live/events", headers={"cookie": house.cookies[who]}
        )
        yield connection.getresponse()
    finally:
        connection.close()


def read_event(answer: http.client.HTTPResponse) -> tuple[str, str]:
    """The next event that is not a comment: its name and its data."""
    name, data = "", []
    while True:
        line = answer.readline().decode().rstrip("\n")
        field, _, value = line.partition(":")
        if field == "event":
            name = value.strip()
        elif field == "data":
            data.append(value.removeprefix(" "))
        elif not line and name:
            return name, "\n".join(data)
        elif not line and answer.isclosed():
            return "", ""


def test_the_stream_tells_each_change_and_nothing_twice(house: House, campaign: int) -> None:
    with reading_stream(house, campaign, Role.guest) as answer:
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        assert answer.getheader("cache-control") == "no-store"
        name, first = read_event(answer)
        assert (name, "> 8<" in first.replace("</span> ", "> ")) == ("progress", True)
        put(house.studio, campaign, [11], state=S.sent)
        _, second = read_event(answer)
        assert "> 9<" in second.replace("</span> ", "> ")


def test_whose_session_has_ended_is_told_and_gets_no_more(
    house: House, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_HEARTBEAT", 0.1)
    with reading_stream(house, campaign, Role.guest) as answer:
        assert read_event(answer)[0] == "progress"
        with house.studio.engine.begin() as connection:
            connection.execute(delete(TeamSession))
        while (event := read_event(answer))[0] == "progress":
            pass
        assert event[0] == "ended"
        assert answer.read() == b""
    house.restore()


def test_a_stream_ends_whole_when_the_server_stops(workspace: Workspace) -> None:
    with serve_studio(workspace) as studio:
        number = add_sending(studio)
        cookie = studio.sign_in(studio.add_member())
        place = urlsplit(studio.url)
        connection = http.client.HTTPConnection("localhost", place.port, timeout=20)
        connection.request("GET", f"/studio/campaigns/{number}/live/events", headers={"cookie": cookie})
        answer = connection.getresponse()
        assert answer.readline().startswith(b"retry:")
    # Cut off, it would lack the last chunk, and this would raise IncompleteRead.
    answer.read()
    connection.close()


def test_pausing_and_going_on_are_written_down_once(house: House, campaign: int) -> None:
    path = f"/campaigns/{campaign}"
    for _ in range(2):
        answer = house.ask("POST", f"{path}/pause", Role.author)
        assert answer.headers["location"].endswith(f"{path}/live?notice=campaign-paused")
    assert read_campaign(house.studio.engine, campaign).state is CampaignState.paused
    assert "Go on sending" in house.ask("GET", f"{path}/live", Role.approver).body.decode()
    assert house.ask("POST", f"{path}/resume", Role.author).status == 403
    for _ in range(2):
        house.ask("POST", f"{path}/resume", Role.approver)
    assert read_campaign(house.studio.engine, campaign).state is CampaignState.sending
    acts = [("paused_campaign", str(campaign)), ("resumed_campaign", str(campaign))]
    assert list_acts(house) == acts
    page = house.ask("GET", f"{path}/live", Role.author).body.decode()
    assert "Pause sending" in page
    assert "Cancel it" not in page


_REASON = "The mail server refuses the message: 554 5.7.1 No"


def test_a_halted_campaign_stands_first_where_people_look_and_is_nowhere_called_sent(
    house: House, campaign: int
) -> None:
    studio = house.studio
    write_edition(studio.workspace.editions, "2026-1")
    # Another one of the same edition was sent to its end.
    add_campaign(studio.engine, ["a@example.org"], state=CampaignState.finished, launched_at=utc_now())
    with studio.engine.begin() as connection:
        change_campaign_state(connection, campaign, CampaignState.paused, reason=_REASON)
    home = house.ask("GET", "/", Role.guest).body.decode()
    first = home[home.index("Waits for you") :].partition("</li>")[0]
    assert f"Paused: {_REASON}" in first
    assert f'href="/studio/campaigns/{campaign}/live"' in first
    assert '<span class="state right">Sent' not in home
    editions = house.ask("GET", "/editions", Role.guest).body.decode()
    assert f"Paused: {_REASON}" in editions[: editions.index('class="covers"')]
    assert editions.count(">Paused<") == 1
    assert ">Sent<" not in editions
    history = house.ask("GET", f"/campaigns/{campaign}", Role.guest).body.decode()
    assert _REASON in history[history.index("Sending was paused") :]


def test_a_campaign_that_waits_for_its_canary_alone_waits_for_nobody(house: House, campaign: int) -> None:
    until = {"canary_until": utc_now() + timedelta(minutes=5)}
    with house.studio.engine.begin() as connection:
        change_campaign_state(connection, campaign, CampaignState.paused, reason=_REASON, **until)
    assert _REASON not in house.ask("GET", "/", Role.guest).body.decode()


def test_a_resumed_campaign_that_stops_at_once_says_so_and_its_history_keeps_why(
    house: House, campaign: int
) -> None:
    path = f"/campaigns/{campaign}"
    with house.studio.engine.begin() as connection:
        change_campaign_state(connection, campaign, CampaignState.paused, reason=_REASON)
    page = house.ask("POST", f"{path}/resume", Role.approver).headers["location"].removeprefix("/studio")
    assert "The campaign goes on." in house.ask("GET", page, Role.approver).body.decode()
    assert _REASON in house.ask("GET", path, Role.guest).body.decode()
    with house.studio.engine.begin() as connection:
        change_campaign_state(connection, campaign, CampaignState.paused, reason=_REASON)
    stopped = house.ask("GET", page, Role.approver).body.decode()
    assert "The campaign goes on." not in stopped
    assert "The campaign went on, and stopped again." in stopped


def test_cancelling_says_what_is_not_sent_and_asks_who_it_is(house: House, campaign: int) -> None:
    path = f"/campaigns/{campaign}/cancel"
    await_words(house, path, Role.approver, "1 partner has not got it yet")
    with house.studio.engine.begin() as connection:
        long_ago = utc_now() - timedelta(hours=1)
        connection.execute(update(TeamSession).values(confirmed_at=long_ago))
    answer = house.ask("POST", path, Role.approver)
    assert read_campaign(house.studio.engine, campaign).state is CampaignState.sending
    assert answer.status in {303, 403}
    house.restore()


def test_a_cancelled_campaign_stays_cancelled_and_says_so(house: House, campaign: int) -> None:
    house.ask("POST", f"/campaigns/{campaign}/cancel", Role.approver)
    assert read_campaign(house.studio.engine, campaign).state is CampaignState.cancelled
    answer = house.ask("POST", f"/campaigns/{campaign}/resume", Role.approver)
    assert answer.headers["location"].endswith("notice=campaign-changed")
    page = house.ask("GET", f"/campaigns/{campaign}/live", Role.approver).body.decode()
    assert "Cancelled" in page
    assert "Pause sending" not in page
    assert "Read the report" in page
    assert "do not get it" in page
    assert "still to send" not in page


def test_a_campaign_that_is_not_launched_has_another_page(house: House) -> None:
    number = add_campaign(house.studio.engine, 0, state=CampaignState.draft)
    answer = house.ask("GET", f"/campaigns/{number}/live", Role.guest)
    assert (answer.status, answer.headers["location"]) == (303, f"/studio/campaigns/{number}")
    assert house.ask("GET", "/campaigns/999/live", Role.guest).status == 404


def test_machines_are_shown_with_their_sign_of_life(house: House) -> None:
    studio, old = house.studio, utc_now() - timedelta(hours=1)
    with Presence(studio.engine, studio.workspace.root, 0, kind="work-"), studio.engine.begin() as connection:
        gone = Dispatcher(
            id="work-gone", host="far away", started_at=old, heartbeat_at=old, notice="quarantined"
        )
        connection.execute(Dispatcher.__table__.insert().values(gone.model_dump()))  # type: ignore[attr-defined]
    with Presence(studio.engine, studio.workspace.root, 0, kind="work-"):
        page = house.ask("GET", "/machines", Role.guest).body.decode()
        assert page.count("Works") == 1
        assert page.count("No sign of life") == 1
        assert "quarantined" in page
        assert "No program is sending" not in page
    assert "No program is sending" in house.ask("GET", "/machines", Role.guest).body.decode()
    house.restore()


def test_the_page_follows_by_itself_and_is_paused_on_a_phone_without_script(
    house: House, campaign: int, browser: Browser
) -> None:
    studio = house.studio
    member = studio.add_member(Role.author, "Flo Author", "flo@example.org")
    with studio.browse(browser, member) as page:
        page.goto(f"{studio.url}/campaigns/{campaign}/live")
        expect(page.locator(".sum .sent dd")).to_have_text("= 8")
        page.locator("#address").fill("half an addr")
        put(studio, campaign, [11], state=S.sent)
        expect(page.locator(".sum .sent dd")).to_have_text("= 9")
        expect(page.locator("#address")).to_have_value("half an addr")
        with studio.engine.begin() as connection:
            connection.execute(update(Campaign).values(state=CampaignState.finished, finished_at=utc_now()))
        expect(page.locator("#live-state")).to_contain_text("Sent")
        expect(page.locator(".acts")).to_have_text("Read the report")
        expect(page.locator("#address")).to_have_value("half an addr")
    with studio.engine.begin() as again:
        again.execute(update(Campaign).values(state=CampaignState.sending, finished_at=None))
    phone = {"viewport": {"width": 390, "height": 780}, "java_script_enabled": False}
    with studio.browse(browser, member, **phone) as page:
        page.goto(f"{studio.url}/campaigns/{campaign}/live")
        button = page.get_by_role("button", name="Pause sending")
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        button.click()
        expect(page.get_by_text("The campaign is paused.")).to_be_visible()
    assert read_campaign(studio.engine, campaign).state is CampaignState.paused
