"""The number of a member in a path."""

import re
from typing import Annotated

from fastapi import Depends
from starlette.exceptions import HTTPException

# A longer number is none that a database has.
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


def _read_member_number(member: str) -> int:
    if not _NUMBER.fullmatch(member):
        raise HTTPException(404)
    return int(member)


MemberNumber = Annotated[int, Depends(_read_member_number)]
"""The path's ``member``, if it can be the number of one; otherwise the answer is 404."""
