"""Putting an application together: its routes, its guard, one plain page for whatever goes wrong."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from mailer.selfservice.unsubscribe_batch import UnsubscribeBatcher
from mailer.web import metrics
from mailer.web.archive import routes as archive_routes
from mailer.web.dependencies import Site, UtcClock, utc_now
from mailer.web.language import choose_translator
from mailer.web.page_renderer import PageRenderer
from mailer.web.public import data_requests, preferences, signup
from mailer.web.security import PAGE_POLICY, SecurityMiddleware, SecurityRules, add_security_headers
from mailer.workspace import Workspace
from subscribers.errors import StatusError, TokenError

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
Route = tuple[str, Callable[..., Response], Sequence[str]]
"""A path, the function that answers, and the methods it answers to."""


def create_app(workspace: Workspace, *, clock: UtcClock = utc_now) -> FastAPI:
    """The pages readers reach from a mail: leaving, preferences, the archive and its pictures."""
    base = urlsplit(workspace.settings.web.base_url)
    # A public address with a path means a proxy that takes the path away before it asks us.
    pages = PageRenderer(workspace.settings, prefix=base.path)

    @asynccontextmanager
    async def open_site(app: FastAPI) -> AsyncIterator[None]:
        engine = workspace.open_database()
        desk = UnsubscribeBatcher(engine, workspace.keys)
        app.state.site = Site(
            workspace=workspace, renderer=pages, engine=engine, clock=clock, unsubscribe_batcher=desk
        )
        try:
            yield
        finally:
            engine.dispose()

    rules = SecurityRules(
        policy=PAGE_POLICY,
        error_page=lambda status, scope: pages.render_error(status, choose_translator(scope)),
        public_hosts=frozenset({base.netloc}),
        cross_site_post_paths=("/u/",),
        https_only=base.scheme == "https",
    )
    return assemble_app(
        pages,
        rules,
        open_site,
        (*preferences.ROUTES, *signup.ROUTES, *data_requests.ROUTES, *archive_routes.ROUTES, *metrics.ROUTES),
    )


def assemble_app(
    pages: PageRenderer, rules: SecurityRules, lifespan: Lifespan, routes: Sequence[Route]
) -> FastAPI:
    """An application of ``routes`` behind the guard, with our style sheets under ``/static``."""
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        # The paths of readers' pages are keys; they belong in no trace.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    own: tuple[Route, ...] = (
        ("/static/{name}", lambda name: pages.serve_asset(name) or pages.render_error(404), ("GET", "HEAD")),
        ("/favicon.ico", lambda: pages.serve_icon(), ("GET", "HEAD")),
    )
    for path, answer, methods in (*routes, *own):
        app.add_api_route(path, answer, methods=list(methods), response_model=None)
    app.add_middleware(SecurityMiddleware, rules=rules)
    _add_error_pages(app, rules)
    return app


def _add_error_pages(app: FastAPI, rules: SecurityRules) -> None:
    """Answer every failure with one plain page that says nothing about us and repeats nothing of theirs."""

    def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it below
        page = rules.error_page(error.status_code, request.scope)
        if error.status_code == 405:
            page.headers["allow"] = ", ".join(_allowed_methods(app, request))
        return page

    def on_failure(request: Request, _: Exception) -> Response:
        # This answer is made outside the guard, which therefore cannot dress it.
        page = rules.error_page(500, request.scope)
        add_security_headers(MutableHeaders(raw=page.raw_headers), request.url.path, rules)
        return page

    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(TokenError, lambda request, _: rules.error_page(404, request.scope))
    app.add_exception_handler(StatusError, lambda request, _: rules.error_page(409, request.scope))
    app.add_exception_handler(Exception, on_failure)


def _allowed_methods(app: FastAPI, request: Request) -> list[str]:
    # The router's own answer names the methods of the first route on the path, not of all.
    matching = [route for route in app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in matching for method in getattr(route, "methods", ())})
