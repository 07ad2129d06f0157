"""The details of an edition: changed key by key, beside whoever else changes them."""

import html
import re

from playwright.sync_api import Browser, expect

from editions.changes.front_matter_change import read_fields
from mailer.database.team_models import Role
from tests.factories.draft_edition import Draft
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient

PATH = "/editions/2026-1/details"


def read_form(page: str) -> dict[str, str]:
    """The fields of the form as a browser would send them unchanged."""
    main = page.partition('action="/studio/editions/2026-1/details"')[2]
    fields = dict(re.findall(r'<input type="\w+"[^>]* name="([^"]+)" value="([^"]*)"', main))
    fields |= re.findall(r'<textarea id="[^"]+" name="([^"]+)"[^>]*>([^<]*)</textarea>', main)
    for name, options in re.findall(r'<select id="\w+" name="(\w+)">(.*?)</select>', main, re.DOTALL):
        fields[name] = re.findall(r"<option selected>(\w+)", options)[0]
    for name, value in re.findall(r'type="radio" name="(\w+)" value="(\w+)" checked', main):
        fields[name] = value
    return {name: html.unescape(value) for name, value in fields.items()}


def read_text(draft: Draft) -> str:
    return (draft.folder / "edition.md").read_text(encoding="utf-8")


def test_only_the_changed_keys_are_written(draft: Draft, author: StudioClient) -> None:
    before = read_text(draft)
    form = read_form(author.get(PATH).text)
    answer = author.post(
        PATH, {**form, "subject": "Wells: a year", "introductions.culture": "One\r\n\r\nTwo"}
    )
    assert answer.headers["location"] == "/studio/editions/2026-1?notice=details-saved"
    expected = before.replace("subject: What we did this autumn", 'subject: "Wells: a year"').replace(
        "  titles: [Director, Representative]\n",
        "  titles: [Director, Representative]\nintroductions:\n  culture: |-\n    One\n\n    Two\n",
    )
    assert read_text(draft) == expected


def test_a_form_that_changes_nothing_writes_nothing(draft: Draft, author: StudioClient) -> None:
    draft.change(
        "edition.md", "language: en", "language: en\nfollow:\n- {name: X, handle: Y}\nchecks: {long-alt: so}"
    )
    before, stamp = read_text(draft), (draft.folder / "edition.md").stat().st_ino
    assert author.post(PATH, read_form(author.get(PATH).text)).status == 303
    assert (read_text(draft), (draft.folder / "edition.md").stat().st_ino) == (before, stamp)


def test_accounts_checks_and_authors_are_lists(draft: Draft, author: StudioClient) -> None:
    form = read_form(author.get(PATH).text)
    row = {
        "follow-0-name": "WeChat",
        "follow-0-handle": "@water",
        "checks-0-code": "long-alt",
        "checks-0-reason": "they are",
    }
    author.post(PATH, {**form, **row, "authors": "Ann\nMei \n\n", "form": "digest", "personalise": "order"})
    values = read_fields(read_text(draft))
    assert values["follow"] == [{"name": "WeChat", "handle": "@water"}]
    assert (values["checks"], values["authors"]) == ({"long-alt": "they are"}, ["Ann", "Mei"])
    assert (values["form"], values["personalise"]) == ("digest", "order")
    form = read_form(author.get(PATH).text)
    author.post(
        PATH, {**form, "follow-0-name": "", "follow-0-handle": "", "checks-0-reason": "", "checks-0-code": ""}
    )
    values = read_fields(read_text(draft))
    assert not {"follow", "checks"} & set(values)


def test_what_cannot_be_right_is_refused_and_stays_on_the_page(draft: Draft, author: StudioClient) -> None:
    before = read_text(draft)
    form = read_form(author.get(PATH).text)
    wrong = {
        "date": "31.12.2026",
        "language": "klingon",
        "checks-0-code": "long-alt",
        "title": "<b>Typed</b>",
    }
    refused = author.post(PATH, {**form, **wrong})
    assert refused.status == 422
    assert [f'<a href="#{name}">' in refused.text for name in ("date", "language", "checks-0-reason")] == [
        True
    ] * 3
    assert 'value="31.12.2026"' in refused.text
    assert "&lt;b&gt;Typed&lt;/b&gt;" in refused.text
    assert "<b>Typed" not in refused.text
    assert read_text(draft) == before


