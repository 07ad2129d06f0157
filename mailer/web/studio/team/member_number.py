"""The number of a member in a path."""

from typing import Annotated

from mailer.web.studio.row_number import depend_on_number

MemberNumber = Annotated[int, depend_on_number("member")]
"""The path's ``member``, if it can be the number of one; otherwise the answer is 404."""
