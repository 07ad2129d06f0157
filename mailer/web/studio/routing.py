"""The routes of Studio, each with who may use it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.responses import Response

from mailer.team.members import Permission


class StudioRoute(NamedTuple):
    """A path below /studio, the function that answers, its HTTP methods, and what a member must be allowed
    to do; None for the pages of signing in, which are for everybody."""

    path: str
    endpoint: Callable[..., Response]
    methods: Sequence[str]
    permission: Permission | None
