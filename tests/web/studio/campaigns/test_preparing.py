"""Preparing a campaign step by step: what the page says, what the forms save, and what others decide."""

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session

from mailer.campaigns.launch_options import LaunchOptions
from mailer.campaigns.pending_launches import LaunchRequest, ask_launch, undo_launch
from mailer.campaigns.preparation.preparation import Decisions
from mailer.campaigns.preparation.preparation_store import save_preparation
from mailer.database.engine import open_session, read_clock
from mailer.database.models import CampaignState, InDoubtPolicy
from mailer.database.team_models import Role
from mailer.workspace import Workspace, open_workspace
from subscribers.models import SavedSegment
from tests.factories.small_edition import SLUG, write_edition
from tests.servers.scripted_smtp import ScriptedServer
from tests.web.studio.campaigns.conftest import NOW, OTHER, Desk
from tests.web.studio.conftest import serve_studio
from tests.web.studio.house import House


def read_statuses(page: str) -> dict[str, str]:
    """The status of each item of a checklist, by its label."""
    rows = re.findall(r"<li>\s*<div class=\"grow\">(.*?)</li>", page, re.DOTALL)
    found = {}
    for row in rows:
        label = re.search(r"<p><(?:a[^>]*|strong)>(.*?)</", row)
        mark = re.search(r"class=\"state [a-z]+\">(.*?)</span>", row)
        assert label is not None
        assert mark is not None
        found[label[1]] = mark[1]
    return found


def find_main(page: str) -> str:
    """What the page's filled button says; "" if it has none."""
    found = re.search(r"class=\"button main\"[^>]*>(.*?)<|class=\"main\"[^>]*>(.*?)<", page)
    return (found[1] or found[2]) if found else ""


def test_a_campaign_begins_with_its_edition(desk: Desk) -> None:
    assert "There is no campaign yet" in desk.get("/campaigns")
    page = desk.get(f"/campaigns/new?edition={SLUG}")
    assert re.search(rf"value=\"{SLUG}\" checked", page)
    assert desk.act("/campaigns/new", {"edition": SLUG}) == "/campaigns/1?notice=campaign-begun"
    assert desk.list_acts()[0] == ("prepared_campaign", SLUG, "1", "")
    # A second click, or another member, goes on with it.
    assert desk.act("/campaigns/new", {"edition": SLUG}, Role.manager) == "/campaigns/1"
    assert len(desk.list_acts()) == 1
    assert desk.read(1).prepared_by == "Author X"


@pytest.mark.parametrize(
    ("edition", "words"),
    [("", "Choose an edition."), ("nowhere", "no longer there"), ("../keys.toml", "no longer there")],
)
def test_without_an_edition_there_is_no_campaign(desk: Desk, edition: str, words: str) -> None:
    assert words in desk.refuse("/campaigns/new", {"edition": edition})


def await_words(desk: Desk, path: str, words: str) -> str:
    """The page once it has ``words``: partners are counted in the background, on a busy machine after it."""
    page = desk.get(path)
    for _ in range(600):
        if words in page:
            break
        time.sleep(0.1)
        page = desk.get(path)
    return page


def test_the_checklist_says_how_far_each_item_is_and_what_comes_next(desk: Desk) -> None:
    number = desk.begin()
    page = desk.get_fragment(f"/campaigns/{number}")
    assert read_statuses(page) == {
        "Edition": "Done",
        "Who gets it": "To do",
        "How many": "Not yet",
        "Versions": "Not yet",
        "Tests": "To do",
        "When": "Done",
        "How it is sent": "Done",
        "Approval": "Not needed",
    }
    assert find_main(page) == "Choose who gets it"
    desk.act(f"/campaigns/{number}/segment", {"q": "all"})
    page = await_words(desk, f"/campaigns/{number}?look=1", "different mails")
    assert "4 partners" in page
    assert "Left out:" in page
    assert "different mails · you have looked at 0" in page
    assert find_main(page) == "Look at the versions"
    assert "Mail goes out from 08:00 to 18:00 on the partner’s own clock" in page


def test_a_page_is_there_before_its_edition_is_compiled_and_asks_for_the_rest(desk: Desk) -> None:
    number = desk.prepare()
    desk.write("stories/030-new.md", "---\ntitle: A new story\n---\n\nText.\n")
    page = desk.get(f"/campaigns/{number}")
    assert read_statuses(page)["Edition"] == "Looking…"
    assert f'hx-get="/studio/campaigns/{number}" hx-trigger="load"' in page
    assert f'<noscript><p class="after"><a href="/studio/campaigns/{number}?look=1">' in page
    done = desk.get_fragment(f"/campaigns/{number}")
    assert "<html" not in done
    assert read_statuses(done)["Edition"] == "Done"


