"""Segments in Studio: written or chosen, saved, changed, renamed, deleted, and where each is used."""

import re
from html import unescape
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from sqlalchemy import text

from tests.web.site import HttpResponse
from tests.web.studio.segments.conftest import Office


def read(answer: HttpResponse) -> str:
    """The words of a page."""
    return read_text(answer.text)


def read_text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def read_line(answer: HttpResponse) -> str:
    """The query line of a page."""
    found = re.search(r'<input [^>]*id="q"[^>]* value="([^"]*)"', answer.text)
    assert found, "no query line"
    return unescape(found[1])


def show(office: Office, query: str, **given: str) -> HttpResponse:
    """The page of a query, when everything on it is counted."""
    while True:
        page = office.ann.get(f"/segments/query?{urlencode({'q': query, **given})}")
        if "counting…" not in page.text:
            return page


def list_chosen(answer: HttpResponse) -> set[tuple[str, str]]:
    """The boxes that are ticked."""
    boxes = re.findall(r'<input type="checkbox" name="(\w+)" value="([^"]*)" checked', answer.text)
    return {(name, unescape(value)) for name, value in boxes}


def query_of(location: str) -> str:
    return parse_qs(urlsplit(location).query)["q"][0]


def test_a_query_is_shown_in_words_and_as_filters(office: Office) -> None:
    page = show(office, "country:MN sector:education,culture -tag:press")
    assert page.status == 200
    assert "Partners in Mongolia who follow Education or Culture and who are not tagged “press”." in read(
        page
    )
    assert list_chosen(page) == {("country", "MN"), ("sector", "education"), ("sector", "culture")}
    assert 'name="others" value="-tag:press"' in page.text
    assert "7 partners at" in read(page)
    assert "7 of them would get mail today." in read(page)


def test_filters_that_were_chosen_become_the_query(office: Office) -> None:
    chosen = [
        *[("q", "country:MN tag:press"), ("was", "country:MN tag:press"), ("filters", "1")],
        *[("country", "CN"), ("country", "MN"), ("other_countries", "Japan, kr"), ("sector", "education")],
        *[("language", "zh"), ("status", "active"), ("tag", "press"), ("other_tags", "a b"), ("org", "x")],
        ("others", "joined:>2024 or tag:y"),
    ]
    answer = office.ann.get(f"/segments/query?{urlencode(chosen)}")
    assert answer.status == 303
    assert query_of(answer.headers["location"]) == (
        'status:active country:MN,CN,JP,KR sector:education language:zh tag:press,"a b" org:x '
        "(joined:>2024 or tag:y)"
    )


def test_the_line_decides_if_only_the_line_was_changed(office: Office) -> None:
    given = [("q", "tag:press"), ("was", "country:MN"), ("filters", "1"), ("country", "MN")]
    answer = office.ann.get(f"/segments/query?{urlencode(given)}")
    assert query_of(answer.headers["location"]) == "tag:press"


def test_if_both_were_changed_neither_is_lost_without_a_word(office: Office) -> None:
    given = [("q", "tag:press"), ("was", "country:MN"), ("filters", "1"), ("country", "CN")]
    page = office.ann.get(f"/segments/query?{urlencode(given)}")
    assert page.status == 422
    assert "The query and the filters were both changed." in read(page)
    assert read_line(page) == "tag:press"


def test_a_country_that_does_not_exist_is_asked_about(office: Office) -> None:
    given = [("q", ""), ("was", ""), ("filters", "1"), ("other_countries", "Mongolei, Atlantis")]
    page = office.ann.get(f"/segments/query?{urlencode(given)}")
    assert page.status == 422
    assert "Atlantis" in read(page)
    assert 'href="#other_countries"' in page.text


@pytest.mark.parametrize("path", ["/segments/query", "/segments/new"])
def test_a_mistake_is_shown_with_its_place(office: Office, path: str) -> None:
    page = office.ann.get(f"{path}?{urlencode({'q': 'country:MN sectr:education'})}")
    assert page.status == 422
    assert "There is no key" in read(page)
    assert "country:MN sectr:education\n           ^</pre>" in page.text
    assert "The filters are shown when the query is understood." in read(page)
    assert 'aria-invalid="true"' in page.text


def test_words_follow_while_one_writes(office: Office) -> None:
    given = [("q", "country:MN"), ("was", "country:CN"), ("filters", "1"), ("country", "CN")]
    answer = office.ann.get(f"/segments/words?{urlencode(given)}", hx_request="true")
    assert answer.text.lstrip().startswith("<p>Partners in Mongolia.</p>")
    # The filters follow the line.
    assert list_chosen(answer) == {("country", "MN")}
    assert 'id="filters" hx-swap-oob' in answer.text


