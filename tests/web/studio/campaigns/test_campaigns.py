"""All campaigns: the list page by page, the calendar, and the page of one that is out of the team's hands."""

import re
from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import Actor, record_activity
from mailer.campaigns.draft import write_tested_draft
from mailer.campaigns.launch import launch
from mailer.campaigns.plan import plan_campaign
from mailer.database.models import Campaign, CampaignState
from mailer.database.team_models import Role
from subscribers.segments.segment import parse_segment
from tests.factories.small_edition import SLUG
from tests.web.studio.campaigns.conftest import NOW, Desk


def add_campaigns(desk: Desk, many: int, **values: object) -> None:
    """Add campaigns as the command line would have left them."""
    with Session(desk.house.studio.engine) as session:
        for number in range(many):
            fixed = {
                "edition": f"2020-{number}",
                "title": f"Issue {number}",
                "segment": "country:MN",
                "digest": "d" * 64,
                "content_digest": "c" * 64,
                "state": CampaignState.finished,
                "created_at": NOW - timedelta(days=many - number),
                "launched_at": NOW - timedelta(days=many - number),
                "audience": 1000 + number,
            }
            session.add(Campaign(**{**fixed, **values}))
        session.commit()


def send_it(desk: Desk) -> int:
    """Launch a campaign of the edition from the command line; return its number."""
    studio = desk.house.studio
    plan = plan_campaign(studio.workspace, studio.engine, SLUG, parse_segment("country:MN,CN"), now=NOW)
    return launch(studio.engine, studio.workspace, plan, now=NOW)


def test_the_list_goes_back_page_by_page(desk: Desk) -> None:
    add_campaigns(desk, 65)
    seen: list[str] = []
    path = "/campaigns"
    for _ in range(3):
        page = desk.get(path, Role.guest)
        seen += re.findall(r">(Issue \d+)<", page)
        older = re.search(r"rel=\"next\" href=\"/studio([^\"]+)\"", page)
        path = older[1] if older else ""
    assert path == ""
    assert seen == [f"Issue {number}" for number in reversed(range(65))]
    assert "There are no older campaigns." in desk.get("/campaigns?before=1")
    desk.get("/campaigns?before=nonsense")


def test_the_list_leads_to_the_machines_and_the_outbox_whoever_may_see_them(desk: Desk) -> None:
    page = desk.get("/campaigns", Role.manager)
    for path in ("/machines", "/outbox"):
        assert f'href="/studio{path}"' in page
        desk.get(path, Role.manager)
    assert 'href="/studio/outbox"' not in desk.get("/campaigns", Role.guest)


def test_a_row_says_what_to_whom_when_and_by_whom(desk: Desk) -> None:
    number = desk.prepare("country:MN sector:education")
    row = desk.get("/campaigns")
    assert "partners in Mongolia who follow Education" in row
    assert "Author X" in row
    assert "Being prepared" in row
    other = send_it(desk)
    with Session(desk.house.studio.engine) as session:
        actor = Actor.from_command_line("operator")
        record_activity(
            session, actor, Deed(act=Act.launched_campaign, edition=SLUG, subject=str(other)), now=NOW
        )
        session.commit()
    page = desk.get("/campaigns")
    assert page.index(f'/campaigns/{other}"') < page.index(f'/campaigns/{number}"')
    assert "2 partners" in page
    assert "operator" in page
    assert "Being sent" in page


def test_the_list_leads_to_what_is_about_all_campaigns(desk: Desk) -> None:
    desk.prepare()
    links = re.findall(r'href="/studio(/[^"]*)"', desk.get("/campaigns").partition("<main")[2])
    assert {"/reports", "/outbox", "/campaigns/calendar"} <= set(links)
    # A guest sees no message of a partner.
    assert "/outbox" not in desk.get("/campaigns", Role.guest).partition("<main")[2]


def test_the_calendar_shows_what_was_sent_and_what_is_to_be(desk: Desk) -> None:
    number = desk.prepare()
    form = {"when": "time", "start": "2026-03-31T08:30", "zone": "Asia/Shanghai"}
    desk.act(f"/campaigns/{number}/start", form)
    add_campaigns(desk, 1, launched_at=datetime(2026, 3, 2, 23, 0, tzinfo=UTC), title="By night")
    scheduled = {"scheduled_at": datetime(2026, 4, 1, 1, 0, tzinfo=UTC), "launched_at": None}
    add_campaigns(desk, 1, state=CampaignState.scheduled, title="Later", **scheduled)
    page = desk.get("/campaigns/calendar", Role.guest)
    assert "March 2026" in page
    assert "There is no campaign in this month." not in page
    assert "Times are those of Asia/Shanghai, UTC+8." in page
    days = dict(re.findall(r"<td[^>]*>\s*<time datetime=\"([\d-]+)\">(.*?)</td>", page, re.DOTALL))
    assert "By night" in days["2026-03-03"], "the day is that of the team's clocks"
    assert "07:00" in days["2026-03-03"]
    assert "08:30" in days["2026-03-31"]
    assert "09:00" in days["2026-04-01"]
    assert ">Wed, 1 April 2026<" in days["2026-04-01"], "a phone shows single days, of two months"
    assert "no mail" in days["2026-03-01"]
    assert "no mail" not in days["2026-03-02"]
    assert 'aria-current="date"' in page
    assert 'rel="prev" href="/studio/campaigns/calendar?month=2026-02"' in page
    assert 'rel="next" href="/studio/campaigns/calendar?month=2026-04"' in page


