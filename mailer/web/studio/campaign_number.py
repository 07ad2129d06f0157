"""The number of a campaign in a path."""

import re
from typing import Annotated

from fastapi import Depends
from starlette.exceptions import HTTPException

# A longer number is none that a database has.
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


def read_campaign_number(text: str) -> int | None:
    """The number that ``text`` is, if it can be that of a campaign."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _read_path(campaign: str) -> int:
    number = read_campaign_number(campaign)
    if number is None:
        raise HTTPException(404)
    return number


CampaignNumber = Annotated[int, Depends(_read_path)]
"""The path's ``campaign``, if it can be the number of one; otherwise the answer is 404."""