def test_the_line_follows_a_box(office: Office) -> None:
    given = [("q", "country:CN"), ("was", "country:CN"), ("filters", "1"), ("sector", "culture")]
    answer = office.ann.get(f"/segments/words?{urlencode(given)}", hx_request="true")
    assert read_line(answer) == "sector:culture"
    assert 'id="filters"' not in answer.text


def test_a_second_box_counts_though_the_answer_to_the_first_is_on_its_way(office: Office) -> None:
    chosen = [("filters", "1"), ("country", "CN"), ("sector", "culture"), ("changed", "filters")]
    given = [("q", "country:CN"), ("was", ""), *chosen]
    answer = office.ann.get(f"/segments/words?{urlencode(given)}", hx_request="true")
    assert read_line(answer) == "country:CN sector:culture"
    given[-1] = ("changed", "line")
    answer = office.ann.get(f"/segments/words?{urlencode(given)}", hx_request="true")
    assert answer.text.lstrip().startswith("<p>Partners in China.</p>")


def test_the_number_follows_while_one_chooses(office: Office) -> None:
    given = [("q", "country:CN"), ("was", "country:CN"), ("filters", "1"), ("sector", "culture")]
    show(office, "sector:culture")
    path = f"/segments/words?{urlencode([*given, ('numbers', '1'), ('compare', 'edition:2025-4')])}"
    answer = office.ann.get(path, hx_request="true")
    count = answer.text.partition('<p id="q-count"')[2].partition("</p>")[0]
    assert "hx-swap-oob" in count
    assert "2 partners" in count
    # The numbers of the query before are gone, and those of this one are asked for.
    numbers = answer.text.partition('<div id="numbers"')[2].partition(">")[0]
    assert "hx-swap-oob" in numbers
    asked = urlencode({"q": "sector:culture", "compare": "edition:2025-4"}, quote_via=quote)
    assert f'hx-get="/studio/segments/numbers?{asked}"' in unescape(numbers)
    assert "hx-sync" in answer.text, "a late answer does not take the place of a newer one"
    del given[-1]
    other = office.ann.get(f"/segments/words?{urlencode(given)}", hx_request="true").text
    assert 'id="numbers"' not in other, "a page that has none"


@pytest.mark.parametrize(
    "given", [{"q": "contry:MN"}, {"q": "", "was": "", "filters": "1", "other_countries": "Atlantis"}]
)
def test_what_is_not_understood_has_no_number(office: Office, given: dict[str, str]) -> None:
    answer = office.ann.get(f"/segments/words?{urlencode({**given, 'numbers': '1'})}", hx_request="true")
    assert answer.text.partition('<p id="q-count"')[2].partition(">")[2].startswith("</p>")
    assert "/segments/numbers" not in answer.text


def test_a_number_says_for_what_it_is(office: Office) -> None:
    page = show(office, "country:MN sector:education").text
    numbers = page.partition('<div id="numbers"')[2]
    assert "How many Partners in Mongolia who follow Education. 8 partners at" in read_text(numbers)
    assert "8 partners at" in read_text(page.partition('<p id="q-count"')[2].partition("</p>")[0])


def test_how_partners_came_is_a_filter(office: Office) -> None:
    given = [("q", ""), ("was", ""), ("filters", "1"), ("source", "import"), ("source", "subscribed")]
    answer = office.ann.get(f"/segments/query?{urlencode(given)}")
    assert query_of(answer.headers["location"]) == "consent:import,subscribed"
    page = office.ann.get("/segments/query?q=consent:import,import-77")
    assert list_chosen(page) == {("source", "import"), ("source", "import-77")}


def test_an_edition_that_was_sent_is_compared_with(office: Office) -> None:
    page = read(show(office, "country:MN"))
    assert "4 partners got it, and 8 are in the segment now; 4 are in both." in page
    assert "New: 4" in page
    assert "Gone: 0 Nobody." in page
    assert "12 partners got it" in read(show(office, "country:MN", compare="edition:2025-4"))
    # What was never sent is no choice.
    assert "4 partners got it" in read(show(office, "country:MN", compare="edition:nothing"))