def test_errors_are_in_the_way_of_a_launch_and_not_of_preparing(desk: Desk) -> None:
    number = desk.prepare()
    desk.write("stories/030-bad.md", "---\ntitle: A story\nsector: nothing\n---\n\nText.\n")
    page = desk.get_fragment(f"/campaigns/{number}")
    assert read_statuses(page)["Edition"] == "In the way"
    assert f'<a id="item-edition" href="/studio/editions/{SLUG}/problems">' in page
    assert "1 error" in page
    assert find_main(page) == "Look at the problems"
    desk.act(f"/campaigns/{number}/segment", {"q": "country:MN"})
    assert desk.read(number).decisions.segment == "country:MN"
    assert "cannot be tested yet" in desk.get(f"/campaigns/{number}/tests")
    assert "There is no mail yet" in desk.get(f"/campaigns/{number}/versions")


def test_an_edition_that_is_gone_is_named(desk: Desk) -> None:
    number = desk.prepare(edition=OTHER)
    (desk.house.studio.workspace.editions / OTHER).rename(desk.house.studio.workspace.editions / "renamed")
    page = desk.get_fragment(f"/campaigns/{number}")
    assert f"The edition {OTHER} is not there any more." in page
    assert read_statuses(page)["Edition"] == "In the way"
    assert "There is no mail yet" in desk.get(f"/campaigns/{number}/versions")
    desk.get(f"/campaigns/{number}/tests")
    desk.get("/campaigns")


def test_nobody_in_the_segment_is_in_the_way(desk: Desk) -> None:
    number = desk.prepare("country:FR")
    page = desk.get(f"/campaigns/{number}?look=1")
    assert read_statuses(page)["How many"] == "In the way"
    assert find_main(page) == "Choose who gets it"


def test_a_segment_is_shown_in_words_and_numbers_before_it_is_saved(desk: Desk) -> None:
    number = desk.begin()
    with desk.house.unchanged("looking at a segment"):
        page = desk.get(f"/campaigns/{number}/segment?q=country:MN,CN&again=yes")
    assert "Partners in Mongolia or China." in page
    assert "2 partners" in page
    assert re.search(r"name=\"again\" value=\"yes\" checked", page)
    assert 'value="country:MN,CN"' in page
    assert re.search(r"name=\"country\" value=\"MN\" checked", page), "the boxes say the same"


def test_a_segment_that_is_wrong_is_kept_with_a_mark_at_the_place(desk: Desk) -> None:
    number = desk.begin()
    page = desk.refuse(f"/campaigns/{number}/segment", {"q": "country:XX <b>"})
    assert "country:XX <b>" in page
    assert "^" in page
    assert "Say who gets it" in desk.refuse(f"/campaigns/{number}/segment", {"q": " "})
    assert "too long" in desk.refuse(f"/campaigns/{number}/segment", {"q": "country:MN " * 5000})


def test_boxes_choose_who_gets_it_without_a_query(desk: Desk) -> None:
    number = desk.begin()
    form = {"q": "", "was": "", "filters": "1", "country": "MN", "sector": "education"}
    desk.act(f"/campaigns/{number}/segment", form)
    assert desk.read(number).decisions.segment == "country:MN sector:education"


def save_segment(desk: Desk, name: str = "east", text: str = "country:MN,CN") -> None:
    with open_session(desk.house.studio.engine) as session:
        session.add(SavedSegment(name=name, text=text, created_at=NOW, updated_at=NOW))
        session.commit()


def read_item(page: str, label: str) -> str:
    """What the checklist says of an item."""
    row = page.partition(f">{label}</")[2].partition("</li>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", row.partition(">")[2]).split())


