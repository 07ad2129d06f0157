"""The type of a route and its HTTP methods, for the lists of routes that the apps are made of."""

from collections.abc import Callable, Sequence

from starlette.responses import Response

Route = tuple[str, Callable[..., Response], Sequence[str]]
"""A path, the function that answers, and the HTTP methods."""

GET = ("GET", "HEAD")
POST = ("POST",)
