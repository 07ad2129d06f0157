"""The log is read newest first, page by page, and taken away as a file that no spreadsheet executes."""

import csv
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session

from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.log import COMMAND_LINE, LogFilter, list_logged_editions, read_log, write_log_csv
from mailer.activity.record import Actor, record_activity
from mailer.database.team_models import Role
from mailer.team.members import add_member
from subscribers.csv_format import unescape_formula

MEI = Actor.from_command_line("mei")


def fill(session: Session, now: datetime) -> Actor:
    """Four acts: two by Ann in Studio, two by mei on the command line, the last on the next day."""
    ann = Actor.from_member(add_member(session, "ann@example.org", "Ann", Role.author, now=now))
    record_activity(session, ann, Deed(act=Act.created_edition, edition="2026-1"), now=now)
    record_activity(session, MEI, Deed(act=Act.rotated_keys), now=now)
    record_activity(session, ann, Deed(act=Act.created_edition, edition="2026-2"), now=now)
    record_activity(session, MEI, Deed(act=Act.sent_test, edition="2026-2"), now=now + timedelta(days=1))
    session.commit()
    return ann


def list_numbers(session: Session, **wanted: object) -> list[int | None]:
    entries, _ = read_log(session, LogFilter(**wanted))  # type: ignore[arg-type]
    return [entry.id for entry in entries]


def test_the_newest_comes_first_and_each_filter_chooses(session: Session, now: datetime) -> None:
    ann = fill(session, now)
    assert list_numbers(session) == [4, 3, 2, 1]
    assert list_numbers(session, person=str(ann.member_id)) == [3, 1]
    assert list_numbers(session, person=COMMAND_LINE) == [4, 2]
    assert list_numbers(session, act=Act.created_edition) == [3, 1]
    assert list_numbers(session, edition="2026-2") == [4, 3]
    assert list_numbers(session, edition="2026-2", act=Act.sent_test) == [4]
    assert list_numbers(session, day=now.date()) == [3, 2, 1]
    assert list_numbers(session, day=date(1999, 1, 1)) == []
    assert list_logged_editions(session) == ["2026-2", "2026-1"]


def test_a_day_is_that_of_its_zone(session: Session) -> None:
    late = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    record_activity(session, MEI, Deed(act=Act.rotated_keys), now=late)
    session.commit()
    assert list_numbers(session, day=date(2026, 3, 1)) == [1]
    assert list_numbers(session, day=date(2026, 3, 2)) == []


def test_pages_hold_each_entry_once_though_others_are_added_meanwhile(
    session: Session, now: datetime
) -> None:
    for number in range(25):
        # The clock of the machine runs backwards.
        record_activity(
            session, MEI, Deed(act=Act.sent_test, subject=str(number)), now=now - timedelta(hours=number)
        )
    session.commit()
    seen, before = [], None
    while True:
        entries, older = read_log(session, LogFilter(), before=before, limit=10)
        seen += [entry.subject for entry in entries]
        record_activity(session, MEI, Deed(act=Act.rotated_keys), now=now)
        before = older
        if before is None:
            break
    assert seen == [str(number) for number in reversed(range(25))]


def test_an_act_of_a_newer_program_is_shown_by_its_name(session: Session, now: datetime) -> None:
    fill(session, now)
    session.execute(
        text(
            "INSERT INTO activity_record (id, at, name, act, edition, subject, detail) "
            "VALUES (99, :at, 'mei', 'flew_to_mars', '', '', '')"
        ),
        {"at": now.isoformat(sep=" ")},
    )
    assert read_log(session, LogFilter())[0][0].act == "flew_to_mars"


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "a;=1"])
def test_no_cell_of_the_file_is_a_formula(session: Session, now: datetime, start: str) -> None:
    hostile = Actor.from_command_line(start)
    record_activity(
        session, hostile, Deed(act=Act.sent_test, edition=start, subject=start, detail=start), now=now
    )
    session.commit()
    rows = list(csv.reader("".join(write_log_csv(session, LogFilter())).splitlines()))
    assert rows[0] == ["at", "who", "place", "act", "edition", "subject", "detail"]
    for cell in (rows[1][1], *rows[1][4:]):
        assert cell.lstrip()[:1] not in {"=", "+", "-", "@", "＝"}
        assert ";=" not in cell
        assert unescape_formula(cell) == start.strip()


def test_the_file_has_every_wanted_entry_once_oldest_first(session: Session, now: datetime) -> None:
    for number in range(1203):
        record_activity(session, MEI, Deed(act=Act.sent_test, subject=str(number)), now=now)
    record_activity(session, MEI, Deed(act=Act.rotated_keys), now=now)
    session.commit()
    rows = list(csv.reader("".join(write_log_csv(session, LogFilter(act=Act.sent_test))).splitlines()))
    assert [row[5] for row in rows[1:]] == [str(number) for number in range(1203)]
    assert rows[1][:4] == ["2026-03-01T09:00:00Z", "mei", "command-line", "sent_test"]
