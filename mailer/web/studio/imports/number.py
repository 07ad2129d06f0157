"""The numbers of imports and of uploaded files in a path."""

import re
from typing import Annotated

from fastapi import Depends
from starlette.exceptions import HTTPException

# A longer number is none that a database has.
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


def read_number(text: str) -> int:
    """Read a number in a path.

    Raises:
        HTTPException: 404, it cannot be the number of anything.
    """
    if not _NUMBER.fullmatch(text):
        raise HTTPException(404)
    return int(text)


def _read_import_number(number: str) -> int:
    return read_number(number)


def _read_file_number(file: str) -> int:
    return read_number(file)


ImportNumber = Annotated[int, Depends(_read_import_number)]
"""The path's ``number``, if it can be that of an import; otherwise the answer is 404."""

FileNumber = Annotated[int, Depends(_read_file_number)]
"""The path's ``file``, if it can be the number of an uploaded file; otherwise the answer is 404."""
