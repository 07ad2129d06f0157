"""One partner: what the page tells, and what each form of it does, with its record and its log line."""

import json
from contextlib import AbstractContextManager
from datetime import date

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import Session, select, update

from mailer.database.team_models import Role, TeamSession
from mailer.privacy.erasure import erase_person
from mailer.web.studio.page import StudioPage
from subscribers.consent.suppression import is_suppressed
from subscribers.models import MergedSubscriber, Subscriber
from subscribers.queries import find_subscriber
from tests.web.studio.partners.conftest import PartnerHouse, is_gone_on, read_words


def path(partners: PartnerHouse, name: str, rest: str = "") -> str:
    return f"/{partners.numbers[name]}{rest}"


def read_last_record(partners: PartnerHouse, name: str) -> dict[str, str]:
    records = partners.know(name)["consent"]
    assert isinstance(records, list)
    return dict(records[-1])


def test_the_page_has_everything_that_is_known(partners: PartnerHouse) -> None:
    words = partners.get(path(partners, "lin.mei"))
    for told in (
        "lin.mei@partner.example", "Gets mail", "China", "中文", "Culture, Education", "board , press , vip",
        "m.lin@example.com", "Learning outdoors", "2.0.0 Ok: queued", "to m.lin@example.com",
        "An automatic reply: Out of office", "452 4.2.2 Mailbox full", "2021-2 by Ann", "Added by the team",
        "asked for it at the forum", "Merged with another address of theirs", "said so by telephone",
    ):  # fmt: skip
        assert told in words, told


def test_the_page_says_why_somebody_gets_no_mail_and_since_when(partners: PartnerHouse) -> None:
    assert "Mail to this address came back" in partners.get(path(partners, "dead"))
    assert "5.1.1 No such user here" in partners.get(path(partners, "dead"))
    assert "Only they can come back" in partners.get(path(partners, "spam"))
    assert "Unsubscribed · campaign 1" in partners.get(path(partners, "left"))
    assert "until 1 May 2099" in partners.get(path(partners, "yuki.tanaka"))
    merged = partners.get(path(partners, "m.lin"))
    assert "was merged with another of the same person: Mei Lin" in merged
    assert "so they get everything" not in merged, "they get nothing"


def test_a_partner_is_added_with_the_basis_on_record(partners: PartnerHouse) -> None:
    answer = partners.post(
        "/new", email=" Sue@Partner.Example", name="Sue", country="Südkorea", tags="press; vip",
        language="ko", sectors="education", basis="asked by letter",
    )  # fmt: skip
    assert answer.status == 303, read_words(answer)
    with Session(partners.house.studio.engine) as session:
        person = session.exec(select(Subscriber).where(Subscriber.email == "sue@partner.example")).one()
        assert (person.name, person.country, person.language) == ("Sue", "KR", "ko")
    assert is_gone_on(answer, f"/partners/{person.id}", "partner-added")
    words = partners.get(f"/{person.id}")
    assert "asked by letter" in words
    assert "by author X" in words
    assert partners.read_log()[0] == ("added_subscriber", "sue@partner.example", "")


@pytest.mark.parametrize(
    ("email", "said"),
    [
        ("not an address", "in full, such as mei@example.org"),
        ("", "in full, such as mei@example.org"),
        ("LIN.MEI@partner.example", "on the list already"),
        ("left@partner.example", "on the list already"),
        ("m.lin@example.com", "on the list already"),
    ],
)
def test_an_address_that_cannot_be_added_is_refused_with_what_was_typed(
    partners: PartnerHouse, email: str, said: str
) -> None:
    with partners.house.unchanged(email):
        answer = partners.post("/new", email=email, name="Sue <b>")
    assert answer.status == 422
    assert said in read_words(answer)
    assert 'value="Sue &lt;b&gt;"' in answer.body.decode()


def test_a_second_press_adds_nobody_twice(partners: PartnerHouse) -> None:
    assert partners.post("/new", email="sue@partner.example").status == 303
    assert "See the partner with this address" in read_words(
        partners.post("/new", email="sue@partner.example")
    )


