"""From a file to the list by plain requests: the dry run, what is corrected, the import and its undo."""

import re
import resource
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlmodel import Session, select, update

from mailer.activity.acts import Act
from mailer.database.team_models import TeamSession
from mailer.web.studio.imports.upload_page import MAX_FILE_BYTES
from subscribers.consent.status_changes import unsubscribe
from subscribers.models import ConsentRecord, Subscriber
from tests.factories.spreadsheets import workbook
from tests.web.studio.conftest import Studio
from tests.web.studio.imports.conftest import Importer, read_fields

HEADER = "email,name,organisation,country,sectors,language,tags\n"


@pytest.fixture(scope="module")
def ann(served: Studio) -> Importer:
    return Importer(served)


def numbers(page: str) -> dict[str, int]:
    """The five numbers that a page shows."""
    cells = re.findall(r'<th scope="row">([^<]+)</th><td class="number">([0-9,]+)</td>', page)
    return {name: int(number.replace(",", "")) for name, number in cells}


def test_a_file_is_shown_imported_once_and_undone(ann: Importer) -> None:
    path = ann.upload_file(HEADER + "a1@one.example.org,Ann,Institute,Mongolia,education,fr,\nbad,,,,,,\n")
    page = ann.get(path).text
    assert numbers(page) == {"Added": 1, "Updated": 0, "Unchanged": 0, "Get no mail": 0, "Refused": 1}
    for words in ("Mongolia", "Education", "Français", "Import 1 partner", "not an address"):
        assert words in page
    assert "a1@one.example.org" not in ann.emails()
    first = ann.act(path, "import", basis="signed up at the forum")
    again = ann.post(path, {**read_fields(page), "act": "import"})
    assert (first.status, again.status) == (303, 303)
    done = ann.get(ann.get(path).headers["location"].removeprefix("/studio"))
    assert "signed up at the forum" in done.text
    number = int(re.findall(r"<h1>Import (\d+)</h1>", done.text)[0])
    assert ann.emails().count("a1@one.example.org") == 1
    refused = ann.get(f"/imports/{number}/refused.csv").body.decode("utf-8-sig")
    assert refused.splitlines()[0] == "row,reason"
    assert "not an address" in refused
    with Session(ann.studio.engine) as session:
        records = session.exec(select(ConsentRecord).where(ConsentRecord.import_id == number)).all()
        assert [one.basis for one in records] == ["signed up at the forum"]
    plan = ann.get(f"/imports/{number}/undo").text
    assert numbers(plan) == {"Removed": 1, "Restored": 0, "Left as they are": 0}
    for _ in range(2):
        assert ann.post(f"/imports/{number}/undo", read_numbers(plan)).status == 303
    assert "a1@one.example.org" not in ann.emails()
    assert "This import was undone" in ann.get(f"/imports/{number}").text
    assert "Undone" in ann.get("/imports").text
    log = ann.log()
    assert log.count((Act.imported_subscribers, "list.csv")) == 1
    assert log.count((Act.rolled_back_import, str(number))) == 1


def read_numbers(page: str) -> dict[str, str]:
    return {"numbers": re.findall(r'name="numbers" value="([^"]+)"', page)[0]}


def test_undoing_says_what_has_happened_since_and_asks_again(ann: Importer) -> None:
    path = ann.upload_file(HEADER + "u1@two.example.org,,,,,,\nu2@two.example.org,,,,,,\n")
    ann.act(path, "import")
    number = ann.get(path).headers["location"].rpartition("/")[2]
    before = ann.get(f"/imports/{number}/undo").text
    with Session(ann.studio.engine) as session:
        person = session.exec(select(Subscriber).where(Subscriber.email == "u1@two.example.org")).one()
        unsubscribe(session, person.id or 0, method="page", now=ann.studio.clock())
        session.commit()
    answer = ann.post(f"/imports/{number}/undo", read_numbers(before))
    assert (answer.status, "More has happened" in answer.text) == (409, True)
    assert numbers(answer.text) == {"Removed": 1, "Restored": 0, "Left as they are": 1}
    assert "u1@two.example.org" in answer.text
    assert ann.post(f"/imports/{number}/undo", read_numbers(answer.text)).status == 303
    assert [one for one in ann.emails() if "two.example" in one] == ["u1@two.example.org"]


