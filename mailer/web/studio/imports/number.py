"""The numbers of imports and of uploaded files in a path."""

from typing import Annotated

from mailer.web.studio.row_number import depend_on_number

ImportNumber = Annotated[int, depend_on_number("number")]
"""The path's ``number``, if it can be that of an import; otherwise the answer is 404."""

FileNumber = Annotated[int, depend_on_number("file")]
"""The path's ``file``, if it can be the number of an uploaded file; otherwise the answer is 404."""
