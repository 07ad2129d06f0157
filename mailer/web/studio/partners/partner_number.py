"""The number of a partner in a path."""

from typing import Annotated

from sqlmodel import Session
from starlette.exceptions import HTTPException

from mailer.web.studio.row_number import depend_on_number
from subscribers.models import Subscriber

PartnerNumber = Annotated[int, depend_on_number("subscriber")]
"""The path's ``subscriber``, if it can be the number of one; otherwise the answer is 404."""


def find_partner(session: Session, number: int) -> Subscriber:
    """Return the subscriber with a number.

    Raises:
        HTTPException: 404, there is none.
    """
    found = session.get(Subscriber, number)
    if found is None:
        raise HTTPException(404)
    return found
