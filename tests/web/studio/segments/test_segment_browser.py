"""Segments in a browser: words and filters follow each other, arrow keys move in the heat map."""

import re

from playwright.sync_api import Browser, Route, expect

from tests.web.studio.segments.conftest import Office


def test_line_and_filters_follow_each_other_and_are_saved(office: Office, browser: Browser) -> None:
    with office.studio.browse(browser, office.member) as page:
        page.goto(f"{office.studio.url}/segments")
        page.get_by_role("link", name="New segment").click()
        page.get_by_label("Education").check()
        expect(page.get_by_label("Query")).to_have_value("sector:education")
        expect(page.locator("#q-words")).to_have_text("Partners who follow Education.")
        page.get_by_label("Other countries").or_(page.get_by_label("Countries", exact=True)).fill("Mongolia")
        page.get_by_label("Other countries").or_(page.get_by_label("Countries", exact=True)).blur()
        expect(page.get_by_label("Query")).to_have_value("country:MN sector:education")
        page.get_by_label("Query").fill("country:MN sector:culture")
        expect(page.locator("#q-words")).to_have_text("Partners in Mongolia who follow Culture.")
        expect(page.get_by_label("Culture")).to_be_checked()
        expect(page.get_by_label("Education")).not_to_be_checked()
        expect(page.get_by_label("Query")).to_be_focused()
        page.get_by_label("Query").press_sequentially(" tga:x")
        expect(page.locator("#q-words")).to_contain_text("There is no key")
        page.get_by_label("Query").fill("country:MN sector:culture")
        expect(page.locator("#q-words")).to_have_text("Partners in Mongolia who follow Culture.")
        page.get_by_label("Name", exact=True).fill("steppe-culture")
        page.get_by_role("button", name="Save segment").click()
        expect(page.get_by_role("status")).to_have_text("The segment is saved.")
        expect(page.get_by_role("heading", level=1)).to_have_text("steppe-culture")
    assert office.list_saved() == {"steppe-culture": "country:MN sector:culture"}
    office.ann.post("/segments/steppe-culture/delete")


def test_the_number_follows_the_boxes_and_no_late_answer_replaces_a_newer_one(
    office: Office, browser: Browser
) -> None:
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    with office.studio.browse(browser, office.member) as page:
        page.goto(f"{office.studio.url}/segments/new")
        page.route("**/segments/words*", hold_first)
        form, count, numbers = (
            page.locator("main form[method=post]"),
            page.locator("#q-count"),
            page.locator("#numbers"),
        )
        with page.expect_request("**/segments/words*"):
            page.get_by_label("Natural Sciences").check()
        expect(form).to_have_class("old")
        page.get_by_label("Culture").check()
        expect(count).to_contain_text("5 partners")
        expect(form).not_to_have_class("old")
        for route in held:
            route.continue_()
        expect(page.get_by_role("table", name="By country and sector")).to_be_visible()
        expect(numbers).to_contain_text("Partners who follow Natural Sciences or Culture.")
        expect(count).to_contain_text("5 partners")
        expect(page.get_by_label("Query")).to_have_value("sector:sciences,culture")
        # What is no query has no number.
        page.get_by_label("Query").fill("contry:MN")
        expect(count).to_have_text("")
        expect(numbers).to_have_text(re.compile(r"^\s*$"))


def test_without_script_a_segment_is_chosen_with_boxes_and_saved(office: Office, browser: Browser) -> None:
    with office.studio.browse(browser, office.member, java_script_enabled=False) as page:
        page.goto(f"{office.studio.url}/segments/new")
        page.get_by_label("Education").check()
        page.get_by_label("中文").check()
        page.get_by_role("button", name="Show the numbers").click()
        expect(page.get_by_label("Query")).to_have_value("sector:education language:zh")
        page.get_by_label("Name", exact=True).fill("readers-of-chinese")
        page.get_by_role("button", name="Save segment").click()
        expect(page.get_by_role("status")).to_have_text("The segment is saved.")
    assert office.list_saved() == {"readers-of-chinese": "sector:education language:zh"}
    office.ann.post("/segments/readers-of-chinese/delete")


def test_numbers_that_come_late_fill_the_page_and_keys_move_in_them(office: Office, browser: Browser) -> None:
    with office.studio.browse(browser, office.member) as page:
        page.goto(f"{office.studio.url}/segments/query?q=status:active")
        heat_map = page.get_by_role("table", name="By country and sector")
        expect(heat_map).to_be_visible()
        expect(page.locator("#numbers[hx-get]")).to_have_count(0)
        expect(page.locator("#map-words time[data-local]")).to_have_count(0)
        # One stop of the Tab key, from which arrow keys go to the next number that leads somewhere.
        expect(heat_map.locator("a[tabindex='0']")).to_have_count(1)
        heat_map.get_by_role("link").first.focus()
        for key, place in (
            ("ArrowRight", "#cell-MN-3"),
            ("ArrowRight", "#cell-MN-all"),
            ("ArrowDown", "#cell-CN-all"),
            ("ArrowLeft", "#cell-CN-2"),
            ("ArrowUp", "#cell-CN-2"),
            ("End", "#cell-CN-all"),
            ("Home", "#cell-CN-2"),
        ):
            page.keyboard.press(key)
            expect(page.locator(place)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Partners")
        expect(page.get_by_text("3 partners at")).to_be_visible()