def test_details_are_changed_with_the_reason_on_record(partners: PartnerHouse) -> None:
    number = path(partners, "kim")
    page = partners.house.ask("GET", f"/partners{number}/edit", Role.author).body.decode()
    seen = page.partition('name="seen" value="')[2][:16]
    changed = {"name": "Kim", "organisation": "", "country": "日本", "language": "ja", "tags": "a, b"}
    answer = partners.post(f"{number}/edit", seen=seen, sectors="culture", reason="wrote to us", **changed)
    assert is_gone_on(answer, f"/partners{number}", "partner-saved")
    known = partners.know("kim")
    assert (known["name"], known["organisation"], known["country"]) == ("Kim", "", "JP")
    assert (known["sectors"], known["tags"]) == (["culture"], ["a", "b"])
    record = read_last_record(partners, "kim")
    assert (record["method"], record["source"]) == ("studio", "by author X")
    assert record["evidence"].startswith("wrote to us\nchanged: country, language")
    act, subject, detail = partners.read_log()[0]
    assert (act, subject) == ("edited_subscriber", "kim@partner.example")
    assert detail == "country, language, name, organisation, sectors, tags"


def test_what_a_colleague_has_changed_meanwhile_is_not_overwritten_unseen(partners: PartnerHouse) -> None:
    number = path(partners, "kim")
    page = partners.house.ask("GET", f"/partners{number}/edit", Role.author).body.decode()
    seen = page.partition('name="seen" value="')[2][:16]
    assert partners.post(f"{number}/tags", Role.manager, tags="board").status == 303
    with partners.house.unchanged("a form of before"):
        answer = partners.post(f"{number}/edit", seen=seen, name="Kim", tags="")
    assert answer.status == 422
    assert "nothing is saved yet" in read_words(answer)
    newer = answer.body.decode().partition('name="seen" value="')[2][:16]
    assert partners.post(f"{number}/edit", seen=newer, name="Kim", tags="").status == 303
    assert partners.know("kim")["tags"] == []


def test_a_form_for_another_address_is_not_saved_unseen(partners: PartnerHouse) -> None:
    number = path(partners, "kim")
    page = partners.house.ask("GET", f"/partners{number}/edit", Role.author).body.decode()
    seen = page.partition('name="seen" value="')[2][:16]
    with Session(partners.house.studio.engine) as session:
        partner = find_subscriber(session, "kim@partner.example")
        partner.email, partner.envelope = "lee@partner.example", "lee@partner.example"
        session.add(partner)
        session.commit()
    with partners.house.unchanged("a form of before"):
        answer = partners.post(f"{number}/edit", seen=seen, name="Kim")
    assert (answer.status, "nothing is saved yet" in read_words(answer)) == (422, True)


def test_tags_that_two_change_at_once_are_put_together(partners: PartnerHouse) -> None:
    number = path(partners, "kim")
    partners.post(f"{number}/tags", tags="board, press")
    was = 'name="was" value="board, press"'
    assert was in partners.house.ask("GET", f"/partners{number}", Role.author).body.decode()
    partners.post(f"{number}/tags", Role.manager, was="board, press", tags="board, press, donor")
    assert partners.post(f"{number}/tags", was="board, press", tags="press, vip").status == 303
    assert partners.know("kim")["tags"] == ["donor", "press", "vip"]
    assert [detail for *_, detail in partners.read_log()[:3]] == ["+vip -board", "+donor", "+board +press"]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"country": "Atlantis"}, "no country we know"),
        ({"tags": '=1+1, "x'}, "is not a valid tag"),
        ({"name": "a" * 301}, "cannot be stored"),
        ({"reason": "\u202egnp"}, "cannot be stored"),
    ],
)
def test_a_detail_that_makes_no_sense_is_refused(
    partners: PartnerHouse, form: dict[str, str], said: str
) -> None:
    with partners.house.unchanged(said):
        answer = partners.post(path(partners, "kim", "/edit"), **form)
    assert answer.status == 422
    assert said in read_words(answer)