def test_the_heat_map_has_the_numbers_and_their_grounds(office: Office) -> None:
    page = show(office, "all")
    table = page.text.partition('<table class="heat')[2].partition("</table>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in table.split("<tr>")[1:]]
    words = [[" ".join(re.sub(r"<[^>]+>|&nbsp;", " ", cell).split()) for cell in row] for row in rows]
    assert words == [
        ["Country", "Education", "Natural Sciences", "Culture", "No sector", "All"],
        ["Mongolia", "8", "0", "2", "0", "8"],
        ["China", "0", "3", "0", "0", "3"],
        ["Unknown", "0", "0", "0", "1", "1"],
        ["All", "8", "3", "2", "1", "12"],
    ]
    assert re.findall(r"step-(\d)", table) == ["5", "0", "3", "0", "0", "4", "0", "0", "0", "0", "0", "2"]


def test_each_number_leads_to_its_partners(office: Office) -> None:
    table = show(office, "country:MN or country:CN").text.partition('<table class="heat')[2]
    found = re.findall(r'id="(cell-[^"]+)" href="/studio(/partners[^"]+)">(\d+)<', table)
    numbers = {cell: (unescape(path), int(number)) for cell, path, number in found}
    path, number = numbers["cell-MN-1"]
    assert parse_qs(urlsplit(path).query)["query"] == [
        "(country:MN or country:CN) country:MN sector:education status:active"
    ]
    for path, number in numbers.values():
        assert office.ann.get(path).text.count('<a href="/studio/partners/') >= number


def test_whoever_left_is_shown_to_whom_asks_for_them(office: Office) -> None:
    page = read(show(office, "status:unsubscribed"))
    assert "1 partner at" in page
    assert "0 of them would get mail today." in page
    assert "Partners, counted at" in page


def test_nobody_is_said_to_be_in_an_empty_segment(office: Office) -> None:
    assert "Nobody is in it." in read(show(office, "tag:nobody"))


def test_examples_are_named(office: Office) -> None:
    page = read(show(office, "country:CN"))
    assert "Person 8 person8@example.org" in page
    assert "Person 9 , Ministry of Education person9@example.org" in page


def test_a_segment_is_saved_changed_renamed_and_deleted(office: Office) -> None:
    before = len(office.list_acts())
    saved = office.ann.post("/segments", {"q": "country:MN", "name": "Mongolia"})
    assert saved.status == 303
    assert saved.headers["location"] == "/studio/segments/mongolia?notice=segment-saved"
    changed = office.ann.post("/segments/mongolia", {"q": "country:MN,CN ", "before": "country:MN"})
    assert changed.status == 303
    renamed = office.ann.post("/segments/mongolia/rename", {"new_name": "蒙古"})
    assert renamed.headers["location"] == f"/studio/segments/{quote('蒙古')}?notice=segment-renamed"
    page = office.ann.get(f"/segments/{quote('蒙古')}")
    assert (read_line(page), "Nowhere yet." in read(page)) == ("country:MN,CN", True)
    link = f'href="/studio/campaigns/new?q={quote("segment:蒙古", safe="")}"'
    assert link in page.text, "what it was saved for"
    deleted = office.ann.post(f"/segments/{quote('蒙古')}/delete")
    assert deleted.headers["location"] == "/studio/segments?notice=segment-deleted"
    assert office.list_saved() == {}
    assert office.list_acts()[before:] == [
        ("saved_segment", "mongolia", "country:MN"),
        ("saved_segment", "mongolia", "country:MN → country:MN,CN"),
        ("renamed_segment", "mongolia", "蒙古"),
        ("deleted_segment", "蒙古", "country:MN,CN"),
    ]


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"q": "country:MN", "name": ""}, "name", "Write a name for the segment"),
        ({"q": "country:MN", "name": "a b"}, "name", "is not a valid name"),
        ({"q": "country:MN", "name": "new"}, "name", "is the name of a page in Studio"),
        ({"q": "country:MN", "name": "taken"}, "name", "A segment is already saved as taken."),
        ({"q": "all", "name": "everyone"}, "name", "already means everyone"),
        ({"q": "contry:MN", "name": "fine"}, "q", "There is no key"),
    ],
)
def test_what_cannot_be_saved_keeps_what_was_written(
    office: Office, form: dict[str, str], field: str, words: str
) -> None:
    office.save("taken", "tag:press")
    acts = office.list_acts()
    page = office.ann.post("/segments", form)
    assert page.status == 422
    assert words in read(page)
    assert f'href="#{field}"' in page.text
    assert read_line(page) == form["q"]
    assert f'name="name" value="{form["name"]}"' in page.text
    assert office.list_saved() == {"taken": "tag:press"}
    assert office.list_acts() == acts
    office.ann.post("/segments/taken/delete")


