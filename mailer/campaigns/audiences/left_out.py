"""Why members of a segment would not get an edition, in numbers."""

from collections.abc import Iterator
from datetime import date

from sqlalchemy import func
from sqlmodel import Session, col, select

from locales.phrase import gettext_noop
from mailer.campaigns.audiences.recipient_selection import already_has
from subscribers.models import Subscriber
from subscribers.segments.segment import Segment, eligible

ALREADY_SENT = gettext_noop("already have this edition")
"""Why somebody is left out who has the edition, unless it is sent to them again."""


def find_left_out(
    session: Session, segment: Segment, edition: str, today: date, *, already: str
) -> Iterator[tuple[str, int]]:
    """Count those left out, by reason; ``already`` is the reason for those who have it, "" to send again.

    Whom the law of their country excludes is not among them:
    :func:`~mailer.campaigns.audiences.compliance.find_held_back`.
    """
    status = col(Subscriber.status)
    # "IS NOT TRUE", because the condition is NULL for a pause without an end.
    gets_no_mail = eligible(today).is_not(True)
    by_status = select(status, func.count()).where(segment.where(), gets_no_mail).group_by(status)
    for name, number in sorted(session.exec(by_status)):
        yield name.value, number
    if already:
        has_it = select(func.count()).select_from(Subscriber)
        number = session.exec(has_it.where(segment.where(), eligible(today), already_has(edition))).one()
        if number:
            yield already, number