def test_a_pause_begins_changes_and_ends(partners: PartnerHouse) -> None:
    number = path(partners, "kim")
    answer = partners.post(f"{number}/pause", until="2098-01-31", pause_reason="asked for it")
    assert is_gone_on(answer, f"/partners{number}", "partner-paused")
    assert (partners.know("kim")["status"], partners.know("kim")["paused_until"]) == ("paused", "2098-01-31")
    assert read_last_record(partners, "kim")["evidence"] == "asked for it"
    assert is_gone_on(
        partners.post(f"{number}/pause", until="2098-01-31"), f"/partners{number}", "nothing-changed"
    )
    assert is_gone_on(partners.post(f"{number}/resume"), f"/partners{number}", "partner-resumed")
    assert partners.know("kim")["status"] == "active"
    assert [line[0] for line in partners.read_log()[:2]] == ["paused_subscriber", "paused_subscriber"]


@pytest.mark.parametrize("until", ["", "soon", "2026-02-30", date.min.isoformat(), "2020-01-01"])
def test_a_pause_needs_a_day_to_come(partners: PartnerHouse, until: str) -> None:
    with partners.house.unchanged(until):
        answer = partners.post(path(partners, "kim", "/pause"), until=until)
    assert answer.status == 422
    assert 'href="#until"' in answer.body.decode()


def test_unsubscribing_is_for_good_and_counts_once(partners: PartnerHouse) -> None:
    number = path(partners, "kim")
    answer = partners.post(f"{number}/unsubscribe", leave_reason="by telephone")
    assert is_gone_on(answer, f"/partners{number}", "partner-unsubscribed")
    assert partners.know("kim")["status"] == "unsubscribed"
    with partners.house.unchanged("a second press"):
        assert is_gone_on(partners.post(f"{number}/unsubscribe"), f"/partners{number}", "nothing-changed")


@pytest.mark.parametrize("name", ["left", "spam", "dead"])
def test_nobody_who_is_gone_becomes_active_in_silence(partners: PartnerHouse, name: str) -> None:
    before = partners.know(name)["status"]
    number = path(partners, name)
    partners.post(f"{number}/resume")
    partners.post(f"{number}/pause", until="2098-01-31")
    partners.post(f"{number}/lift", lift_reason="please")
    partners.post(f"{number}/edit", name="New Name")
    partners.post(f"{number}/tags", tags="vip")
    partners.post("/new", email=str(partners.know(name)["email"]))
    assert partners.know(name)["status"] == before


def test_a_block_is_lifted_only_where_its_owner_did_not_decide(partners: PartnerHouse) -> None:
    key = partners.house.studio.workspace.keys.suppression
    number = path(partners, "kim")
    assert is_gone_on(partners.post(f"{number}/block"), f"/partners{number}", "partner-blocked")
    assert "The team blocked this address" in partners.get(number)
    with partners.house.unchanged("no reason"):
        assert partners.post(f"{number}/lift", lift_reason=" ").status == 422
    answer = partners.post(f"{number}/lift", lift_reason="a mistake")
    assert is_gone_on(answer, f"/partners{number}", "partner-unblocked")
    with Session(partners.house.studio.engine) as session:
        assert not is_suppressed(session, key, "kim@partner.example")
    with partners.house.unchanged("the owner's word"):
        answer = partners.post(path(partners, "spam", "/lift"), lift_reason="please")
    assert answer.status == 422
    assert "Only the owner" in read_words(answer)


def test_two_are_shown_side_by_side_before_they_are_merged(partners: PartnerHouse) -> None:
    number = path(partners, "anna")
    assert "Compare the two" in partners.get(f"{number}/merge")
    for other, said in (
        ("kim", "in full"),
        ("x@partner.example", "Nobody on the list"),
        ("m.lin@example.com", "cannot"),
    ):
        assert said in partners.get(f"{number}/merge?other={other}", status=422)
    page = partners.house.ask(
        "GET", f"/partners{number}/merge?other=left@partner.example", Role.author
    ).body.decode()
    assert "They unsubscribed with the other address" in page
    digest = page.partition('name="digest" value="')[2][:16]
    form = {"other": "left@partner.example", "digest": digest, "take_name": "other"}
    answer = partners.post(f"{number}/merge", reason="the same person", **form)
    assert is_gone_on(answer, f"/partners{number}", "partners-merged")
    assert (partners.know("anna")["status"], partners.know("anna")["name"]) == ("unsubscribed", "Lena Left")
    assert partners.know("anna")["organisation"] == "Green Office"
    assert partners.read_log()[0] == (
        "merged_subscribers",
        "anna@partner.example",
        "with left@partner.example",
    )
    with partners.house.unchanged("a second press"):
        again = partners.post(f"{number}/merge", **form)
    assert is_gone_on(again, f"/partners{number}", "partners-merged")
    back = partners.house.ask("GET", f"/partners{number}/merge?other=left@partner.example", Role.author)
    assert is_gone_on(back, f"/partners{number}", "partners-merged"), "as the Back button asks"


