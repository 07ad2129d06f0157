"""``GET /metrics`` for Prometheus, on a socket of its own: never on the port that readers reach."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mailer.campaigns.metrics import CONTENT_TYPE, export_metrics
from mailer.network import ListenAddress
from mailer.web.access import is_loopback, parse_host
from mailer.workspace import Workspace


def create_metrics_app(workspace: Workspace, address: ListenAddress) -> Starlette:
    """Create the app that answers ``/metrics`` at ``address``, and nothing else."""

    @asynccontextmanager
    async def open_engine(app: Starlette) -> AsyncIterator[None]:
        app.state.engine = workspace.open_database()
        try:
            yield
        finally:
            app.state.engine.dispose()

    local_only = address.path is None and is_loopback(address.host)

    def show_metrics(request: Request) -> Response:
        # Another site's name may resolve to 127.0.0.1 (DNS rebinding), and a browser here would ask for it.
        if local_only and not is_loopback(parse_host(request.headers.get("host", ""))):
            return PlainTextResponse("", status_code=421)
        engine: Engine = request.app.state.engine
        return Response(
            export_metrics(engine), media_type=CONTENT_TYPE, headers={"cache-control": "no-store"}
        )

    return Starlette(routes=[Route("/metrics", show_metrics, methods=["GET"])], lifespan=open_engine)