def test_a_saved_segment_keeps_its_name_beside_what_it_means(desk: Desk) -> None:
    save_segment(desk)
    number = desk.prepare("segment:East")
    path = f"/campaigns/{number}"
    assert desk.read(number).decisions.segment_name == "east"
    assert desk.list_acts()[0][3] == "segment: country:MN,CN (saved as east)"
    row = "east · partners in Mongolia or China · country:MN,CN"
    assert read_item(desk.get(path), "Who gets it") == f"{row} Done"
    assert '<a href="/studio/segments/east"><bdi>east</bdi></a>' in desk.get(path)
    # Saving what the page shows, which is what it means, keeps the name; another query has none.
    desk.act(f"{path}/segment", {"q": "country:MN,CN", "was-segment": "country:MN,CN", "again": "yes"})
    assert desk.read(number).decisions.segment_name == "east"
    desk.act(f"{path}/segment", {"q": "segment:east tag:press", "was-segment": "country:MN,CN"})
    assert desk.read(number).decisions.segment_name == ""


def test_a_saved_segment_that_has_changed_or_is_gone_since_is_pointed_out(desk: Desk) -> None:
    save_segment(desk)
    number = desk.prepare("segment:east")
    path = f"/campaigns/{number}"
    desk.act("/segments/east/rename", {"new_name": "far-east"})
    assert "far-east · partners in Mongolia or China · country:MN,CN Done" in read_item(
        desk.get(path), "Who gets it"
    )
    desk.act("/segments/far-east", {"q": "country:MN,CN,JP", "before": "country:MN,CN"})
    page = desk.get(path)
    said = read_item(page, "Who gets it")
    assert "country:MN,CN The saved segment has been changed since it was chosen here." in said
    assert f'href="/studio{path}/segment?q=segment%3Afar-east">See it as it is now</a>' in page
    assert SLUG in desk.get("/segments/far-east"), "where it is used"
    desk.act(f"{path}/segment", {"q": "segment:far-east", "was-segment": "country:MN,CN"})
    assert "since" not in read_item(desk.get(path), "Who gets it")
    desk.act("/segments/far-east/delete", {})
    assert "No segment is saved under this name any more." in read_item(desk.get(path), "Who gets it")
    assert desk.read(number).decisions.segment == "country:MN,CN,JP"


def test_a_campaign_begins_with_the_segment_whose_page_it_was_asked_for_on(desk: Desk) -> None:
    save_segment(desk)
    link = re.search(r'href="/studio(/campaigns/new\?q=[^"]+)"', desk.get("/segments/east"))
    assert link
    page = desk.get(link[1])
    assert "partners in Mongolia or China" in page
    assert 'name="q" value="segment:east"' in page
    assert desk.act("/campaigns/new", {"edition": SLUG, "q": "segment:east"}).startswith("/campaigns/1?")
    decided = desk.read(1).decisions
    assert (decided.segment, decided.segment_name) == ("country:MN,CN", "east")
    assert [act[0] for act in desk.list_acts()] == ["changed_campaign", "prepared_campaign"]
    # Of a campaign that somebody has begun already, it is shown, and saved by whoever wants it.
    with desk.house.unchanged("asking for it again"):
        led = desk.act("/campaigns/new", {"edition": SLUG, "q": "country:DE"})
    assert led == "/campaigns/1/segment?q=country%3ADE"
    assert 'value="country:DE"' in desk.get(led)


def test_a_campaign_begins_with_a_query_that_is_not_saved(desk: Desk) -> None:
    page = desk.get("/segments/query?q=country:MN")
    assert 'formaction="/studio/campaigns/new"' in page
    given = "q=country:MN&was=country:MN&filters=1&country=MN&sector=education"
    page = desk.get(f"/campaigns/new?{given}")
    assert 'name="q" value="country:MN sector:education"' in page, "the boxes, without script"
    desk.get(f"/campaigns/new?{given}&other_countries=Atlantis", status=303)
    led = desk.act("/campaigns/new", {"edition": SLUG, "q": "segment:nothing"})
    assert led == "/campaigns/1/segment?q=segment%3Anothing", "where it is said what is wrong"
    assert desk.read(1).decisions.segment is None


def test_a_saved_segment_is_written_out(desk: Desk) -> None:
    number = desk.begin()
    save_segment(desk)
    page = desk.get(f"/campaigns/{number}/segment")
    link = f'href="/studio/campaigns/{number}/segment?q=segment%3Aeast"'
    assert link in page
    assert page.index(link) < page.index('id="q"'), "what was saved comes before a long form"
    desk.act(f"/campaigns/{number}/segment", {"q": "segment:east"})
    assert desk.read(number).decisions.segment == "country:MN,CN"