def test_two_who_change_a_segment_at_once_see_each_other(office: Office) -> None:
    office.save("shared", "country:MN")
    first = office.ann.post("/segments/shared", {"q": "country:MN,CN", "before": "country:MN"})
    assert first.status == 303
    second = office.ann.post("/segments/shared", {"q": "country:JP", "before": "country:MN"})
    assert second.status == 422
    assert "was changed meanwhile, to: country:MN,CN." in read(second)
    assert read_line(second) == "country:JP"
    # What is shown now is known, so saving again is meant.
    assert 'name="before" value="country:MN,CN"' in second.text
    again = office.ann.post("/segments/shared", {"q": "country:JP", "before": "country:MN,CN"})
    assert again.status == 303
    assert office.list_saved()["shared"] == "country:JP"
    # A second click says the same once more, and changes nothing.
    acts = office.list_acts()
    assert office.ann.post("/segments/shared", {"q": "country:JP", "before": "country:MN,CN"}).status == 303
    assert office.list_acts() == acts
    office.ann.post("/segments/shared/delete")


def test_a_saved_segment_shows_a_query_that_is_not_saved_yet(office: Office) -> None:
    office.save("draft", "country:MN")
    page = office.ann.get(f"/segments/draft?{urlencode({'q': 'country:CN'})}")
    assert "Not saved yet" in read(page)
    assert "Partners in China." in read(page)
    assert office.list_saved()["draft"] == "country:MN"
    assert "Not saved yet" not in read(office.ann.get("/segments/draft"))
    given = [
        ("q", "country:MN"),
        ("was", "country:MN"),
        ("filters", "1"),
        ("country", "MN"),
        ("tag", "press"),
    ]
    answer = office.ann.get(f"/segments/draft?{urlencode(given)}")
    assert answer.headers["location"].startswith("/studio/segments/draft?")
    assert query_of(answer.headers["location"]) == "country:MN tag:press"
    office.ann.post("/segments/draft/delete")


def test_where_a_segment_is_used_is_said_and_keeps_it(office: Office) -> None:
    office.save("steppe", "country:MN")
    office.save("teachers", "segment:steppe sector:education")
    listed = read(office.ann.get("/segments"))
    assert "steppe Partners in Mongolia country:MN 1 campaign, last used on" in listed
    assert "part of teachers" in listed
    assert "Not used yet" in listed
    page = read(office.ann.get("/segments/steppe"))
    assert "In the segment teachers" in page
    assert "2026-1 was sent on" in page
    refused = office.ann.post("/segments/steppe/delete")
    assert refused.status == 422
    assert '"steppe" is used in teachers.' in read(refused)
    office.ann.post("/segments/steppe/rename", {"new_name": "steppes"})
    assert office.list_saved()["teachers"] == "segment:steppes sector:education"
    for name in ("teachers", "steppes"):
        assert office.ann.post(f"/segments/{name}/delete").status == 303


def test_a_segment_that_is_no_longer_understood_can_still_be_mended(office: Office) -> None:
    office.save("old", "tag:press")
    with office.studio.engine.begin() as connection:
        connection.execute(text("UPDATE saved_segment SET text = 'sector:gone' WHERE name = 'old'"))
    assert "There is no sector" in read(office.ann.get("/segments"))
    page = office.ann.get("/segments/old")
    assert page.status == 422
    assert "There is no sector" in read(page)
    assert office.ann.post("/segments/old", {"q": "tag:press", "before": "sector:gone"}).status == 303
    office.ann.post("/segments/old/delete")


def test_the_list_is_empty_until_one_is_saved_and_goes_on_over_pages(office: Office) -> None:
    assert "No segment is saved yet." in read(office.ann.get("/segments"))
    for number in range(51):
        office.save(f"s{number:02}", f"tag:t{number}")
    first = office.ann.get("/segments")
    assert first.text.count('<h2 class="plain">') == 50
    following = re.search(r'href="/studio(/segments\?after=[^"]+)"', first.text)
    assert following
    assert "s50" in read(office.ann.get(following[1]))
    for number in range(51):
        office.ann.post(f"/segments/s{number:02}/delete")


def test_what_does_not_exist_is_not_found(office: Office) -> None:
    assert office.ann.get("/segments/nothing").status == 404
    assert office.ann.post("/segments/nothing/rename", {"new_name": "x"}).status == 404
    assert office.ann.post("/segments/nothing/delete").status == 404


def test_without_script_late_parts_lead_to_their_page(office: Office) -> None:
    for path in ("/segments/words", "/segments/numbers"):
        answer = office.ann.get(f"{path}?{urlencode({'q': 'country:MN'})}")
        assert answer.status == 303
        assert answer.headers["location"] == "/studio/segments/query?q=country%3AMN"
