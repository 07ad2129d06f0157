"""The row that names the columns, and a second one that divides some of them."""

from subscribers.csv_format import SheetRow
from subscribers.imports.columns.column_titles import HeaderRow, find_header


def find(*rows: str, wanted: int | None = None) -> HeaderRow:
    sheet = [SheetRow(number, tuple(text.split("|"))) for number, text in enumerate(rows, start=1)]
    return find_header(sheet, "people.csv", wanted=wanted)


def test_a_second_row_divides_what_is_merged_over_several_columns() -> None:
    header = find(
        "Members of 2024|||", "No.|Name||Email", "|First name|Last name|", "1|Ann|Li|ann@example.org"
    )
    assert header.titles == ("No.", "First name", "Last name", "Email")
    assert (header.number, header.first) == (2, 3)


def test_the_answers_of_a_survey_keep_their_question() -> None:
    header = find(
        "Respondent ID|Your details||Our newsletter?",
        "|Name|Email Address|Yes|No, thank you",
        "7|Ann|ann@example.org|Yes|",
    )
    assert header.titles[:3] == ("Respondent ID", "Name", "Email Address")
    assert header.titles[3:] == ("Our newsletter?: Yes", "Our newsletter?: No, thank you")


def test_what_a_survey_writes_below_a_question_is_no_title() -> None:
    header = find(
        "Email?|How do you like us?||", "Response|Response|Other (please specify)", "ann@example.org|well|"
    )
    assert header.titles == ("Email?", "How do you like us?", "How do you like us?: Other (please specify)")


def test_the_same_two_rows_are_read_if_somebody_says_which_the_first_is() -> None:
    rows = ("Name||Email", "First name|Last name|", "Ann|Li|ann@example.org")
    assert find(*rows, wanted=1) == find(*rows)


def test_a_person_without_an_address_is_no_second_row() -> None:
    header = find("Name||Email|", "Ann|Li||", "Bob|An|bob@example.org|")
    assert (header.titles, header.first) == (("Name", "", "Email"), 1)


def test_a_person_with_a_remark_below_no_title_is_no_second_row() -> None:
    assert find("Email|Name|", "|Ann|speaks French", "bob@example.org|Bob|").first == 1


def test_a_title_may_be_written_as_on_a_web_page() -> None:
    assert find("Email|Opt&nbsp;out|Terms &amp; more", "ann@example.org||").titles == (
        "Email",
        "Opt out",
        "Terms & more",
    )