def test_the_calendar_shows_any_month_and_this_one_for_nonsense(desk: Desk) -> None:
    empty = desk.get("/campaigns/calendar?month=2024-02")
    assert "February 2024" in empty
    assert "There is no campaign in this month." in empty, "a phone shows the days with one alone"
    assert "/settings/studio" not in empty
    assert "/settings/studio" in desk.get("/campaigns/calendar", Role.manager), "where its clocks are chosen"
    for text in ("2026-13", "soon", "%00", "99999-1", "2026-3x", "-1"):
        assert "March 2026" in desk.get(f"/campaigns/calendar?month={text}")
    assert 'rel="prev"' not in desk.get("/campaigns/calendar?month=0001-01")
    assert 'rel="next"' not in desk.get("/campaigns/calendar?month=9999-12")


def test_a_campaign_that_is_sent_shows_its_numbers_and_what_happened(desk: Desk) -> None:
    number = send_it(desk)
    with Session(desk.house.studio.engine) as session:
        actor = Actor.from_command_line("operator")
        record_activity(
            session,
            actor,
            Deed(act=Act.launched_campaign, edition=SLUG, subject=str(number), detail="to country:MN,CN"),
            now=NOW,
        )
        for act in (Act.wrote_text, Act.asked_for_approval, Act.requested_changes, Act.undid_launch):
            record_activity(session, actor, Deed(act=act, edition=SLUG, subject=str(number)), now=NOW)
        session.commit()
    page = desk.get(f"/campaigns/{number}", Role.guest)
    assert "partners in Mongolia or China" in page
    assert "2 still to do" in page
    assert f"Launched campaign {number}" in page
    assert "to country:MN,CN" in page
    assert f"Wrote {number}" not in page
    for words in ("Asked for the approval of", "Asked for changes to", "Undid the launch of"):
        assert f"{words} campaign {number}" in page
    fragment = desk.get_fragment(f"/campaigns/{number}", Role.guest)
    assert fragment.strip().startswith('<span id="numbers"')


def test_a_campaign_that_is_paused_says_why(desk: Desk) -> None:
    add_campaigns(desk, 1, state=CampaignState.paused, state_reason="The relay refuses `us`.")
    page = desk.get("/campaigns/1")
    assert "The relay refuses <code>us</code>." in page
    assert "Discard" not in page


def test_an_edition_is_put_into_the_archive_and_taken_out_again(desk: Desk) -> None:
    number = send_it(desk)
    page = desk.get(f"/campaigns/{number}", Role.approver)
    assert "Put it into the public archive" in page
    assert "Put it into" not in desk.get(f"/campaigns/{number}"), "an author does not publish"
    path = f"/campaigns/{number}/archive"
    assert desk.act(path, {"archived": "yes"}, Role.approver) == f"/campaigns/{number}?notice=archived"
    assert "The edition is in it" in desk.get(f"/campaigns/{number}")
    assert desk.list_acts()[0] == ("archived_campaign", SLUG, str(number), "in")
    desk.act(path, {"archived": "yes"}, Role.approver)
    assert len(desk.list_acts()) == 1
    assert desk.act(path, {"archived": "no"}, Role.approver) == f"/campaigns/{number}?notice=unarchived"
    assert desk.list_acts()[0] == ("archived_campaign", SLUG, str(number), "out")


def test_what_was_not_sent_has_no_place_in_the_archive(desk: Desk) -> None:
    number = desk.prepare()
    assert desk.post(f"/campaigns/{number}/archive", {"archived": "yes"}, Role.manager).status == 404
    add_campaigns(desk, 1, edition=f"{SLUG}~correction-1")
    assert desk.post("/campaigns/2/archive", {"archived": "yes"}, Role.manager).status == 404


def test_a_draft_that_a_test_made_can_be_prepared(desk: Desk) -> None:
    studio = desk.house.studio
    plan = plan_campaign(studio.workspace, studio.engine, SLUG, parse_segment("all"), now=NOW)
    with studio.engine.begin() as connection:
        number = write_tested_draft(connection, plan, NOW)
    page = desk.get(f"/campaigns/{number}")
    assert "Prepare this campaign" in page
    assert desk.begin() == number
    assert "Choose who gets it" in desk.get(f"/campaigns/{number}")


def test_corrections_are_listed_with_what_they_correct(desk: Desk) -> None:
    number = send_it(desk)
    add_campaigns(desk, 1, edition=f"{SLUG}~correction-1", title="Correction: Teachers")
    add_campaigns(desk, 1, edition=f"{SLUG}x~correction-1", title="Of another")
    page = desk.get(f"/campaigns/{number}")
    assert "Correction: Teachers" in page
    assert "Of another" not in page
    assert "Correction" in desk.get("/campaigns")


def test_a_segment_that_is_no_longer_valid_is_shown_as_it_was(desk: Desk) -> None:
    add_campaigns(desk, 1, segment="sector:closed")
    assert "sector:closed" in desk.get("/campaigns")
    assert "sector:closed" in desk.get("/campaigns/1")


def test_what_does_not_exist_is_not_found(desk: Desk) -> None:
    for path in (
        "/campaigns/1",
        "/campaigns/0",
        "/campaigns/x",
        "/campaigns/99999999999999",
        "/campaigns/1/start",
    ):
        desk.get(path, status=404)