def test_somebody_else_s_change_of_another_key_stays(draft: Draft, author: StudioClient) -> None:
    form = read_form(author.get(PATH).text)
    draft.change("edition.md", "number: 2021-2", "number: 2026-7  # from git")
    assert author.post(PATH, {**form, "subject": "Mine"}).status == 303
    assert "number: 2026-7  # from git\n" in read_text(draft)
    assert "subject: Mine\n" in read_text(draft)


def test_two_who_change_the_same_key_see_both_before_one_is_kept(draft: Draft, author: StudioClient) -> None:
    form = read_form(author.get(PATH).text)
    draft.change("edition.md", "What we did this autumn", "Theirs")
    refused = author.post(PATH, {**form, "subject": "Mine", "title": "My title"})
    assert refused.status == 409
    assert "Somebody else has changed this meanwhile, to “Theirs”." in refused.text
    assert "subject: Theirs\n" in read_text(draft)
    again = read_form(refused.text)
    assert (again["subject"], again["title"]) == ("Mine", "My title")
    assert author.post(PATH, again).status == 303
    assert "subject: Mine\n" in read_text(draft)
    assert "title: My title\n" in read_text(draft)


def test_what_one_has_changed_in_another_tab_is_said_to_be_one_s_own(
    studio: Studio, draft: Draft, author: StudioClient
) -> None:
    form = read_form(author.get(PATH).text)
    assert author.post(PATH, {**form, "subject": "First"}).status == 303
    other = StudioClient(studio, Role.manager)
    assert other.post(PATH, {**read_form(other.get(PATH).text), "number": "5"}).status == 303
    refused = author.post(PATH, {**form, "subject": "Second", "number": "6"})
    assert refused.status == 409
    assert "You have changed this in another tab, to “First”." in refused.text
    assert "Somebody else has changed this meanwhile, to “5”." in refused.text
    again = read_form(refused.text)
    assert (again["subject"], again["number"]) == ("Second", "6")
    draft.change("edition.md", "subject: First", "subject: By hand")
    refused = author.post(PATH, again)
    assert "Somebody else has changed this meanwhile, to “By hand”." in refused.text


def test_front_matter_that_cannot_be_read_is_left_alone_and_explained(
    draft: Draft, author: StudioClient
) -> None:
    form = read_form(author.get(PATH).text)
    draft.change("edition.md", "number: 2021-2", "number: [")
    before = read_text(draft)
    assert author.get(PATH).status == 409
    refused = author.post(PATH, {**form, "subject": "Typed"})
    assert refused.status == 409
    assert "not valid YAML" in refused.text
    assert 'value="Typed"' in refused.text
    assert read_text(draft) == before


def test_a_file_that_cannot_be_written_keeps_the_form(draft: Draft, author: StudioClient) -> None:
    form = read_form(author.get(PATH).text)
    (draft.folder / "edition.md").chmod(0o444)
    refused = author.post(PATH, {**form, "subject": "Typed"})
    assert refused.status == 409
    assert "the file is read-only" in refused.text
    assert 'value="Typed"' in refused.text


def test_a_form_has_no_other_fields_than_the_page_gave_it(draft: Draft, author: StudioClient) -> None:
    before = read_text(draft)
    form = read_form(author.get(PATH).text)
    assert author.post(PATH, {**form, "letter": "x", "introductions": "y", "letter.title": "z"}).status == 303
    assert author.post(PATH, {}).status == 303
    assert read_text(draft) == before


def test_guests_do_not_see_the_form(studio: Studio, draft: Draft) -> None:
    guest = StudioClient(studio, Role.guest)
    assert (guest.get(PATH).status, guest.post(PATH, {}).status) == (403, 403)


def test_details_are_saved_by_keyboard(studio: Studio, draft: Draft, browser: Browser) -> None:
    with studio.browse(browser, studio.add_member()) as page:
        page.goto(f"{studio.url}/editions/2026-1")
        page.get_by_role("link", name="Change details").press("Enter")
        page.get_by_label("Subject").fill("Typed")
        page.keyboard.press("Control+s")
        expect(page.get_by_role("status").first).to_have_text("The details are saved.")
        expect(page.locator(".facts")).to_contain_text("Typed")
