"""What an import would do, counted without a change to the list.

A dry run holds no lock: whoever unsubscribes or signs up meanwhile does not wait. The list is only read; what
the import would have added to it is in temporary tables, which no other connection sees.
"""

from collections.abc import Iterable

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    String,
    Table,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

from subscribers.imports.list_indexes import IDS_AT_ONCE
from subscribers.imports.staging_table import STAGING, TEMPORARY, StagingTable
from subscribers.models import searched_text

_NEW = Table(
    "import_new",
    TEMPORARY,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("row", Integer),
    Column("email", searched_text(320)),
    prefixes=["TEMPORARY"],
)
"""Everybody who would be added."""

_SUPPRESSIONS = Table(
    "import_suppression",
    TEMPORARY,
    Column("digest", String, primary_key=True),
    prefixes=["TEMPORARY"],
)
"""Every address that would be suppressed."""


_subscriber: Table = SQLModel.metadata.tables["subscriber"]


class DryRunTable(StagingTable):
    """A chunk of rows for which everything is counted and nothing is stored."""

    def defer_indexes(self) -> None:
        """Leave the indexes alone: the list does not grow."""

    def remember_suppressed(self, digests: Iterable[str]) -> None:
        """Note addresses that would be suppressed, for the rows that follow."""
        if values := [{"digest": digest} for digest in digests]:
            into = (sqlite.insert if self._is_sqlite else postgresql.insert)(_SUPPRESSIONS)
            self._connection.execute(into.on_conflict_do_nothing(index_elements=["digest"]), values)

    def insert_new(self, waiting: int) -> int:
        matched = self._match(exists().where(_subscriber.c.email == STAGING.c.email))
        new = select(STAGING.c.id, STAGING.c.row, STAGING.c.email).where(STAGING.c.fate.is_(None))
        self._connection.execute(insert(_NEW).from_select(["id", "row", "email"], new))
        return waiting - matched

    def record_new(self) -> None:
        """Record nothing of anybody."""

    def take_duplicates(self, *, is_last: bool) -> list[tuple[int, int]]:  # noqa: ARG002 - as in its base
        """Forget rows with the new address of an earlier row; return each of them with the first."""
        number, email = _NEW.c.id, _NEW.c.email
        several = select(email).group_by(email).having(func.count() > 1)
        same = (
            select(
                number,
                _NEW.c.row,
                func.first_value(_NEW.c.row).over(partition_by=email, order_by=number).label("first_row"),
                func.row_number().over(partition_by=email, order_by=number).label("place"),
            )
            .where(email.in_(several))
            .subquery()
        )
        found = self._connection.execute(select(same).where(same.c.place > 1).order_by(same.c.id)).all()
        for start in range(0, len(found), IDS_AT_ONCE):
            ids = [row.id for row in found[start : start + IDS_AT_ONCE]]
            self._connection.execute(delete(_NEW).where(_NEW.c.id.in_(ids)))
        return [(row.row, row.first_row) for row in found]

    def _is_suppressed(self) -> ColumnElement[bool]:
        return or_(super()._is_suppressed(), STAGING.c.digest.in_(select(_SUPPRESSIONS.c.digest)))
