"""Who left is read wherever a file says it: in its name, its sheet, a line, a group, a tag or a count."""
# ruff: noqa: E501 - names are easier to compare on one line

import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from subscribers.errors import ImportFileError
from subscribers.imports.columns.columns_file import read_columns_file
from subscribers.imports.columns.status_titles import classify_label
from subscribers.imports.file_parts import ReadOptions, propose_columns
from tests.factories.exported_lists import WHO_LEFT, ListOfLeft
from tests.subscribers.imports.columns.reading import SECTORS, Outcome, read_list

LEFT_NAMES = (
    *("unsubscribed", "opt-outs", "hard_bounces_2026", "blacklist", "complaints", "suppressions", "Unsubs 2024-05"),
    *("dead addresses", "former subscribers", "Nicht anschreiben", "abgemeldet", "Abmeldungen 2025", "Sperrliste"),
    *("désabonnés", "anciens abonnés", "bajas", "отписавшиеся", "退订名单", "黑名单", "配信停止", "수신거부", "цуцалсан"),
    *("disiscritti", "descadastrados", "afgemeld", "avregistrerade", "إلغاء الاشتراك"),
)  # fmt: skip
UNCLEAR_NAMES = (
    *("list without bounces", "active and unsubscribed", "ohne Abmeldungen", "sans les désabonnés", "not unsubscribed"),
    *("inactive", "deleted contacts", "geen nieuwsbrief", "sin bajas"),
)  # fmt: skip
OTHER_NAMES = (
    *("contacts", "subscribers", "newsletter 2024", "Mitglieder", "abonnés", "suscriptores", "подписчики", "订阅者"),
    *("non-profit newsletter", "Not-for-profit partners", "rebajas", "Newsletter Mai 2024", "no-profit mail", "配信先"),
)  # fmt: skip
TITLES = (
    "email,name",
    "email",
    "E-mail;Vorname;Nachname",
    "email,name,organisation,country,sectors,language,tags",
)


def read(folder: Path, name: str, text: str, options: ReadOptions | None = None) -> Outcome | None:
    """None if the import asks."""
    path = folder / name
    path.write_bytes(text.encode())
    try:
        return read_list(path, options)
    except ImportFileError:
        return None


@pytest.mark.parametrize("titles", TITLES)
@pytest.mark.parametrize("name", LEFT_NAMES)
def test_nobody_in_a_file_of_such_a_name_gets_mail(tmp_path: Path, name: str, titles: str) -> None:
    outcome = read(tmp_path, f"{name}.csv", f"{titles}\nann@example.org\n")
    assert outcome is not None
    assert (list(outcome.active), list(outcome.left)) == ([], ["ann@example.org"])


@pytest.mark.parametrize("name", UNCLEAR_NAMES)
def test_a_name_that_may_mean_those_who_stay_is_asked_about(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f"{name}.csv", "email,name\nann@example.org,Ann\n") is None


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_any_other_name_says_nothing(tmp_path: Path, name: str) -> None:
    outcome = read(tmp_path, f"{name}.csv", "email,name\nann@example.org,Ann\n")
    assert outcome is not None
    assert list(outcome.active) == ["ann@example.org"]


@pytest.mark.parametrize(("word", "is_active"), [("active", True), ("unsubscribed", False)])
def test_a_table_of_columns_answers_what_the_name_means(tmp_path: Path, word: str, is_active: bool) -> None:
    text = "email,name\nann@example.org,Ann\n"
    assert read(tmp_path, "inactive.csv", text) is None
    table = tmp_path / "columns.toml"
    asked = propose_columns(tmp_path / "inactive.csv", ReadOptions(), sectors=SECTORS)
    assert f"{word} = []" in asked
    table.write_text(asked.replace(f"{word} = []", f'{word} = ["every row"]'), encoding="utf-8")
    outcome = read(tmp_path, "inactive.csv", text, ReadOptions(columns=read_columns_file(table)))
    assert outcome is not None
    assert bool(outcome.active) is is_active


def test_the_name_of_an_archive_or_of_a_folder_in_it_counts(tmp_path: Path) -> None:
    for name, member in (("bounced.zip", "people.csv"), ("people.zip", "bounced/people.csv")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, "email,name\nann@example.org,Ann\n")
        assert read_list(tmp_path / name).left == {"ann@example.org": "bounced"}