def test_a_merge_that_is_out_of_date_shows_the_two_once_more(partners: PartnerHouse) -> None:
    number = path(partners, "anna")
    page = partners.house.ask(
        "GET", f"/partners{number}/merge?other=kim@partner.example", Role.author
    ).body.decode()
    digest = page.partition('name="digest" value="')[2][:16]
    partners.post(path(partners, "kim", "/unsubscribe"))
    with partners.house.unchanged("an old page"):
        form = {"other": "kim@partner.example", "digest": digest, "reason": "She said so herself"}
        answer = partners.post(f"{number}/merge", **form)
    assert answer.status == 422
    assert "nothing is merged yet" in read_words(answer)
    assert 'value="She said so herself"' in answer.body.decode()
    assert "They unsubscribed with the other address" in read_words(answer)
    with Session(partners.house.studio.engine) as session:
        assert len(session.exec(select(MergedSubscriber)).all()) == 1


def test_a_copy_of_the_data_is_the_managers_to_take_and_is_written_down(partners: PartnerHouse) -> None:
    answer = partners.post(path(partners, "lin.mei", "/data"), Role.manager)
    assert answer.status == 200
    assert "attachment" in answer.headers["content-disposition"]
    assert "mei" not in answer.headers["content-disposition"]
    known = json.loads(answer.body)
    assert known["subscriber"]["email"] == "lin.mei@partner.example"
    assert [row["email"] for row in known["merged"]] == ["m.lin@example.com"]
    assert partners.read_log()[0] == ("exported_person", "lin.mei@partner.example", "")


def test_a_person_is_erased_with_all_their_addresses(partners: PartnerHouse) -> None:
    outbox = partners.house.studio.workspace.root / "outbox"
    outbox.mkdir(exist_ok=True)
    (outbox / "0001.eml").write_text("To: lin.mei@partner.example\n\nDear Mei\n")
    number = path(partners, "lin.mei")
    words = partners.get(f"{number}/erase", Role.manager)
    assert "searching…" in words
    assert "0001.eml" not in words, (
        "files are searched by a second request, for that takes as long as they are"
    )
    words = partners.get(f"{number}/erase?files=1", Role.manager)
    assert "searching…" not in words
    for told in (
        "outbox/0001.eml is deleted",
        "m.lin@example.com",
        "This program cannot reach:",
        "It cannot be undone",
        "Back without changes",
    ):
        assert told in words, told
    answer = partners.post(f"{number}/erase", Role.manager, address="lin.mei@partner.example")
    assert is_gone_on(answer, f"/partners{number}", "partner-erased")
    assert not (outbox / "0001.eml").exists()
    words = partners.get(number)
    assert "no longer on the list" in words
    assert "copies of overwritten blocks" in words
    assert "mei" not in words.lower().replace("remein", "")
    assert partners.read_log()[0] == ("erased_person", "", "")
    everything = json.dumps(partners.house.see(), default=str)
    assert "lin.mei@" not in everything
    assert "m.lin@" not in everything
    assert is_gone_on(partners.post(f"{number}/erase", Role.manager), f"/partners{number}", "nothing-changed")
    for rest in ("/edit", "/merge", "/erase"):
        partners.get(f"{number}{rest}", Role.manager, status=404)


