"""``GET /metrics``: metrics for Prometheus, only for programs on this machine."""

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.campaigns.metrics import CONTENT_TYPE, export_metrics
from mailer.web.dependencies import SiteDep
from mailer.web.hosts import is_loopback, parse_host
from mailer.web.routing import GET, Route

_PROXY_HEADERS = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")


def show_metrics(site: SiteDep, request: Request) -> Response:
    """Show the current metrics to local programs; for everyone else the page does not exist.

    A proxy on this machine passes on requests from outside, so a request with the headers that proxies add is
    refused too. If your proxy adds none of them, block this path there.
    """
    if not is_local_request(request):
        raise HTTPException(404)
    return Response(export_metrics(site.engine), media_type=CONTENT_TYPE)


def is_local_request(request: Request) -> bool:
    """Return whether the request comes from this machine: by client address, Host, and no proxy headers."""
    if any(name in request.headers for name in _PROXY_HEADERS):
        return False
    address = request.client.host if request.client is not None else ""
    return is_loopback(address) and is_loopback(parse_host(request.headers.get("host", "")))


ROUTES: tuple[Route, ...] = (("/metrics", show_metrics, GET),)
