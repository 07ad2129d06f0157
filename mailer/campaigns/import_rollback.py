"""Taking an import back, which is possible until somebody it brought has been written to."""

from datetime import datetime

from sqlalchemy import Engine, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from mailer.database.engine import open_session
from mailer.database.models import Delivery
from subscribers.errors import RollbackError
from subscribers.imports.rollback import RollbackReport, roll_back, was_added_by
from subscribers.models import Subscriber


def roll_back_import(
    engine: Engine, import_id: int, *, now: datetime, dry_run: bool = False
) -> RollbackReport:
    """Take the import back in one transaction; with ``dry_run`` only say what that would come to.

    Raises:
        RollbackError: there is no such import, it was taken back already, or a campaign has people of it in
            its audience, whose deliveries have to stay accounted for.
    """
    with open_session(engine) as opened:
        if mailed := _count_mailed(opened, import_id):
            raise RollbackError(_explain_refusal(import_id, mailed))
        try:
            report = roll_back(opened, import_id, now=now)
        except IntegrityError as error:
            # A campaign was launched to them this very moment.
            raise RollbackError(_explain_refusal(import_id, 1)) from error
        if not dry_run:
            opened.commit()
        return report


def _count_mailed(opened: Session, import_id: int) -> int:
    """How many of those it added are in the audience of a campaign."""
    wanted = (
        select(func.count(func.distinct(Delivery.subscriber_id)))
        .join(Subscriber, col(Subscriber.id) == Delivery.subscriber_id)
        .where(was_added_by(import_id))
    )
    return opened.exec(wanted).one()


def _explain_refusal(import_id: int, mailed: int) -> str:
    return (
        f"Import {import_id} cannot be taken back: {mailed:,} of the people it added are in the audience of "
        "a campaign. Those who should get nothing more: mailer subscribers suppress ADDRESS"
    )
