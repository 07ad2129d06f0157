"""Rolling an import back, unless a campaign has been launched to someone it added."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from mailer.database.engine import open_session
from mailer.database.models import Delivery
from subscribers.errors import RollbackError
from subscribers.imports.rollback import RollbackReport, plan_rollback, roll_back, was_added_by
from subscribers.models import Subscriber


def plan_import_rollback(session: Session, import_id: int) -> RollbackReport:
    """Return what :func:`roll_back_import` would do. Writes nothing.

    Raises:
        RollbackError: as there.
    """
    report = plan_rollback(session, import_id)
    if mailed := _count_mailed(session, import_id):
        raise _make_refusal(import_id, mailed)
    return report


def roll_back_import(
    engine: Engine,
    import_id: int,
    *,
    now: datetime,
    dry_run: bool = False,
    record: Callable[[Session], None] = lambda _: None,
) -> RollbackReport:
    """Roll the import back in one transaction; with ``dry_run`` only report what would change. ``record``
    writes down who did it, in the same transaction.

    Raises:
        RollbackError: there is no such import, it was rolled back before, or people it added are in the
            audience of a campaign, whose deliveries must stay accounted for.
    """
    with open_session(engine) as session:
        if mailed := _count_mailed(session, import_id):
            raise _make_refusal(import_id, mailed)
        try:
            report = roll_back(session, import_id, now=now)
        except IntegrityError as error:
            # A campaign was launched to them in this very moment.
            raise _make_refusal(import_id, 1) from error
        if not dry_run:
            record(session)
            session.commit()
        return report


def _count_mailed(session: Session, import_id: int) -> int:
    """Count the people it added who are in the audience of a campaign."""
    wanted = (
        select(func.count(func.distinct(Delivery.subscriber_id)))
        .join(Subscriber, col(Subscriber.id) == Delivery.subscriber_id)
        .where(was_added_by(import_id))
    )
    return session.exec(wanted).one()


def _make_refusal(import_id: int, mailed: int) -> RollbackError:
    return RollbackError(
        f"Import {import_id} cannot be rolled back: {mailed:,} of the people it added are in the audience of "
        "a campaign. To stop mail to one of them: mailer subscribers suppress ADDRESS",
        mailed=mailed,
    )
