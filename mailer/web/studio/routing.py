"""The routes of Studio, each with who may use it.

A module of pages has ``ROUTES = Routes()``, and each of its answers a line above it::

    @ROUTES.get_route("/campaigns/{campaign}/options", Permission.prepare)
    def show_options(page: PreparedPageDep) -> Response:
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from starlette.responses import Response

from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.page import StudioPage

_Answer = TypeVar("_Answer", bound=Callable[..., Response])


class StudioRoute(NamedTuple):
    """A path below /studio, the function that answers, its HTTP methods, and what a member must be allowed
    to do; None for the pages of signing in, which are for everybody."""

    path: str
    endpoint: Callable[..., Response]
    methods: Sequence[str]
    permission: Permission | None


class Routes(list[StudioRoute]):
    """The routes of a module, in the order in which an address is compared with their paths."""

    def get_route(self, path: str, permission: Permission | None) -> Callable[[_Answer], _Answer]:
        return self._declare(path, GET, permission)

    def post_route(self, path: str, permission: Permission | None) -> Callable[[_Answer], _Answer]:
        return self._declare(path, POST, permission)

    def _declare(
        self, path: str, methods: Sequence[str], permission: Permission | None
    ) -> Callable[[_Answer], _Answer]:
        def declare(answer: _Answer) -> _Answer:
            self.append(StudioRoute(path, _end_reading_after(answer), methods, permission))
            return answer

        return declare


def _end_reading_after(answer: Callable[..., Response]) -> Callable[..., Response]:
    """End the session of the page with the answer, in the thread that opened it: with one that waits for
    another thread, forty visitors would wait for each other."""

    @wraps(answer)
    def run(**given: Any) -> Response:
        try:
            return answer(**given)
        finally:
            for value in given.values():
                if isinstance(value, StudioPage):
                    value.end_reading()

    return run