def test_what_is_decided_is_written_down(desk: Desk) -> None:
    number = desk.prepare("country:MN")
    assert desk.list_acts()[0] == ("changed_campaign", SLUG, str(number), "segment: country:MN")
    form = {"q": "country:MN", "was-segment": "country:MN", "was-again": "no"}
    desk.act(f"/campaigns/{number}/segment", form)
    assert len(desk.list_acts()) == 2, "saving the same again is nothing"


def test_a_start_is_a_moment_on_the_clocks_of_a_place(desk: Desk) -> None:
    number = desk.begin()
    page = desk.get(f"/campaigns/{number}/start")
    assert '<option value="Asia/Shanghai" selected>Asia/Shanghai, UTC+8</option>' in page
    assert '<option value="Asia/Ulaanbaatar">Asia/Ulaanbaatar, UTC+8</option>' in page
    form = {
        "when": "time",
        "start": "2026-03-30T09:00",
        "zone": "Europe/Berlin",
        "was-start": "",
        "was-zone": "",
    }
    desk.act(f"/campaigns/{number}/start", form)
    decided = desk.read(number).decisions
    assert (decided.start_at, decided.start_zone) == (datetime(2026, 3, 30, 7, tzinfo=UTC), "Europe/Berlin")
    page = desk.get(f"/campaigns/{number}")
    assert "30 March 2026, 09:00 (Europe/Berlin, UTC+2)" in page
    page = desk.get(f"/campaigns/{number}/start")
    assert 'value="2026-03-30T09:00"' in page
    assert '<option value="Europe/Berlin" selected>' in page
    desk.act(f"/campaigns/{number}/start", {"when": "launch"})
    assert desk.read(number).decisions.start_at is None


@pytest.mark.parametrize(
    ("start", "zone", "words"),
    [
        ("2026-03-29T02:30", "Europe/Berlin", "put forward over this time, so it does not exist"),
        ("2026-10-25T02:30", "Europe/Berlin", "put back over this time, so it occurs twice"),
        ("2026-03-01T10:00", "Europe/Berlin", "This has passed: there it is 1 March 2026, 10:00"),
        ("soon", "Europe/Berlin", "Write a day and a time"),
        ("", "Europe/Berlin", "Write a day and a time"),
        ("2026-03-30", "Europe/Berlin", "Write a day and a time"),
        ("9999-12-31T23:59", "America/New_York", "Write a day and a time"),
        ("2026-03-30T09:00", "Mars/Olympus", "Choose the time zone from the list."),
        ("2026-03-30T09:00", "../../etc/passwd", "Choose the time zone from the list."),
        ("2026-03-30T09:00", "", "Choose the time zone from the list."),
    ],
)
def test_a_time_that_is_none_is_refused_and_kept(desk: Desk, start: str, zone: str, words: str) -> None:
    number = desk.begin()
    page = desk.refuse(f"/campaigns/{number}/start", {"when": "time", "start": start, "zone": zone})
    assert words in page
    assert f'value="{start}"' in page


def test_a_start_that_has_passed_meanwhile_is_in_the_way(desk: Desk) -> None:
    number = desk.prepare()
    decide(desk, number, start_at=NOW - timedelta(minutes=1), start_zone="UTC")
    page = desk.get(f"/campaigns/{number}?look=1")
    assert read_statuses(page)["When"] == "In the way"
    assert "This has passed." in page
    assert find_main(page) == "Choose another time"


def decide(desk: Desk, number: int, **decisions: object) -> None:
    """Decide something as somebody else would, at the same time."""
    with open_session(desk.house.studio.engine) as session:
        before = desk.read(number)
        wanted = replace(before.decisions, **decisions)  # type: ignore[arg-type]
        save_preparation(session, before, wanted, member_id=None, now=NOW)
        session.commit()


