"""Segments saved under a name, to be used as ``segment:NAME``.

A name stands for a text that is looked up whenever it is used. Campaigns that were sent or approved do not
change with it: they keep what the name meant.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from unicodedata import normalize

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from locales.phrase import Phrase, gettext_noop
from subscribers.errors import SegmentError, SubscriberError, quote_for_message
from subscribers.models import SavedSegment
from subscribers.segments.parser import EVERYONE, did_you_mean, list_choices, parse_expression
from subscribers.segments.terms import SegmentLookups

_NAME = re.compile(r"\w[\w.-]*")
_MAX_NAME_LENGTH = 64
_RESERVED = frozenset({"new", "query", "words", "numbers"})
"""What Studio's own pages are called where a segment's page has its name."""
_COLUMNS = (
    *(col(SavedSegment.name), col(SavedSegment.text)),
    *(col(SavedSegment.created_at), col(SavedSegment.updated_at)),
)


class SavedSegmentError(SubscriberError):
    """A segment cannot be saved, found or deleted under that name."""


class SavedSegmentStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> str | None:
        wanted = select(col(SavedSegment.text)).where(col(SavedSegment.name) == name)
        return self._connection.scalar(wanted)

    def names(self) -> Sequence[str]:
        return [saved.name for saved in list_saved_segments(self._connection)]


def list_saved_segments(connection: Connection) -> list[SavedSegment]:
    rows = connection.execute(select(*_COLUMNS).order_by(col(SavedSegment.name)))
    return [SavedSegment(**row._mapping) for row in rows]


def find_saved_segment(connection: Connection, name: str) -> SavedSegment:
    """Return the segment saved as ``name``. Raise SavedSegmentError if there is none."""
    row = connection.execute(select(*_COLUMNS).where(col(SavedSegment.name) == _normalise_name(name))).first()
    if row is None:
        names = SavedSegmentStore(connection).names()
        there_are = list_choices(
            names, gettext_noop("None has been saved yet. To save one: mailer segments save NAME QUERY")
        )
        raise SavedSegmentError(
            gettext_noop("No segment is saved as %(text)s.") % {"text": quote_for_message(name)}
            + f"{did_you_mean(name, names)} {there_are}"
        )
    return SavedSegment(**row._mapping)


def save_segment(
    connection: Connection, name: str, text: str, lookups: SegmentLookups, *, now: datetime
) -> SavedSegment | None:
    """Save ``text`` as ``name``; return what was saved under it before, if anything. The caller commits.
    Raise SavedSegmentError if the name is invalid, or ``text`` means everyone, and SegmentError if ``text``
    is invalid, or would refer to itself.
    """
    key, written = _validate_name(name), text.strip()
    if written.casefold() in {"", EVERYONE}:
        raise SavedSegmentError(
            gettext_noop('"%(word)s" already means everyone and does not need another name.')
            % {"word": EVERYONE}
        )
    before = next((saved for saved in list_saved_segments(connection) if saved.name == key), None)
    parse_expression(written, lookups, (key,))
    if before is None:
        _insert(connection, {"name": key, "text": written, "created_at": now, "updated_at": now})
    elif before.text != written:
        changed = update(SavedSegment).where(col(SavedSegment.name) == key)
        connection.execute(changed.values(text=written, updated_at=now))
    return before


def delete_segment(connection: Connection, name: str, lookups: SegmentLookups) -> SavedSegment:
    """Delete the segment saved as ``name`` and return it. The caller commits. Raise SavedSegmentError if
    there is none, or other segments use it; the message names them.
    """
    saved = find_saved_segment(connection, name)
    others = [other for other in list_saved_segments(connection) if _is_part_of(saved.name, other, lookups)]
    if others:
        raise SavedSegmentError(
            gettext_noop('"%(name)s" is used in %(names)s. First save those without it, or delete them.')
            % {"name": saved.name, "names": ", ".join(other.name for other in others)}
        )
    connection.execute(delete(SavedSegment).where(col(SavedSegment.name) == saved.name))
    return saved


def rename_segment(
    connection: Connection, name: str, new_name: str, lookups: SegmentLookups, *, now: datetime
) -> SavedSegment:
    """Give the segment saved as ``name`` another name, also where other saved segments use it, and return it.
    The caller commits. Raise SavedSegmentError if there is none, the new name is invalid or taken, or another
    segment that may use it cannot be read.
    """
    saved, key = find_saved_segment(connection, name), _validate_name(new_name)
    if key == saved.name:
        return saved
    all_saved = list_saved_segments(connection)
    if any(other.name == key for other in all_saved):
        raise SavedSegmentError(
            gettext_noop('Another segment is saved as "%(key)s". Choose another name, or delete that one.')
            % {"key": key}
        )
    texts = {other.name: _replace_name(other, saved.name, key, lookups) for other in all_saved}
    for other in all_saved:
        if texts[other.name] != other.text:
            changed = update(SavedSegment).where(col(SavedSegment.name) == other.name)
            connection.execute(changed.values(text=texts[other.name], updated_at=now))
    renamed = update(SavedSegment).where(col(SavedSegment.name) == saved.name)
    try:
        connection.execute(renamed.values(name=key, updated_at=now))
    except IntegrityError as error:
        raise SavedSegmentError(
            gettext_noop('Someone else has just saved "%(key)s". Choose another name.') % {"key": key}
        ) from error
    return find_saved_segment(connection, key)


def _replace_name(other: SavedSegment, name: str, new_name: str, lookups: SegmentLookups) -> str:
    """Replace ``name`` in the text of ``other``, and change nothing else."""
    try:
        places = [place for used, place in parse_expression(other.text, lookups).names if used == name]
    except SegmentError as error:
        if name not in other.text.casefold():
            return other.text
        raise SavedSegmentError(
            gettext_noop(
                '"%(name)s" may use "%(other)s" and can no longer be read, so nothing was '
                "renamed. Correct or delete %(name)s first."
            )
            % {"name": other.name, "other": name}
        ) from error
    text = other.text
    for place in reversed(places):
        text = f"{text[: place.start]}{new_name}{text[place.stop :]}"
    return text


def _insert(connection: Connection, row: dict[str, Any]) -> None:
    try:
        connection.execute(insert(SavedSegment).values(row))
    except IntegrityError as error:
        raise SavedSegmentError(
            Phrase(
                'Someone else has just saved "%(name)s". Check it with `mailer segments show %(name)s`, '
                "then save again.",
                name=row["name"],
            )
        ) from error


def _is_part_of(name: str, other: SavedSegment, lookups: SegmentLookups) -> bool:
    try:
        return name in parse_expression(other.text, lookups).named
    except SegmentError:
        # It is no longer valid, for example because a sector was renamed; it may still use the name.
        return name in other.text.casefold()


def _validate_name(name: str) -> str:
    folded = _normalise_name(name)
    if not _NAME.fullmatch(folded) or len(folded) > _MAX_NAME_LENGTH:
        raise SavedSegmentError(
            gettext_noop(
                "%(text)s is not a valid name. Use at most %(most)s letters, digits "
                "and - . _, such as east-asia."
            )
            % {"text": quote_for_message(name), "most": _MAX_NAME_LENGTH}
        )
    if folded in _RESERVED:
        raise SavedSegmentError(
            gettext_noop('"%(name)s" is the name of a page in Studio. Choose another name.')
            % {"name": folded}
        )
    return folded


def _normalise_name(name: str) -> str:
    return normalize("NFC", name.strip()).casefold()
