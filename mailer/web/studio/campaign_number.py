"""The number of a campaign in a path."""

from typing import Annotated

from mailer.web.studio.row_number import depend_on_number

CampaignNumber = Annotated[int, depend_on_number("campaign")]
"""The path's ``campaign``, if it can be the number of one; otherwise the answer is 404."""