def test_only_what_was_changed_in_the_options_is_decided(desk: Desk) -> None:
    number = desk.begin()
    shown = {
        **{"canary": "", "canary_minutes": "", "count_clicks": "false", "archived": "false"},
        **{"in_doubt": "hold", "note": ""},
    }
    was = {f"was-{name}": value for name, value in shown.items()}
    desk.act(f"/campaigns/{number}/options", {**shown, **was, "canary": "50", "canary_minutes": "2,5"})
    assert desk.read(number).decisions == Decisions(canary=50, canary_minutes=2.5)
    page = desk.get(f"/campaigns/{number}")
    assert "To 50 partners first, the rest 2.5 minutes later" in page
    sent = {
        **{"count_clicks": "true", "archived": "true", "in_doubt": "resend"},
        "note": "Wait for\r\nthe <minister>.",
    }
    desk.act(f"/campaigns/{number}/options", {**shown, **was, **sent})
    decided = desk.read(number).decisions
    assert (decided.canary, decided.count_clicks, decided.archived) == (50, True, True)
    assert (decided.in_doubt, decided.note) == (InDoubtPolicy.resend, "Wait for\nthe <minister>.")
    assert "clicks are counted" in desk.get(f"/campaigns/{number}")
    # And back again: what was decided stays decided, also where the settings say the same.
    back = {f"was-{name}": value for name, value in {**sent, "canary": "50", "canary_minutes": "2.5"}.items()}
    desk.act(f"/campaigns/{number}/options", {**shown, **back})
    decided = desk.read(number).decisions
    assert (decided.canary, decided.count_clicks, decided.archived) == (0, False, False)


@pytest.mark.parametrize(
    ("typed", "decided"),
    [
        ({"canary_minutes": "60"}, Decisions(canary=50, canary_minutes=60)),
        ({"canary": "20"}, Decisions(canary=20, canary_minutes=30)),
        ({"note": "Soon"}, Decisions(note="Soon")),
    ],
)
def test_a_part_of_the_canary_is_decided_with_the_other_that_the_settings_say(
    workspace: Workspace, typed: dict[str, str], decided: Decisions
) -> None:
    """Whoever changes the settings afterwards leaves this campaign's canary as it was."""
    write_edition(workspace.editions)
    settings = workspace.root / "mailer.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f"{text}\n[campaigns]\ncanary = 50\ncanary_minutes = 30\n", encoding="utf-8")
    with serve_studio(open_workspace(workspace.root, environ={})) as studio:
        cookies = {Role.author.value: studio.sign_in(studio.add_member(Role.author, "Ann"))}
        house = House(studio=studio, cookies=cookies, pristine=workspace.root)
        desk = Desk(house=house, relay=ScriptedServer())
        number = desk.begin()
        desk.act(f"/campaigns/{number}/options", typed)
        assert desk.read(number).decisions == decided


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"canary": "many"}, "Write a number of partners"),
        ({"canary": "-1"}, "Write a number of partners"),
        ({"canary": "٣"}, "Write a number of partners"),
        ({"canary": "+60"}, "Write a number of partners"),
        ({"canary": "6_0"}, "Write a number of partners"),
        ({"canary": "99999999"}, "Write a number of partners"),
        ({"canary": "5", "canary_minutes": "soon"}, "Write a number of minutes"),
        ({"canary": "5", "canary_minutes": "0"}, "Write a number of minutes"),
        ({"canary": "5", "canary_minutes": "nan"}, "Write a number of minutes"),
        ({"canary_minutes": "5"}, "say how many they are"),
        ({"note": "x" * 2001}, "Use at most 2000 characters."),
    ],
)
def test_options_that_make_no_sense_are_refused_and_kept(
    desk: Desk, form: dict[str, str], words: str
) -> None:
    number = desk.begin()
    page = desk.refuse(f"/campaigns/{number}/options", form)
    assert words in page
    assert all(value in page for value in form.values())


def test_two_tabs_that_decide_the_same_thing_both_see_it(desk: Desk) -> None:
    number = desk.prepare("country:MN")
    form = {"q": "country:CN", "was-segment": "all", "was-again": "no"}
    page = desk.refuse(f"/campaigns/{number}/segment", form, Role.approver, status=409)
    assert "Author X has changed this meanwhile: Who gets it." in page
    assert 'name="q" class="mono" value="country:CN"' in page
    assert 'name="was-segment" value="country:MN"' in page
    desk.act(f"/campaigns/{number}/segment", {**form, "was-segment": "country:MN"}, Role.approver)
    assert desk.read(number).decisions.segment == "country:CN"


def test_two_tabs_that_decide_different_things_both_have_it(desk: Desk) -> None:
    number = desk.begin()
    desk.act(f"/campaigns/{number}/segment", {"q": "all", "was-segment": "", "was-again": "no"})
    desk.act(f"/campaigns/{number}/options", {"note": "Hello", "was-note": ""})
    desk.act(f"/campaigns/{number}/start", {"when": "launch", "was-start": "", "was-zone": ""})
    assert desk.read(number).decisions == Decisions(segment="all", note="Hello")


