"""The number of a partner in a path."""

import re
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session
from starlette.exceptions import HTTPException

from subscribers.models import Subscriber

# A longer number is none that a database has.
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


def _read_number(subscriber: str) -> int:
    if not _NUMBER.fullmatch(subscriber):
        raise HTTPException(404)
    return int(subscriber)


PartnerNumber = Annotated[int, Depends(_read_number)]
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
