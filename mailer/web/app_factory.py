"""Assembling an app: its routes, its security middleware, and one plain page for any error."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from mailer.web.access import LocalAccess
from mailer.web.page_renderer import PageRenderer
from mailer.web.routing import GET, Route
from mailer.web.security import SecurityMiddleware, SecurityRules, add_security_headers
from subscribers.errors import RetiredKeyError, StatusError, TokenError

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def assemble_app(
    renderer: PageRenderer, rules: SecurityRules, lifespan: Lifespan, routes: Sequence[Route]
) -> FastAPI:
    """Build an app of ``routes`` behind the security middleware, with our style sheets under ``/static``."""
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        # The paths of readers' pages contain tokens, which must not appear in traces.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )

    def serve_static(request: Request, name: str) -> Response:
        accepted = request.headers.get("accept-encoding", "")
        return renderer.serve_asset(name, accepted) or renderer.render_error(404)

    own: tuple[Route, ...] = (
        ("/static/{name}", serve_static, GET),
        ("/favicon.ico", lambda: renderer.serve_icon(), GET),
    )
    for path, answer, methods in (*routes, *own):
        app.add_api_route(path, answer, methods=list(methods), response_model=None)
    app.add_middleware(SecurityMiddleware, rules=rules)
    _add_error_pages(app, rules)
    return app


def assemble_local_app(
    renderer: PageRenderer,
    access: LocalAccess,
    policy: str,
    lifespan: Lifespan,
    routes: Sequence[Route],
    *,
    name: str,
    command: str,
) -> FastAPI:
    """Build an app for the person at this machine: whoever has the secret of ``access``. To others its page
    calls it by ``name``, as in "This preview", and says that ``command`` has started it."""

    def render_error(status: int, _: Scope) -> Response:
        if status != 403:
            return renderer.render_error(status)
        message = (
            "Only the person who started it can see it. If that is you, open the address that "
            f"{command} has printed in the terminal. It is a new one each time."
        )
        title = f"This {name} is not open to you"
        return renderer.render("error.html", status=403, title=title, message=message, new_link="")

    rules = SecurityRules(
        policy=policy,
        error_page=render_error,
        local_only=True,
        refuses=access.refuses,
        admit=access.admit,
    )
    return assemble_app(renderer, rules, lifespan, routes)


def _add_error_pages(app: FastAPI, rules: SecurityRules) -> None:
    def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it below
        page = rules.error_page(error.status_code, request.scope)
        page.headers.update(error.headers or {})
        if error.status_code == 405:
            page.headers["allow"] = ", ".join(_allowed_methods(app, request))
        return page

    def on_failure(request: Request, _: Exception) -> Response:
        # This response is made outside the security middleware, which therefore cannot add its headers.
        page = rules.error_page(500, request.scope)
        add_security_headers(MutableHeaders(raw=page.raw_headers), request.url.path, rules)
        return page

    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RetiredKeyError, lambda request, _: rules.error_page(410, request.scope))
    app.add_exception_handler(TokenError, lambda request, _: rules.error_page(404, request.scope))
    app.add_exception_handler(StatusError, lambda request, _: rules.error_page(409, request.scope))
    # Nobody is there any more to read the answer; without a handler, each would be a traceback in the log.
    app.add_exception_handler(ClientDisconnect, lambda request, _: rules.error_page(400, request.scope))
    app.add_exception_handler(Exception, on_failure)


def _allowed_methods(app: FastAPI, request: Request) -> list[str]:
    # The router itself would name only the methods of the first route on the path.
    matching = [route for route in app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in matching for method in getattr(route, "methods", ())})