def test_two_starts_and_two_notes_at_once_lose_neither(desk: Desk) -> None:
    number = desk.begin()
    decide(desk, number, start_at=datetime(2026, 4, 1, 9, tzinfo=UTC), start_zone="UTC", note="Theirs")
    form = {"when": "time", "start": "2026-04-02T09:00", "zone": "UTC", "was-start": "", "was-zone": ""}
    page = desk.refuse(f"/campaigns/{number}/start", form, status=409)
    assert "Now it says: <strong><bdi>1 April 2026, 09:00 (UTC)" in page
    assert 'value="2026-04-02T09:00"' in page
    page = desk.refuse(f"/campaigns/{number}/options", {"note": "Mine", "was-note": ""}, status=409)
    assert "Theirs</strong>" in page
    assert ">Mine</textarea>" in page
    desk.act(f"/campaigns/{number}/options", {"note": "Mine", "was-note": "Theirs"})
    assert desk.read(number).decisions.note == "Mine"


@pytest.mark.parametrize("what", ["segment", "start", "options", "tests"])
def test_who_comes_after_the_launch_changes_nothing_and_is_told(desk: Desk, what: str) -> None:
    number = desk.prepare()
    desk.change_campaign(number, state=CampaignState.sending, launched_at=NOW, audience=4)
    before = desk.read(number)
    form = {"q": "country:CN", "when": "launch", "note": "Too late", "addresses": "me@office.example"}
    assert desk.act(f"/campaigns/{number}/{what}", form) == f"/campaigns/{number}?notice=preparation-over"
    assert desk.read(number) == before
    assert desk.relay.mails == []
    desk.get(f"/campaigns/{number}/{what}", status=303)
    assert "no longer being prepared" in desk.get(f"/campaigns/{number}?notice=preparation-over")


def test_an_approved_campaign_that_gets_another_segment_is_a_draft_again(desk: Desk) -> None:
    number = desk.prepare("country:MN")
    desk.change_campaign(
        number, state=CampaignState.approved, approved_by="Ben", approved_at=NOW, approved_digest="x" * 64
    )
    page = desk.get(f"/campaigns/{number}?look=1")
    assert "Something has changed since it was asked for." in page
    desk.act(f"/campaigns/{number}/options", {"note": "Hello", "was-note": ""})
    assert desk.read(number).state is CampaignState.approved
    desk.act(f"/campaigns/{number}/segment", {"q": "all"})
    assert desk.read(number).state is CampaignState.draft


def test_a_guest_sees_how_far_it_is_and_can_change_nothing(desk: Desk) -> None:
    number = desk.prepare("country:MN")
    page = desk.get(f"/campaigns/{number}?look=1", Role.guest)
    assert "partners in Mongolia" in page
    assert find_main(page) == ""
    assert "Discard" not in page
    assert f"/campaigns/{number}/segment" not in page


def test_a_draft_is_discarded_and_its_edition_stays(desk: Desk) -> None:
    number = desk.prepare()
    assert "Discard this campaign" in desk.get(f"/campaigns/{number}")
    path = f"/campaigns/{number}/discard"
    assert desk.act(path, {}) == f"/campaigns/{number}?notice=campaign-discarded"
    assert desk.list_acts()[0] == ("cancelled_campaign", SLUG, str(number), "")
    desk.act(path, {})
    assert len([act for act, *_ in desk.list_acts() if act == "cancelled_campaign"]) == 1
    assert "Cancelled" in desk.get(f"/campaigns/{number}")
    assert desk.begin() != number


def test_what_was_approved_is_discarded_by_who_may_launch_it(desk: Desk) -> None:
    number = desk.prepare()
    desk.change_campaign(number, state=CampaignState.approved, approved_by="Ben", approved_at=NOW)
    assert "Discard" not in desk.get(f"/campaigns/{number}")
    assert desk.post(f"/campaigns/{number}/discard", {}).status == 403
    assert desk.read(number).state is CampaignState.approved
    assert "Discard" in desk.get(f"/campaigns/{number}", Role.approver)
    desk.act(f"/campaigns/{number}/discard", {}, Role.approver)
    assert desk.read(number).state is CampaignState.cancelled


def test_what_has_started_meanwhile_is_not_discarded(desk: Desk) -> None:
    number = desk.prepare()
    desk.change_campaign(number, state=CampaignState.sending, launched_at=NOW, audience=4)
    path = f"/campaigns/{number}/discard"
    assert desk.act(path, {}, Role.manager) == f"/campaigns/{number}?notice=campaign-started"
    assert desk.read(number).state is CampaignState.sending