@pytest.mark.parametrize("rest", ["/lift", "/block", "/data", "/edit"])
def test_what_is_pressed_while_a_person_is_being_erased_names_them_nowhere(
    partners: PartnerHouse, monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    studio, write = partners.house.studio, StudioPage.writing

    def erase_first(page: StudioPage) -> AbstractContextManager[Session]:
        monkeypatch.undo()
        erase_person(
            studio.workspace, studio.engine, "dead@partner.example", method="test", now=studio.clock()
        )
        return write(page)

    number = path(partners, "dead", rest)
    with Session(studio.engine) as session:
        session.execute(update(TeamSession).values(confirmed_at=studio.clock()))
        session.commit()
    monkeypatch.setattr(StudioPage, "writing", erase_first)
    answer = partners.post(number, Role.manager, lift_reason="It works again.")
    assert answer.status in {303, 404, 422}
    assert "dead@" not in json.dumps(partners.house.see(), default=str)
    assert "dead@" not in read_words(answer)
    with Session(studio.engine) as session:
        assert is_suppressed(session, studio.workspace.keys.suppression, "dead@partner.example")


@pytest.mark.parametrize("rest", ["/data", "/erase", "/merge"])
def test_what_takes_much_away_asks_again_who_one_is(partners: PartnerHouse, rest: str) -> None:
    engine = partners.house.studio.engine
    with Session(engine) as session:
        for one in session.exec(select(TeamSession)).all():
            one.confirmed_at = one.confirmed_at.replace(year=2020)
        session.commit()
    with partners.house.unchanged(rest):
        answer = partners.post(path(partners, "kim", rest), Role.manager, other="anna@partner.example")
    assert answer.status in {303, 403}
    assert b"confirm" in answer.body or "confirm" in answer.headers.get("location", "")


def test_links_lead_only_where_a_member_may_go(partners: PartnerHouse) -> None:
    page = partners.house.ask("GET", f"/partners{path(partners, 'kim')}", Role.author).body.decode()
    assert "/erase" not in page
    assert "/data" not in page
    assert "/merge" in page


def test_a_form_that_is_on_its_way_is_not_sent_again(partners: PartnerHouse, browser: Browser) -> None:
    # Chromium itself passes over a second click of the same moment, and not one a little later.
    send = "form => form.dispatchEvent(new SubmitEvent('submit', {bubbles: true, cancelable: true}))"
    house = partners.house
    with house.studio.browse(browser, house.studio.add_member(Role.author, "Dora Double")) as page:
        page.goto(f"{house.studio.url}/partners/new")
        form = page.locator("main form")
        assert [form.evaluate(send), form.evaluate(send)] == [True, False]
        page.goto(f"{house.studio.url}/partners")
        search = page.locator("main form[method=get]").first
        assert [search.evaluate(send), search.evaluate(send)] == [True, True]


def test_what_was_typed_is_not_lost_without_a_question(partners: PartnerHouse, browser: Browser) -> None:
    house, asked = partners.house, list[str]()
    with house.studio.browse(browser, house.studio.add_member(Role.author, "Tia Typed")) as page:
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
        page.goto(f"{house.studio.url}/partners/new")
        page.get_by_label("Name").fill("Mei")
        page.get_by_role("link", name="Home", exact=True).click(no_wait_after=True)
        expect(page.get_by_label("Name")).to_have_value("Mei")
        page.get_by_label("Email address").fill("typed@partner.example")
        page.get_by_role("button", name="Add this partner").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Mei")
        page.get_by_role("link", name="Home", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    assert asked == ["beforeunload"], "once, and neither for what was sent nor for an empty form"


def test_a_part_of_the_page_that_did_not_come_can_be_asked_for(
    partners: PartnerHouse, browser: Browser
) -> None:
    house = partners.house
    with house.studio.open_context(browser, house.studio.add_member(Role.manager, "Nora Network")) as context:
        page = context.new_page()
        page.route("**/erase?files=1", lambda route: route.abort())
        page.goto(f"{house.studio.url}/partners{path(partners, 'kim')}/erase")
        link = page.get_by_role("link", name="Show the files")
        expect(link).to_be_visible()
        page.unroute("**/erase?files=1")
        link.click()
        expect(page.locator("#files")).not_to_contain_text("searching")