def test_undoing_asks_who_one_is(ann: Importer) -> None:
    mei, served = ann, ann.studio
    path = mei.upload_file(HEADER + "c1@three.example.org,,,,,,\n")
    mei.act(path, "import")
    number = mei.get(path).headers["location"].rpartition("/")[2]
    plan = mei.get(f"/imports/{number}/undo").text
    with Session(served.engine) as session:
        long_ago = served.clock() - timedelta(hours=1)
        session.exec(update(TeamSession).values(confirmed_at=long_ago))
        session.commit()
    assert mei.post(f"/imports/{number}/undo", read_numbers(plan)).status == 403
    assert "c1@three.example.org" in mei.emails()
    with Session(served.engine) as session:
        session.exec(update(TeamSession).values(confirmed_at=served.clock()))
        session.commit()


def test_a_status_that_is_not_understood_is_asked_about_and_then_counts(ann: Importer) -> None:
    path = ann.upload_file("E-Mail;Status\ns1@four.example.org;aktiv\ns2@four.example.org;zzz\n")
    page = ann.get(path).text
    assert "Say what some values mean" in page
    assert 'value="import"' not in page
    (field,) = [
        name for name, value in read_fields(page).items() if name.startswith("meaning-") and not value
    ]
    ann.act(path, "check", **{field.replace("-", "__"): "unsubscribed"})
    page = ann.get(path).text
    assert (numbers(page)["Added"], numbers(page)["Get no mail"]) == (1, 1)
    ann.act(path, "import")
    assert [one for one in ann.emails() if "four.example" in one] == ["s1@four.example.org"]


def test_a_value_is_corrected_in_its_own_column_whatever_the_others_are_called(ann: Importer) -> None:
    text = "E-Mail,Unsubscribed,Unsubscribed reason\nr1@thirteen.example.org,no,moved away\n"
    path = ann.upload_file(text)
    page = ann.get(path).text
    assert numbers(page)["Get no mail"] == 1
    (field,) = re.findall(r"(?s)\(any text\).*?<select name=\"(meaning-[0-9]+-[0-9]+)\"", page)
    ann.act(path, "check", **{field.replace("-", "__"): "nothing"})
    assert numbers(ann.get(path).text)["Added"] == 1


def test_a_stranger_who_sends_a_vast_file_is_asked_to_sign_in(ann: Importer) -> None:
    mine, ann.cookie = ann.cookie, "studio=nobody"
    try:
        assert ann.upload("x" * (MAX_FILE_BYTES + 2_000_000), "vast.csv").status in {401, 413}
    finally:
        ann.cookie = mine


def test_a_column_is_corrected_and_an_import_with_changed_columns_shows_its_numbers_first(
    ann: Importer,
) -> None:
    path = ann.upload_file("E-Mail,Institution,Ministry\nk1@five.example.org,Old,New\n")
    answer = ann.act(path, "import", use__1="unused", use__2="organisation")
    assert "asked=import" in answer.headers["location"]
    assert "k1@five.example.org" not in ann.emails()
    page = ann.get(f"{path}?asked=import").text
    assert "You have changed how the file is read" in page
    assert "<bdi>New</bdi>" in page
    ann.act(path, "import")
    with Session(ann.studio.engine) as session:
        person = session.exec(select(Subscriber).where(Subscriber.email == "k1@five.example.org")).one()
        assert person.organisation == "New"


def test_another_sheet_encoding_and_row_of_titles_can_be_chosen(ann: Importer) -> None:
    path = ann.upload_file("E-Mail;Name\nç1@six.example.org;Zoë\n".replace("ç1", "e1").encode("cp1252"))
    page = ann.get(path).text
    assert "The character encoding is a guess" in page
    ann.act(path, "check", encoding="utf-8")
    assert "is not UTF-8 text" in ann.get(path).text
    ann.act(path, "check", encoding="cp1252", header="0")
    assert "Refused" in ann.get(path).text or "Say what" in ann.get(path).text
    ann.act(path, "check", header="1")
    page = ann.get(path).text
    assert "Zoë" in page
    assert numbers(page)["Added"] == 1


