"""What a person says about single columns, laid over the guess: the rest stays as it was guessed."""

from contextlib import suppress
from pathlib import Path

import pytest

from subscribers.errors import SubscriberError
from subscribers.imports.columns.column_mapping import DoubtfulColumnsError, UnknownStatusesError
from subscribers.imports.columns.layout_guess import ColumnCorrections, ColumnUse
from subscribers.imports.columns.status_words import StatusMeaning
from subscribers.imports.file_parts import ReadOptions, inspect_file, open_parts
from subscribers.imports.row_parser import ParsedRow, RowParser
from tests.factories.exported_lists import LISTS

SECTORS = {"education": "Education", "culture": "Culture"}
OUTLOOK = next(one.text for one in LISTS if one.file == "outlook-german.csv")
ACTIVE, GONE, NOTHING = StatusMeaning.active, StatusMeaning.unsubscribed, StatusMeaning.nothing


class Reading:
    """Reads a text as a person corrected it: who would be stored, and who left."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "list.upload"
        self.people: dict[str, tuple[str, str, str]] = {}
        self.left: dict[str, str] = {}

    def run(self, text: str, name: str = "list.csv", **said: object) -> None:
        self.path.write_text(text, encoding="utf-8")
        options = ReadOptions(corrections=ColumnCorrections(**said), name=name)  # type: ignore[arg-type]
        parser = RowParser(SECTORS)
        with open_parts(self.path, options, sectors=SECTORS) as parts:
            for part in parts:
                for row in part.rows:
                    with suppress(SubscriberError):
                        self.take(parser.parse(row.number, part.mapping.read_row(row)))
                part.mapping.require_understood(name)

    def take(self, row: ParsedRow) -> None:
        if row.suppress_reason is not None:
            self.left[row.email] = row.suppress_reason
        else:
            self.people[row.email] = (row.name, row.organisation, row.country)


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


def test_one_column_of_an_outlook_export_is_corrected_and_the_rest_stays(reading: Reading) -> None:
    reading.run(OUTLOOK, uses={5: ColumnUse.unused, 3: ColumnUse.organisation})
    assert reading.people["ulla@r.example.org"] == ("Ulla", "Roth", "DE")


def test_what_a_person_chose_counts_before_what_was_guessed(reading: Reading) -> None:
    text = "E-Mail,Other mail,Name,Institution,Ministry\na@d.example.org,b@d.example.org,Ann,Old,New\n"
    reading.run(text, uses={1: ColumnUse.email, 4: ColumnUse.organisation})
    assert reading.people == {"b@d.example.org": ("Ann", "New", "")}


def test_columns_with_the_same_title_and_without_any_are_told_apart(reading: Reading) -> None:
    reading.run(
        "E-Mail,,Info,Info\na@d.example.org,MN,x,Institute\n",
        uses={3: ColumnUse.organisation, 1: ColumnUse.country},
    )
    assert reading.people == {"a@d.example.org": ("", "Institute", "MN")}


def test_our_own_columns_can_be_corrected_too(reading: Reading) -> None:
    reading.run(
        "email,name,organisation\na@d.example.org,Institute,Ann\n",
        uses={1: ColumnUse.organisation, 2: ColumnUse.name},
    )
    assert reading.people == {"a@d.example.org": ("Ann", "Institute", "")}


LIST = "E-Mail,Status\na@d.example.org,aktiv\nb@d.example.org,zzz\nc@d.example.org,\nd@d.example.org,weg\n"


def test_values_that_are_not_understood_are_asked_about_with_all_others(reading: Reading) -> None:
    with pytest.raises(UnknownStatusesError) as asked:
        reading.run(LIST)
    (count,) = asked.value.counts
    assert {value.value: value.meaning for value in count.values}["zzz"] is None


def test_said_values_count_and_so_does_what_is_said_of_empty_cells(reading: Reading) -> None:
    said = {"zzz": ACTIVE, "weg": GONE, "(empty)": GONE}
    reading.run(LIST, meanings={1: said})
    assert set(reading.left) == {"c@d.example.org", "d@d.example.org"}
    assert set(reading.people) == {"a@d.example.org", "b@d.example.org"}


def test_a_column_about_leaving_that_is_not_used_makes_nobody_leave(reading: Reading) -> None:
    reading.run(LIST, uses={1: ColumnUse.unused})
    assert (len(reading.people), reading.left) == (4, {})


def test_a_doubtful_column_is_asked_about_until_it_is_settled(reading: Reading) -> None:
    text = "E-Mail,Mail?\na@d.example.org,yes\nb@d.example.org,no\n"
    with pytest.raises(DoubtfulColumnsError) as asked:
        reading.run(text)
    assert len(asked.value.doubts) == 1
    reading.run(text, meanings={1: {"yes": ACTIVE, "no": GONE}})
    assert (set(reading.people), set(reading.left)) == ({"a@d.example.org"}, {"b@d.example.org"})


def test_addresses_of_which_it_is_not_certain_whose_they_are_are_named_by_a_person(
    reading: Reading,
) -> None:
    text = "A,B\nann@d.example.org,boss@d.example.org\nbob@d.example.org,boss@d.example.org\n"
    with pytest.raises(DoubtfulColumnsError):
        reading.run(text)
    reading.run(text, uses={0: ColumnUse.email})
    assert set(reading.people) == {"ann@d.example.org", "bob@d.example.org"}


def test_a_word_about_leaving_among_remarks_is_overruled_alone(reading: Reading) -> None:
    text = "E-Mail,Remark\na@d.example.org,unsubscribed\nb@d.example.org,nice\nc@d.example.org,bounced\n"
    reading.run(text)
    assert set(reading.left) == {"a@d.example.org", "c@d.example.org"}
    reading.left.clear()
    reading.run(text, meanings={1: {"unsubscribed": NOTHING}})
    assert set(reading.left) == {"c@d.example.org"}


def test_what_the_name_of_the_file_says_is_overruled(reading: Reading) -> None:
    text = "E-Mail\na@d.example.org\n"
    reading.run(text, "unsubscribed.csv")
    assert (len(reading.people), len(reading.left)) == (0, 1)
    reading.left.clear()
    reading.run(text, "unsubscribed.csv", file_meaning=ACTIVE)
    assert (len(reading.people), len(reading.left)) == (1, 0)
    reading.run(text, "people.csv", file_meaning=GONE)
    assert len(reading.left) == 1


def test_the_row_that_names_the_columns_is_chosen(reading: Reading) -> None:
    text = "Our list\nE-Mail,Name\na@d.example.org,Ann\n"
    reading.run(text, header=2)
    assert reading.people == {"a@d.example.org": ("Ann", "", "")}
    reading.run("b@d.example.org,Bob\nc@d.example.org,Cy\n", header=0)
    assert set(reading.people) == {"a@d.example.org", "b@d.example.org", "c@d.example.org"}


def test_places_that_the_file_does_not_have_are_passed_over(reading: Reading) -> None:
    said = {"uses": {90: ColumnUse.email, 91: ColumnUse.unused}, "meanings": {92: {"x": GONE}}}
    reading.run("E-Mail,Name\na@d.example.org,Ann\n", **said)
    assert reading.people == {"a@d.example.org": ("Ann", "", "")}


def test_the_first_look_says_what_each_column_is_taken_for(tmp_path: Path) -> None:
    path = tmp_path / "outlook.csv"
    path.write_text(OUTLOOK, encoding="utf-8")
    seen = inspect_file(path, ReadOptions(), sectors=SECTORS)
    uses = {column.place: column.use for column in seen.columns if column.use is not ColumnUse.unused}
    assert (uses[1], uses[3], uses[57]) == (ColumnUse.given, ColumnUse.family, ColumnUse.email)
    assert seen.columns[57].samples[0] == "ulla@r.example.org"
    assert (seen.header, seen.delimiter, seen.encoding, seen.members) == (1, ",", "utf-8", 0)


def test_the_first_look_needs_no_certainty(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("A,B\nann@d.example.org,boss@d.example.org\n", encoding="utf-8")
    seen = inspect_file(path, ReadOptions(), sectors=SECTORS)
    assert [column.title for column in seen.columns] == ["A", "B"]
    assert seen.columns[1].samples == ("boss@d.example.org",)
    path.write_text("a@d.example.org,Ann\nE-Mail,Name\nb@d.example.org,Bob\n", encoding="utf-8")
    seen = inspect_file(path, ReadOptions(), sectors=SECTORS)
    assert (seen.header, seen.columns) == (None, ())
    assert [number for number, _ in seen.top] == [1, 2, 3]
