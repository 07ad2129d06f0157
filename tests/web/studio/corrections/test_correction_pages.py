"""Correcting a story in Studio: from the story that was sent to the campaign that mends it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from mailer.activity.acts import Act
from mailer.campaigns.launch import launch
from mailer.campaigns.lifecycle import find_campaign
from mailer.campaigns.preparation.preparation_store import read_preparation
from mailer.database.models import Campaign, CampaignState, DeliveryState
from mailer.database.team_models import ActivityRecord, Role
from mailer.web.dependencies import utc_now
from mailer.web.studio.app import ROUTES
from tests.factories.campaigns import make_plan
from tests.factories.correction_notes import RIGHT, WAS
from tests.factories.feedback import set_deliveries
from tests.factories.small_edition import SLUG, add_people
from tests.web.report_pages.test_campaign_page import read_words
from tests.web.studio.house import House, open_house

NEW = "/corrections/new"
FORM = {"edition": SLUG, "story": "teachers", "was-en": "Sixty teachers met", "right-en": RIGHT}
NOTE = f"/corrections/{SLUG}/teachers/1"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        yield house


@pytest.fixture
def house(opened: House) -> Iterator[House]:
    """A house that has sent its edition."""
    studio, now = opened.studio, utc_now()
    add_people(studio.engine)
    number = launch(studio.engine, studio.workspace, make_plan(studio.workspace, studio.engine, now), now=now)
    set_deliveries(studio.engine, number, state=DeliveryState.sent)
    yield opened
    opened.restore()
    for path in (studio.workspace.root / "corrections").rglob("*.md"):
        path.unlink()


def read(house: House, path: str, who: str = Role.author) -> str:
    answer = house.ask("GET", path, who)
    assert answer.status == 200, path
    return answer.body.decode()


def write(house: House, **fields: str) -> None:
    answer = house.ask("POST", NEW, Role.author, form={**FORM, **fields})
    assert answer.headers["location"].startswith("/studio/corrections/")


def find_sent(house: House) -> int:
    """The number of the campaign that has sent the edition."""
    with Session(house.studio.engine) as session:
        launched = select(Campaign.id).where(col(Campaign.launched_at).is_not(None))
        return session.exec(launched).one() or 0


def prepare(house: House) -> int:
    """Prepare the campaign of the correction, and return its number."""
    answer = house.ask("POST", f"{NOTE}/prepare", Role.author)
    found = re.search(r"/campaigns/(\d+)\?", answer.headers["location"])
    assert found is not None
    return int(found[1])


def list_acts(house: House) -> list[str]:
    with Session(house.studio.engine) as session:
        return list(session.exec(select(ActivityRecord.act).order_by(col(ActivityRecord.id))))


def test_a_story_that_was_sent_is_chosen_and_shown_as_it_was_sent(house: House) -> None:
    page = read(house, f"{NEW}?edition={SLUG}")
    assert f'href="/studio/corrections/new?edition={SLUG}&amp;story=teachers"' in page
    form = read(house, f"{NEW}?edition={SLUG}&story=teachers")
    assert "Sixty teachers met to share what works" in read_words(form)
    assert 'name="was-zh"' in form
    assert "nothing to correct" in read_words(read(house, f"{NEW}?edition=2025-4"))
    assert house.ask("GET", f"{NEW}?edition={SLUG}&story=nothing", Role.author).status == 404


def test_a_form_that_is_not_complete_keeps_what_was_written(house: House) -> None:
    form = {**FORM, "right-en": " ", "was-zh": "六十", "explanation-en": "So <b>sorry</b>"}
    with house.unchanged("an incomplete correction"):
        answer = house.ask("POST", NEW, Role.author, form=form)
    page = answer.body.decode()
    assert answer.status == 422
    assert 'href="#right-en"' in page
    assert 'href="#right-zh"' in page
    assert 'value="Sixty teachers met"' in page
    assert "So &lt;b&gt;sorry&lt;/b&gt;" in page


def test_a_correction_shows_its_email_and_who_gets_it_before_anything_is_sent(house: House) -> None:
    write(house, **{"was-zh": "六十名", "right-zh": "八十名", "explanation-en": "We are *sorry*."})
    page = read(house, NOTE)
    assert RIGHT in read_words(page)
    assert re.findall(r'/mail/(\w+)"', page) == ["en", "zh"]
    mail = house.ask("GET", f"{NOTE}/mail/en", Role.author)
    assert RIGHT in read_words(mail.body.decode())
    assert "<em>sorry</em>" in mail.body.decode()
    assert "script-src 'none'" in mail.headers["content-security-policy"]
    assert "八十名" in house.ask("GET", f"{NOTE}/mail/zh", Role.author).body.decode()
    assert house.ask("GET", f"{NOTE}/mail/fr", Role.author).status == 404
    readers = read_words(read(house, f"{NOTE}/readers"))
    assert "4 partners who were sent the story get the correction." in readers
    assert f"Campaign {find_sent(house)}: 4" in readers
    with Session(house.studio.engine) as session:
        assert {one.edition for one in session.exec(select(Campaign)).all()} == {SLUG}
    assert list_acts(house)[-1] == Act.wrote_correction


def test_words_that_were_never_sent_are_pointed_out(house: House) -> None:
    write(house, **{"was-en": WAS})
    assert "does not have these words: “ Sixty teachers met. ”" in read_words(read(house, NOTE))
    form = {**FORM, "was-en": "Sixty   teachers met to share"}
    assert house.ask("POST", f"{NOTE}/edit", Role.author, form=form).status == 303
    assert "does not have these words" not in read_words(read(house, NOTE))


def test_two_clicks_write_one_correction(house: House) -> None:
    form = {**FORM, "was-zh": "六十名", "right-zh": "八十名"}
    first, second = (house.ask("POST", NEW, Role.author, form=form) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    assert len(list((house.studio.workspace.corrections / SLUG / "teachers").glob("?.md"))) == 1


def test_a_correction_becomes_one_campaign_however_often_one_clicks(house: House) -> None:
    write(house)
    number = prepare(house)
    assert prepare(house) == number
    with Session(house.studio.engine) as session:
        prepared = read_preparation(session, number)
        assert prepared is not None
        assert find_campaign(session, number).edition == f"{SLUG}~correction-1"
    assert (prepared.prepared_by, prepared.decisions.segment) == ("author X", f"got:{SLUG}/teachers")
    assert list_acts(house).count(Act.prepared_correction) == 1
    page = read_words(read(house, NOTE))
    assert "so it stays as it is" in page
    named = house.ask("GET", f"/editions/{SLUG}~correction-1", Role.author)
    assert named.headers["location"] == f"/studio{NOTE}"
    assert house.ask("GET", f"/editions/{SLUG}~correction-2", Role.author).status == 404
    # Where its campaign's checklist would lead to the problems of an edition.
    problems = house.ask("GET", f"/editions/{SLUG}~correction-1/problems", Role.author)
    assert problems.headers["location"] == f"/studio{NOTE}"
    campaign = read(house, f"/campaigns/{number}?look=1")
    assert f'href="/studio/editions/{SLUG}~correction-1">Correction</a>' in campaign
    assert "Against campaign" not in campaign, "it goes to those who were sent a story"
    assert f"Campaign {number} · Correction" in read_words(read(house, "/campaigns"))
    with house.unchanged("acts on what has become a campaign"):
        assert house.ask("POST", f"{NOTE}/discard", Role.author, form=FORM).status == 303
        late = house.ask("POST", f"{NOTE}/edit", Role.author, form={**FORM, "right-en": "Ninety came."})
    # What was written is not lost: it can become the next correction.
    assert (late.status, 'value="Ninety came."' in late.body.decode()) == (409, True)
    assert 'action="/studio/corrections/new?' in late.body.decode()


def test_of_two_who_change_a_correction_none_replaces_what_they_have_not_seen(house: House) -> None:
    write(house)
    found = re.search(r'name="base" value="(\w+)"', read(house, f"{NOTE}/edit"))
    assert found is not None
    form = {**FORM, "base": found[1]}
    answers = [
        house.ask("POST", f"{NOTE}/edit", Role.author, form={**form, "right-en": f"Number {number}."})
        for number in (1, 2)
    ]
    assert [answer.status for answer in answers] == [303, 409]
    page = answers[1].body.decode()
    assert 'value="Number 2."' in page
    assert "Number 1." in read_words(read(house, NOTE))
    found = re.search(r'name="base" value="(\w+)"', page)
    assert found is not None
    done = {**FORM, "right-en": "Number 2.", "base": found[1]}
    assert house.ask("POST", f"{NOTE}/edit", Role.author, form=done).status == 303


def test_what_is_written_for_a_correction_that_is_thrown_away_becomes_a_new_one(house: House) -> None:
    write(house)
    assert house.ask("POST", f"{NOTE}/discard", Role.author).status == 303
    typed = {**FORM, "right-en": "Ninety came.", "was-de": "Sechzig", "right-de": "Neunzig"}
    with house.unchanged("a change of what was thrown away"):
        late = house.ask("POST", f"{NOTE}/edit", Role.author, form=typed)
    page = late.body.decode()
    assert late.status == 409
    assert "was thrown away while you were writing" in read_words(page)
    assert ('value="Ninety came."' in page, 'value="Neunzig"' in page) == (True, True)
    action = re.search(r'<form method="post" action="/studio(/corrections/new[^"]*)"', page)
    assert action is not None
    kept = house.ask("POST", action[1].replace("&amp;", "&"), Role.author, form=typed)
    assert kept.status == 303
    assert "Ninety came." in read_words(read(house, NOTE))
    assert "Neunzig" in read_words(read(house, NOTE)), "in a language that Studio's form does not offer"


def test_a_correction_of_no_story_that_was_sent_is_not_there(house: House) -> None:
    assert house.ask("POST", f"/corrections/{SLUG}/nothing/1/edit", Role.author, form=FORM).status == 404
    assert house.ask("POST", f"/corrections/{SLUG}/teachers/0/edit", Role.author, form=FORM).status == 404


def test_the_form_leads_back_to_what_was_written_before(house: House) -> None:
    # A browser that goes back to it shows it empty.
    form = f"{NEW}?edition={SLUG}&story=teachers"
    assert NOTE not in read(house, form)
    write(house)
    page = read(house, form)
    assert f'href="/studio{NOTE}" lang="en">{RIGHT}</a>' in page
    refused = house.ask("POST", NEW, Role.author, form={**FORM, "right-en": ""}).body.decode()
    assert f'action="/studio{form.replace("&", "&amp;")}"' in refused, "the address leads to the form again"


def test_a_correction_can_be_thrown_away_before_a_campaign_begins(house: House) -> None:
    write(house)
    assert house.ask("POST", f"{NOTE}/discard", Role.author).status == 303
    assert house.ask("GET", NOTE, Role.author).status == 404
    assert list_acts(house)[-1] == Act.discarded_correction
    with house.unchanged("acts on what was thrown away, by a second click or a colleague"):
        for act in ("discard", "prepare"):
            answer = house.ask("POST", f"{NOTE}/{act}", Role.author)
            assert answer.headers["location"].startswith(f"/studio{NEW}?edition={SLUG}&story=teachers"), act
            assert "notice=correction-discarded" in answer.headers["location"]


def test_a_note_with_errors_is_shown_with_them_and_becomes_no_campaign(house: House) -> None:
    write(house)
    file = house.studio.workspace.root / "corrections" / SLUG / "teachers" / "1.md"
    file.write_text("---\nwas: x\nis: y\nwhen: never\n---\n", encoding="utf-8")
    page = read(house, NOTE)
    assert "What the checks say" in read_words(page)
    assert "/prepare" not in page
    assert house.ask("POST", f"{NOTE}/prepare", Role.author).status == 422
    assert house.ask("GET", f"{NOTE}/mail/en", Role.author).status == 404


def test_a_correction_that_cannot_be_saved_says_so_and_keeps_the_words(house: House) -> None:
    blocked = house.studio.workspace.root / "corrections"
    for folder in sorted(blocked.rglob("*"), reverse=True):
        folder.rmdir()
    blocked.rmdir() if blocked.is_dir() else None
    blocked.write_bytes(b"")
    try:
        answer = house.ask("POST", NEW, Role.author, form=FORM)
    finally:
        blocked.unlink()
    assert answer.status == 422
    assert "could not be saved" in read_words(answer.body.decode())
    assert 'value="Sixty teachers met"' in answer.body.decode()


def test_the_report_leads_to_the_correction_of_a_story(house: House) -> None:
    report = f"/campaigns/{find_sent(house)}/report"
    page = read(house, report)
    assert f'href="/studio/corrections/new?edition={SLUG}"' in page
    assert "/corrections/new" not in read(house, report, Role.guest)
    assert "/corrections/new" in read(house, f"/editions/{SLUG}/stories/teachers")
    assert "/corrections/new" not in read(house, f"/editions/{SLUG}/stories/teachers", Role.guest)
    assert "/corrections/new" not in read(house, "/editions/2025-4/stories/only-here")


def test_the_campaign_of_a_correction_has_the_pages_of_every_campaign(house: House) -> None:
    write(house)
    root = f"/campaigns/{prepare(house)}"
    pages = ("", "/launch/check", "/launch", "/approval", "/report")
    routes = {route.path for route in ROUTES}
    for path in pages:
        if f"/campaigns/{{campaign}}{path}" in routes:
            answer = house.ask("GET", f"{root}{path}", Role.manager)
            assert answer.status == 200, f"{path}: {answer.status}"


def test_a_correction_is_approved_as_an_edition_is(house: House) -> None:
    write(house)
    number = prepare(house)
    path = f"/campaigns/{number}/approval"
    assert "Ask for approval" in read_words(read(house, path))
    asked = house.ask("POST", path, Role.author, form={"note": "We were wrong."})
    assert asked.headers["location"].endswith("notice=approval-asked")
    page = read(house, path, Role.approver)
    form = dict(re.findall(r'name="(round|seen)" value="(\w+)"', page))
    assert "1 version" in read_words(page) or "Version 1" in read_words(page)
    answer = house.ask("POST", f"{path}/answer", Role.approver, form={**form, "verdict": "approved"})
    assert answer.headers["location"].endswith("notice=approval-complete"), read_words(answer.body.decode())
    with Session(house.studio.engine) as session:
        assert find_campaign(session, number).state is CampaignState.approved
    approved = read_words(read(house, path))
    assert "Approved" in approved
    assert "has changed since" not in approved
