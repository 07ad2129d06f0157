"""The list of partners: found by letters, filters and queries, and read page by page."""

import re
from urllib.parse import quote, urlencode

from sqlmodel import Session

from mailer.database.team_models import Role
from subscribers.models import ConsentEvent, ConsentRecord, ImportBatch, Status, Subscriber
from tests.web.studio.partners.conftest import PartnerHouse

_LINK = re.compile(r'<li>\s*<div class="grow">\s*<p><a href="/studio/partners/(\d+)"')
_NEXT = re.compile(r'href="/studio(/partners\?[^"]+)" rel="(next|prev)"')


def list_numbers(partners: PartnerHouse, query: str = "") -> list[int]:
    answer = partners.house.ask("GET", f"/partners{query}", Role.author)
    assert answer.status == 200, answer.body.decode()
    return [int(number) for number in _LINK.findall(answer.body.decode())]


def name_all(partners: PartnerHouse, query: str) -> list[str]:
    names = {number: name for name, number in partners.numbers.items()}
    return [names[number] for number in list_numbers(partners, query)]


def test_everybody_who_is_somebody_is_listed_by_address(partners: PartnerHouse) -> None:
    everybody = sorted(set(partners.numbers) - {"m.lin"})
    assert name_all(partners, "") == everybody
    assert name_all(partners, "?query=status:merged") == ["m.lin"]


def test_an_address_a_name_and_an_organisation_are_found_by_their_letters(partners: PartnerHouse) -> None:
    for letters, found in (
        ("lin.mei@", ["lin.mei"]),
        ("MEI", ["lin.mei"]),
        ("бат", ["bat.erdene"]),
        ("национал", []),
        ("national", ["yuki.tanaka"]),
        ("mcdonald", ["anna"]),
        ("lin", ["lin.mei"]),
        ("яам", ["bat.erdene", "oyun"]),
        ("green office", ["kim", "anna"]),
        ("%", []),
        ("_", []),
    ):
        assert sorted(name_all(partners, f"?search={quote(letters)}")) == sorted(found), letters


def list_ticked(page: str) -> set[tuple[str, str]]:
    return set(re.findall(r'<input type="checkbox" name="(\w+)" value="([^"]*)" checked', page))


def test_filters_write_the_query_and_a_query_shows_its_filters(partners: PartnerHouse) -> None:
    page = partners.house.ask("GET", "/partners?country=CN&status=active&sector=education", Role.author)
    assert list_ticked(page.body.decode()) == {
        ("country", "CN"),
        ("status", "active"),
        ("sector", "education"),
    }
    assert 'value="status:active country:CN sector:education"' in page.body.decode()
    assert name_all(partners, "?country=CN&status=active") == ["lin.mei"]
    page = partners.house.ask("GET", "/partners?query=country:MN,JP+tag:focal-point", Role.author)
    assert list_ticked(page.body.decode()) == {("country", "MN"), ("country", "JP"), ("tag", "focal-point")}
    assert name_all(partners, "?source=import&org=institute") == ["dead", "left"]
    assert name_all(partners, "?search=green&query=country:KR") == ["kim"]


def test_a_filter_calls_a_status_what_the_list_calls_it(partners: PartnerHouse) -> None:
    found = 0
    for status in Status:
        page = partners.house.ask("GET", f"/partners?query=status:{status}", Role.author).body.decode()
        box = re.search(rf'name="status" value="{status}" checked[^>]*>\s*<span><bdi>([^<]+)</bdi>', page)
        assert box is not None, status
        marks = set(re.findall(r'<span class="state \w+">([^<]+)</span>', page))
        assert marks <= {box[1]}
        found += len(marks)
    assert found > 3


def test_several_countries_and_sectors_are_chosen_at_once(partners: PartnerHouse) -> None:
    chosen = "q=&was=&filters=1&search=&country=MN&country=CN&other_countries=Japan&sector=education"
    answer = partners.house.ask("GET", f"/partners?{chosen}&sector=culture", Role.author)
    query = "country:MN,CN,JP sector:education,culture"
    assert answer.status == 303
    assert answer.headers["location"] == f"/studio/partners?{urlencode({'query': query})}"
    assert name_all(partners, f"?query={quote(query)}") == ["bat.erdene", "lin.mei", "yuki.tanaka"]


def test_what_has_no_box_stays_as_it_was_written(partners: PartnerHouse) -> None:
    page = partners.house.ask("GET", "/partners?query=country:MN+-tag:focal-point", Role.author).body.decode()
    assert list_ticked(page) == {("country", "MN")}
    assert 'name="others" value="-tag:focal-point"' in page
    given = {"q": "country:MN -tag:focal-point", "was": "country:MN -tag:focal-point", "filters": "1"}
    form = urlencode({**given, "country": "JP", "others": "-tag:focal-point", "search": "yuki"})
    answer = partners.house.ask("GET", f"/partners?{form}", Role.author)
    query = urlencode({"search": "yuki", "query": "country:JP -tag:focal-point"})
    assert answer.headers["location"] == f"/studio/partners?{query}"