def test_a_start_that_is_near_waits_on_the_first_page_until_it_is_launched(desk: Desk) -> None:
    number = desk.prepare()
    assert "nobody has launched it" not in desk.get("/")
    decide(desk, number, start_at=NOW + timedelta(hours=30), start_zone="UTC")
    page = desk.get("/")
    assert "Is to start 2 March 2026, 15:00 (UTC), and nobody has launched it yet" in page
    assert f'href="/studio/campaigns/{number}"' in page
    decide(desk, number, start_at=NOW - timedelta(hours=1), start_zone="UTC")
    assert "Was to start 1 March 2026, 08:00 (UTC), and nobody has launched it" in desk.get("/")
    assert "nobody has launched it" not in desk.get("/", Role.guest)
    desk.change_campaign(number, state=CampaignState.scheduled)
    assert "nobody has launched it" not in desk.get("/")


def test_an_approved_campaign_waits_on_the_first_page_for_whoever_may_launch_it(desk: Desk) -> None:
    number = desk.prepare()
    words = "Is approved, and nobody has launched it yet"
    assert words not in desk.get("/", Role.approver)
    desk.change_campaign(number, state=CampaignState.approved)
    own = desk.get("/", Role.approver).partition("Waits for others")[0]
    assert words in own
    assert f'href="/studio/campaigns/{number}/launch">Go on to the launch' in own
    own, _, of_others = desk.get("/", Role.author).partition("Waits for others")
    assert words not in own, "an author may not launch it"
    assert words in of_others
    assert "Waits for Approver X, Manager X" in of_others
    assert f'href="/studio/campaigns/{number}">Open the campaign' in of_others
    assert words not in desk.get("/", Role.guest)


def test_an_approved_campaign_whose_start_is_near_waits_once(desk: Desk) -> None:
    number = desk.prepare()
    decide(desk, number, start_at=NOW + timedelta(hours=30), start_zone="UTC")
    desk.change_campaign(number, state=CampaignState.approved)
    page = desk.get("/", Role.approver)
    assert page.count("nobody has launched it yet") == 1
    assert "Is to start 2 March 2026, 15:00 (UTC), and nobody has launched it yet" in page
    assert f'href="/studio/campaigns/{number}/launch">Go on to the launch' in page


def test_an_approved_campaign_does_not_wait_while_its_launch_does(desk: Desk) -> None:
    number = desk.prepare()
    desk.change_campaign(number, state=CampaignState.approved)
    assert desk.author is not None
    request = LaunchRequest(
        campaign_id=number,
        edition=SLUG,
        segment="all",
        again=False,
        counts_clicks=False,
        options=LaunchOptions(),
        digest="0" * 64,
        count=4,
    )
    engine = desk.house.studio.engine
    with Session(engine) as session:
        now = read_clock(session.connection())
        asked = ask_launch(session, request, member_id=desk.author.id, needs_second=True, now=now)
        session.commit()
    page = desk.get("/", Role.approver)
    assert "Author X wants to send it to 4 partners" in page
    assert "nobody has launched it yet" not in page
    with Session(engine) as session:
        undo_launch(session, asked.number, now=now)
        session.commit()
    assert "Is approved, and nobody has launched it yet" in desk.get("/", Role.approver)


def test_a_sender_who_may_not_send_is_mended_in_the_settings(workspace: Workspace) -> None:
    write_edition(workspace.editions)
    settings = workspace.root / "mailer.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("news@example.org", "newsletter@beijing.example.org"), encoding="utf-8")
    with serve_studio(open_workspace(workspace.root, environ={})) as studio:
        members = {role.value: studio.sign_in(studio.add_member(role, role.value)) for role in Role}
        desk = Desk(
            house=House(studio=studio, cookies=members, pristine=workspace.root), relay=ScriptedServer()
        )
        path = f"/campaigns/{desk.prepare()}"
        page = desk.get_fragment(path)
        assert read_statuses(page)["Edition"] == "In the way"
        assert "still that of the sample" in page
        assert find_main(page) == "", "an author may not change the settings"
        own = desk.get_fragment(path, Role.manager)
        assert find_main(own) == "See the settings"
        assert 'class="button main" href="/studio/settings/sender"' in own
