"""The doctor in Studio: nothing is looked at when the page is opened, and what was found is kept."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.database.team_models import ActivityRecord, Role
from mailer.doctor import diagnose_workspace
from mailer.doctor.diagnosis import FILE_NAME, find_bad, find_good, keep_diagnosis, read_diagnosis
from mailer.web.dependencies import utc_now
from tests.doctor.said_findings import find_english
from tests.web.report_pages.test_campaign_page import read_words
from tests.web.studio.house import House, open_house

RECORD = '_dmarc.example.org. IN TXT "v=DMARC1; p=none; " "rua=mailto:dmarc@example.org"'
BAD = find_bad("dmarc", "dmarc-missing", "there is no <b>record</b>. Publish this `record`.", record=RECORD)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        yield house


@pytest.fixture
def house(opened: House) -> Iterator[House]:
    yield opened
    (opened.studio.workspace.root / FILE_NAME).unlink(missing_ok=True)


def read(house: House, path: str = "/doctor") -> str:
    answer = house.ask("GET", path, Role.manager)
    assert answer.status == 200
    return answer.body.decode()


def test_opening_the_page_looks_at_nothing(house: House) -> None:
    with house.unchanged("opening the doctor"):
        assert "The doctor has not looked yet." in read_words(read(house))
    assert house.studio.workspace.root.joinpath(FILE_NAME).exists() is False


def test_the_doctor_looks_beside_the_pages_and_keeps_what_it_found(house: House) -> None:
    for _ in range(2):
        assert house.ask("POST", "/doctor", Role.manager).status == 303
    deadline = time.monotonic() + 60
    while "The doctor looks, since" in (page := read_words(read(house))):
        assert "What it finds then appears here." in page
        assert "Look now" not in page, "a second click would do nothing"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # What htmx asks for meanwhile has the button, too: the page is then as if it had been loaded again.
    fragment = house.ask("GET", "/doctor", Role.manager, hx_request="true").body.decode()
    assert "<html" not in fragment
    assert "Look again" in read_words(fragment)
    assert "Found" in page
    assert "Bad: mend this before you send" in page
    kept = read_diagnosis(house.studio.workspace)
    assert kept is not None
    assert {"sender", "relay"} & {one.subject for one in kept.findings}
    assert house.studio.workspace.root.joinpath(FILE_NAME).stat().st_mode & 0o777 == 0o600
    with Session(house.studio.engine) as session:
        acts = session.exec(select(ActivityRecord.act)).all()
    assert 1 <= acts.count(Act.asked_doctor) <= 2


def test_a_finding_is_shown_with_what_to_do_and_the_record_to_copy(house: House) -> None:
    keep_diagnosis(house.studio.workspace, [find_good("spf", "all is well"), BAD], now=utc_now())
    page = read(house)
    words = read_words(page)
    assert words.index("There is no <b>record</b>.") < words.index("All is well")
    assert "<code>record</code>" in page
    assert "<code>v=DMARC1; p=none; rua=mailto:dmarc@example.org</code>" in page
    assert "<code>_dmarc.example.org</code>" in page
    assert "What it means, and what to do" in words
    assert "1 thing to mend before you send" in read_words(read(house, "/"))


def test_what_the_doctor_found_is_read_in_french(house: House) -> None:
    workspace = house.studio.workspace
    keep_diagnosis(workspace, diagnose_workspace(workspace), now=utc_now())
    page = read_in_french(house)
    assert "Mauvais" in read_words(page)
    assert 'lang="en"' not in page
    assert find_english(leave_code(page)) == []
    keep_diagnosis(
        workspace, [find_bad("relay", "relay-login", "the relay is asleep. Wake it.")], now=utc_now()
    )
    page = read_in_french(house)
    assert '<p lang="en">The relay is asleep. Wake it.</p>' in page
    assert find_english(leave_code(page)) == ["The", "is", "it"]


def read_in_french(house: House) -> str:
    answer = house.ask("GET", "/doctor", Role.manager, accept_language="fr")
    assert answer.headers["content-language"] == "fr"
    return answer.body.decode()


def leave_code(page: str) -> str:
    """The words of the findings, without commands and records, which no language changes."""
    findings = page[page.index('id="findings"') : page.index("</main>")]
    return read_words(re.sub(r"<code>.*?</code>", "", findings, flags=re.DOTALL))


def test_a_result_that_cannot_be_read_is_as_if_nobody_had_looked(house: House) -> None:
    file = house.studio.workspace.root / FILE_NAME
    for text in (b"", b"[]", b"{}", b'{"looked_at": "2026-01-01", "findings": []}', b"\xff"):
        file.write_bytes(text)
        assert "The doctor has not looked yet." in read_words(read(house))
        assert read(house, "/")


def test_the_page_follows_a_look_by_itself(house: House, browser: Browser) -> None:
    cookie = house.cookies[Role.manager].partition("=")[2]
    with browser.new_context() as context:
        context.add_cookies([{"name": "studio", "value": cookie, "url": house.studio.url}])
        page = context.new_page()
        page.goto(f"{house.studio.url}/doctor")
        page.get_by_role("button", name="Look now").click()
        expect(page.get_by_role("button", name="Look again")).to_be_visible(timeout=60_000)
        expect(page.locator("#findings")).to_contain_text("Bad: mend this before you send")


def test_a_record_is_selected_by_a_click_and_copied_by_a_button(house: House, browser: Browser) -> None:
    keep_diagnosis(house.studio.workspace, [BAD], now=utc_now())
    cookie = house.cookies[Role.manager].partition("=")[2]
    with browser.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        context.add_cookies([{"name": "studio", "value": cookie, "url": house.studio.url}])
        page = context.new_page()
        page.goto(f"{house.studio.url}/doctor")
        page.get_by_role("button", name="Copy: Value").click()
        expect(page.get_by_role("button", name="Copy: Value")).to_have_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == "v=DMARC1; p=none; rua=mailto:dmarc@example.org"
        page.locator(".record code").first.click()
        assert page.evaluate("getSelection().toString()") == "_dmarc.example.org"