def test_a_filter_that_is_wrong_is_kept_and_lists_nobody(partners: PartnerHouse) -> None:
    form = urlencode({"q": "", "was": "", "filters": "1", "other_countries": "Atlantis"})
    words = partners.get(f"?{form}", status=422)
    assert "Atlantis" in words
    assert "Show everybody" not in words


def test_those_of_one_import_are_chosen_by_its_number(partners: PartnerHouse) -> None:
    now = partners.house.studio.clock()
    with Session(partners.house.studio.engine) as session:
        batch = ImportBatch(source="forum.csv", basis="", at=now)
        session.add(batch)
        session.flush()
        for name in ("kim", "anna"):
            session.add(
                ConsentRecord(
                    subscriber_id=partners.numbers[name],
                    event=ConsentEvent.updated,
                    at=now,
                    method="import",
                    import_id=batch.id,
                )
            )
        session.commit()
        number = batch.id
    assert name_all(partners, f"?source=import-{number}") == ["anna", "kim"]
    page = partners.house.ask("GET", f"/partners?query=consent:import-{number}", Role.author).body.decode()
    assert list_ticked(page) == {("source", f"import-{number}")}
    assert f"Import {number}: forum.csv" in page


def test_a_query_that_cannot_be_read_has_a_caret_at_the_place(partners: PartnerHouse) -> None:
    answer = partners.house.ask("GET", "/partners?query=country:CN+tagg:x", Role.author)
    assert answer.status == 422
    assert '<pre aria-hidden="true">country:CN tagg:x\n           ^</pre>' in answer.body.decode()
    assert 'value="country:CN tagg:x"' in answer.body.decode()
    assert "Did you mean tag?" in answer.body.decode().replace("&#34;", '"')


def get_counted(partners: PartnerHouse, path: str) -> str:
    """The words of a page whose number is counted."""
    while "counting…" in (words := partners.get(path)):
        pass
    return words


def test_the_total_is_that_of_what_is_listed(partners: PartnerHouse) -> None:
    assert "10 partners" in get_counted(partners, "")
    assert "Partners in Mongolia. 2 partners" in get_counted(partners, "?country=MN"), "for what it is"
    assert "partners at" not in partners.get("?country=MN&search=oyun"), "that of another list"


def test_squares_have_words_and_a_key(partners: PartnerHouse) -> None:
    page = partners.house.ask("GET", "/partners", Role.author).body.decode()
    key = page.partition('<ul class="key small">')[2].partition("</ul>")[0]
    assert re.findall(r'data-sector="([^"]+)"></span> (.*?)</li>', key) == [
        ("education", "Education"),
        ("culture", "Culture"),
        ("natural-sciences", "natural-sciences"),
    ]
    assert re.search(r'data-sector="education" title="Education"></span><span class="hidden">Educ', page)
    assert 'class="key' not in partners.house.ask("GET", "/partners?search=anna", Role.author).body.decode()


def test_pages_lead_to_each_other_and_leave_nobody_out(partners: PartnerHouse) -> None:
    now = partners.house.studio.clock()
    with Session(partners.house.studio.engine) as session:
        for number in range(120):
            address = f"reader-{number:03}@example.com"
            session.add(Subscriber(email=address, envelope=address, created_at=now, updated_at=now))
        session.commit()
    path, seen, pages = "/partners?search=reader", [], []
    while path:
        page = partners.house.ask("GET", path, Role.author).body.decode()
        seen += _LINK.findall(page)
        pages.append(path)
        links = {way: link.replace("&amp;", "&") for link, way in _NEXT.findall(page)}
        path = links.get("next", "")
    assert len(pages) == 3
    assert len(seen) == len(set(seen)) == 120
    back = partners.house.ask("GET", links["prev"], Role.author).body.decode()
    assert _LINK.findall(back) == seen[50:100]


def test_whoever_may_not_see_partners_does_not_even_see_the_entry(partners: PartnerHouse) -> None:
    assert partners.house.ask("GET", "/partners", Role.guest).status == 403
    assert 'href="/studio/partners"' not in partners.house.ask("GET", "/", Role.guest).body.decode()


def test_an_organisation_shows_its_people_and_says_when_no_reader_is_left(partners: PartnerHouse) -> None:
    words = partners.get("/organisations")
    assert "Closed Institute No partner left 2 people" in words
    assert "National Museum 1 person" in words
    assert "Ministry of Education" in partners.get("/organisations?search=ministry")
    assert "Green Office" not in partners.get("/organisations?search=ministry")
    assert "Ministry of Education" in partners.get(f"/organisations?search={quote('яам')}")
    page = partners.get(f"/organisations/{quote('Ministry of Education / Боловсролын яам')}")
    assert "Бат-Эрдэнэ" in page
    assert "Learning outdoors : Sent: their server has taken it" in page
    assert "No partner left" not in page
    assert "No partner left" in partners.get("/organisations/Closed%20Institute")
    partners.get("/organisations/nobody", status=404)
