"""Writing the list as our own CSV, fit to be imported again and safe to open in a spreadsheet."""

import csv
from typing import Any, TextIO

from sqlmodel import Session

from subscribers.listing import list_facts
from subscribers.models import Status
from subscribers.segment import Segment
from subscribers.sheet import COLUMNS, SEPARATOR, neutralise
from subscribers.terms import Key, Term

_ON_THE_LIST = Term(key=Key.status, values=(Status.active, Status.paused), negated=False)
_NOT_ERASED = Term(key=Key.status, values=(Status.erased,), negated=True)


def export_csv(session: Session, segment: Segment, stream: TextIO) -> int:
    """Write the subscribers of a segment to ``stream``, a header first; how many there were.

    The columns hold no status, and importing the file elsewhere makes everybody in it active. So those who
    have not confirmed, left, bounced or complained are written only if the segment itself asks about
    ``status``; the erased never are. An importing of the file into the same list changes nothing.
    """
    guard = _NOT_ERASED if segment.asks_about(Key.status) else _ON_THE_LIST
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    number = 0
    for person in list_facts(session, Segment(text=segment.text, terms=(*segment.terms, guard))):
        writer.writerow([neutralise(cell) for cell in _cells(person)])
        number += 1
    return number


def _cells(person: dict[str, Any]) -> list[str]:
    # The local part in the case it was given, the domain for people to read: importing makes the same pair
    # of it.
    local, _, _ = person["envelope"].rpartition("@")
    _, _, domain = person["email"].rpartition("@")
    return [
        f"{local}@{domain}",
        person["name"],
        person["organisation"],
        person["country"] or "",
        SEPARATOR.join(person["sectors"]),
        person["language"] or "",
        SEPARATOR.join(person["tags"]),
    ]
