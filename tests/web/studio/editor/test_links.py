"""Links in the story editor: the form below the toolbar."""

from playwright.sync_api import Browser, expect

from editions.rich_text.document import read_document
from tests.web.studio.editor.story_form import StoryForm

ADDRESS = "Address of the web page or email address"


TYPED = {
    "https://www.example.org/a?b=1": "https://www.example.org/a?b=1",
    "www.example.org/über uns": "https://www.example.org/%C3%BCber%20uns",
    " example.org ": "https://example.org",
    "ann@example.org": "mailto:ann@example.org",
    "mailto:ann@example.org": "mailto:ann@example.org",
    "//example.org/a": "https://example.org/a",
}
REFUSED = ("javascript:alert(1)", "data:text/html,x", "https://", "somewhere", "/relative", "")


def test_what_people_type_becomes_the_address_they_mean(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser) as at:
        for typed, href in TYPED.items():
            at.begin("Read this now.\n")
            at.select("this")
            at.page.keyboard.press("Control+k")
            expect(at.page.get_by_label(ADDRESS)).to_be_focused()
            at.page.keyboard.type(typed)
            at.page.keyboard.press("Enter")
            expect(at.text).to_be_focused()
            assert at.markdown == f"Read [this]({href}) now.\n"
    assert story.saved == []


def test_what_mail_cannot_have_is_refused_in_words(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, read_document("Read this now.\n")) as at:
        for typed in REFUSED:
            at.select("this")
            at.button("Link").click()
            at.page.get_by_label(ADDRESS).fill(typed)
            at.page.get_by_role("button", name="Apply link").click()
            expect(at.page.get_by_role("alert")).to_contain_text("such as www.example.org")
            expect(at.page.get_by_label(ADDRESS)).to_be_focused()
            at.page.get_by_role("button", name="Cancel").click()
            assert at.markdown == "Read this now.\n"


def test_a_link_is_changed_as_a_whole_and_keeps_its_title(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, read_document('A [long **bold** link](https://a.example.org "Title").\n')) as at:
        at.place("bold", 2)
        expect(at.button("Link")).to_have_attribute("aria-pressed", "true")
        at.page.keyboard.press("Control+k")
        expect(at.page.get_by_label(ADDRESS)).to_have_value("https://a.example.org")
        at.page.keyboard.type("https://b.example.org/")
        at.page.keyboard.press("Enter")
        assert at.markdown == 'A [long **bold** link](https://b.example.org/ "Title").\n'


def test_a_link_is_removed_and_its_words_stay(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, read_document("A [link](https://a.example.org).\n")) as at:
        at.place("link", 2)
        at.button("Link").click()
        at.page.get_by_role("button", name="Remove link").click()
        assert at.markdown == "A link.\n"
        at.button("Link").click()
        expect(at.page.get_by_role("button", name="Remove link")).to_be_hidden()


def test_a_link_without_a_selection_asks_for_its_words(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, read_document("Read \n")) as at:
        at.place("Read", 4)
        at.page.keyboard.type(" ")
        at.page.keyboard.press("Control+k")
        at.page.get_by_label("Words to show").fill("the report")
        at.page.get_by_label(ADDRESS).fill("www.example.org")
        at.page.keyboard.press("Enter")
        at.page.keyboard.type(" now")
        assert at.markdown == "Read [the report](https://www.example.org) now\n"


def test_escape_leaves_everything_as_it_was(story: StoryForm, browser: Browser) -> None:
    with story.edit(browser, read_document("Read this now.\n")) as at:
        at.select("this")
        at.page.keyboard.press("Control+k")
        expect(at.text.locator(".selected")).to_have_text("this")
        at.page.keyboard.type("https://www.example.org")
        at.page.keyboard.press("Escape")
        expect(at.page.get_by_label(ADDRESS)).to_be_hidden()
        expect(at.text.locator(".selected")).to_have_count(0)
        at.page.keyboard.type("that")
        assert at.markdown == "Read that now.\n"


def test_a_link_of_the_markdown_that_could_run_is_no_link_of_the_page(
    story: StoryForm, browser: Browser
) -> None:
    document = read_document("A [link](https://a.example.org).\n")
    document["content"][0]["content"][1]["marks"][0]["attrs"]["href"] = "java\tscript:alert(1)"
    with story.edit(browser, document) as at:
        expect(at.text.locator("a")).not_to_have_attribute("href", "java\tscript:alert(1)")
        assert at.document == document
