"""Names as a directory writes them are stored as they are said: "Dupont, José" is José Dupont."""

import pytest

from subscribers.csv_format import COLUMNS, SheetRow
from subscribers.imports.columns.column_mapping import find_mapping


def read_names(names: tuple[str, ...], *titles: str) -> tuple[str, ...]:
    header = SheetRow(1, titles)
    others = [""] * (len(titles) - 2)
    rows = [SheetRow(n, (f"p{n}@example.org", name, *others)) for n, name in enumerate(names, 2)]
    mapping = find_mapping([header, *rows], "list.csv")
    return tuple(mapping.read_row(row).name for row in rows)


DIRECTORY = ("Dupont, José", "de la Cruz, María José", "O’Neill, S.", "Иванов, Иван", "佐藤, 花子", "Ann Li")
SAID = ("José Dupont", "María José de la Cruz", "S. O’Neill", "Иван Иванов", "佐藤花子", "Ann Li")


@pytest.mark.parametrize(
    "titles", [("E-mail", "Full name", "Remark"), ("email", "name"), ("Email", "Name", "Country")]
)
def test_names_of_a_directory_are_turned_round(titles: tuple[str, ...]) -> None:
    assert read_names(DIRECTORY, *titles) == SAID


@pytest.mark.parametrize("titles", [("E-mail", "Full name", "Remark"), ("email", "name")])
def test_organisations_titles_and_departments_stay_as_they_are(titles: tuple[str, ...]) -> None:
    names = (
        *("Müller GmbH, Abt. 3", "ACME SA, Paris", "Ministry of Education, Ulaanbaatar", "Room 3, Annex"),
        *("Smith, John, Jr", "Craig Cockburn, Software Specialist", "Ann Li", "Li,", "Smith, Jr."),
    )
    assert read_names(names, *titles) == names


def test_an_export_of_ours_is_read_as_it_was_written() -> None:
    assert read_names(DIRECTORY, *COLUMNS) == DIRECTORY