def test_a_file_that_waits_is_on_the_first_page_of_who_chose_it(ann: Importer) -> None:
    path = ann.upload_file(HEADER + "w1@twelve.example.org,,,,,,\n", "waits.csv")
    assert "waits.csv" in ann.get("/").text
    ann.post(f"{path}/discard")
    assert "waits.csv" not in ann.get("/").text


def test_an_excel_workbook_is_read(ann: Importer) -> None:
    path = ann.upload_file(workbook([["E-Mail", "Name"], ["x1@seven.example.org", "Xu"]]), "partners.xlsx")
    assert numbers(ann.get(path).text)["Added"] == 1


def test_a_page_that_is_out_of_date_imports_nothing(ann: Importer) -> None:
    path = ann.upload_file(HEADER + "o1@eight.example.org,,,,,,\n")
    fields = {**read_fields(ann.get(path).text), "act": "import", "basis": "Signed up at the forum"}
    ann.act(path, "check", header="1")
    answer = ann.post(path, fields)
    assert 'value="Signed up at the forum"' in answer.text
    assert (answer.status, "was read anew" in answer.text) == (409, True)
    assert "o1@eight.example.org" not in ann.emails()


def test_a_discarded_file_is_gone_for_good(ann: Importer) -> None:
    path = ann.upload_file(HEADER + "d1@nine.example.org,,,,,,\n")
    fields = {**read_fields(ann.get(path).text), "act": "import"}
    kept = len(list(ann.studio.workspace.uploads.iterdir()))
    assert ann.post(f"{path}/discard").status == 303
    assert len(list(ann.studio.workspace.uploads.iterdir())) == kept - 1
    assert ann.get(path).status == 410
    assert ann.post(path, fields).status == 303
    assert "d1@nine.example.org" not in ann.emails()
    assert (Act.discarded_import_file, "list.csv") in ann.log()


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ("", "", "Choose a file."),
        ("", "list.csv", "list.csv is empty"),
        ("x" * (MAX_FILE_BYTES + 1), "vast.csv", "vast.csv has 40 MB. At most 40 MB"),
    ],
)
def test_a_file_that_is_no_file_empty_or_too_large_is_refused_by_name(
    ann: Importer, content: str, name: str, words: str
) -> None:
    before = list_uploads(ann)
    answer = ann.upload(content, name)
    assert (answer.status, words in answer.text) == (422, True)
    assert list_uploads(ann) == before


def list_uploads(ann: Importer) -> list[str]:
    folder = ann.studio.workspace.uploads
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_folder_that_no_file_can_be_kept_in_is_said(ann: Importer) -> None:
    folder = ann.studio.workspace.uploads
    folder.mkdir(exist_ok=True)
    folder.rename(elsewhere := folder.with_name("elsewhere"))
    folder.write_text("A file in its place.")
    answer = ann.upload(HEADER + "k1@twelve.example.org,,,,,,\n")
    folder.unlink()
    elsewhere.rename(folder)
    assert (answer.status, "could not be kept" in answer.text) == (507, True)


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 200 kB, as on a disk without room for more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_said_and_leaves_nothing_behind(ann: Importer) -> None:
    before = list_uploads(ann)
    answer = ann.upload(HEADER + "f@ten.example.org,,,,,,\n" * 20_000)
    assert (answer.status, "disk is full" in answer.text) == (507, True)
    assert list_uploads(ann) == before


def test_a_hostile_name_is_only_a_name(ann: Importer) -> None:
    path = ann.upload_file(HEADER + "h1@eleven.example.org,,,,,,\n", "..\\..\\<script>alert(1)<!-- .csv")
    page = ann.get(path).text
    assert "&lt;script&gt;alert(1)&lt;!-- .csv" in page
    assert "<script>alert" not in page


def test_imports_are_listed_by_pages_of_keys(ann: Importer) -> None:
    assert re.findall(r'href="/studio/imports/[0-9]', ann.get("/imports?before=1").text) == []
    assert ann.get("/imports?before=nonsense").status == 200
    assert ann.get("/imports/999999").status == 404
    assert ann.get("/imports/new/999999").status == 404
