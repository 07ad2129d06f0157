"""The number of a row, as a path, an address or a form names it."""

import re
from typing import Any

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

# A longer number is none that a database has.
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


def read_row_number(text: str) -> int | None:
    """The number that ``text`` is, if a row can have it."""
    return int(text) if _NUMBER.fullmatch(text) else None


def depend_on_number(name: str) -> Any:
    """The dependency that reads the part ``name`` of a path; if no row can have that number, the answer is
    404."""

    def read(request: Request) -> int:
        number = read_row_number(request.path_params[name])
        if number is None:
            raise HTTPException(404)
        return number

    return Depends(read)