@pytest.mark.parametrize(("sheet", "above"), [("Unsubscribed", ""), ("Sheet1", "Unsubscribed contacts")])
def test_the_sheet_and_a_line_above_the_header_count(tmp_path: Path, sheet: str, above: str) -> None:
    workbook = Workbook()
    page = workbook.active
    assert page is not None
    page.title = sheet
    for row in (*([[above]] if above else []), ["email", "name"], ["ann@example.org", "Ann"]):
        page.append(row)
    workbook.save(tmp_path / "people.xlsx")
    assert read_list(tmp_path / "people.xlsx").left == {"ann@example.org": "unsubscribed"}


@pytest.mark.parametrize(
    "line", ["NOTE:DO NOT MAIL", "NOTE:Unsubscribed 2024-05-01", "CATEGORIES:Press,Unsubscribed"]
)
def test_a_note_or_a_group_of_a_card_counts(tmp_path: Path, line: str) -> None:
    cards = (("ann", "NOTE:met in Paris"), ("bob", line))
    text = "".join(
        f"BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nEMAIL:{name}@example.org\n{said}\nEND:VCARD\n"
        for name, said in cards
    )
    outcome = read(tmp_path, "book.vcf", text)
    assert outcome is not None
    assert (list(outcome.active), outcome.left) == (["ann@example.org"], {"bob@example.org": "unsubscribed"})


@pytest.mark.parametrize("tag", ["bounced", "Unsubscribed", "press;opted out", "hard-bounces-2026"])
@pytest.mark.parametrize("row", [0, 3, 40])
def test_a_tag_of_our_own_format_that_says_who_left_is_asked_about(
    tmp_path: Path, tag: str, row: int
) -> None:
    tags = ["press"] * 50
    assert read(tmp_path, "a.csv", write_tags(tags)) is not None
    tags[row] = tag
    assert read(tmp_path, "b.csv", write_tags(tags)) is None


def write_tags(tags: list[str]) -> str:
    return "email,name,tags\n" + "".join(f"p{n}@example.org,Ann,{tag}\n" for n, tag in enumerate(tags))


@pytest.mark.parametrize(
    ("title", "values", "active"),
    [
        ("Hard bounces", ("0", "3", "", "1"), {0, 2}),
        ("Permanent bounce count", ("0", "1", "0.0", "12"), {0, 2}),
        ("Number of spam complaints", ("0", "2"), {0}),
        ("Soft bounces", ("0", "3"), {0, 1}),
        ("Abo", ("ja", "nein"), {0}),
        ("Delivery", ("delivered", "failed permanently"), {0}),
        ("Mail preferences", ("Newsletter, events", "none"), {0}),
        ("Bounce count", ("0", "7"), None),
        ("Bounces", ("0", "0"), {0, 1}),
    ],
)  # fmt: skip
def test_a_count_or_a_choice_says_who_left(
    tmp_path: Path, title: str, values: tuple[str, ...], active: set[int] | None
) -> None:
    rows = "".join(f'p{number}@example.org,Ann,"{value}"\n' for number, value in enumerate(values))
    outcome = read(tmp_path, "people.csv", f"Email,Name,{title}\n{rows}")
    if active is None:
        assert outcome is None
    else:
        assert outcome is not None
        assert set(outcome.active) == {f"p{number}@example.org" for number in active}


def test_the_question_about_a_count_is_asked_once(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("Email,Bounce count\n" + "".join(f"p{n}@example.org,{n}\n" for n in range(9)))
    with pytest.raises(ImportFileError, match=r'"Bounce count" has "a number above 0" ×8\. Say'):
        read_list(path)


@pytest.mark.parametrize("name", ["unsubscribed", "bajas"])
def test_a_label_is_certain_and_a_sentence_is_not(name: str) -> None:
    said = classify_label(name)
    assert said is not None
    assert said.is_certain
    longer = classify_label(f"{name} are kept by Ann in the other list which she looks after herself")
    assert longer is not None
    assert not longer.is_certain


@pytest.mark.parametrize("listed", WHO_LEFT, ids=lambda listed: listed.file)
def test_lists_that_once_brought_people_back_do_not(tmp_path: Path, listed: ListOfLeft) -> None:
    path = tmp_path / listed.file
    path.write_bytes(listed.text.encode(listed.encoding))
    outcome = read_list(path, ReadOptions(accepts_likely_encoding=False))
    assert (sorted(outcome.active), sorted(outcome.left)) == (sorted(listed.active), sorted(listed.left))
