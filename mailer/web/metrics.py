"""``GET /metrics``: the figures for Prometheus, for programs on this machine alone."""

from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.campaigns.metrics import CONTENT_TYPE, export_metrics
from mailer.web.dependencies import SiteDep

_PROXY_HEADERS = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")


def show_metrics(site: SiteDep, request: Request) -> Response:
    """The figures, as they are now; for everybody else there is no such page.

    A proxy on this machine asks from here for the whole world, so what one has passed on is not answered
    either. It is known by the headers that every proxy adds when told to; whoever runs one that adds none has
    to close this path there.
    """
    if not is_local_request(request):
        raise HTTPException(404)
    return Response(export_metrics(site.engine), media_type=CONTENT_TYPE)


def is_local_request(request: Request) -> bool:
    """Whether a program on this machine asks, for itself: by its address, the name it calls us, no proxy."""
    if any(name in request.headers for name in _PROXY_HEADERS):
        return False
    address = request.client.host if request.client is not None else ""
    return _is_loopback(address) and _is_loopback(_read_host(request.headers.get("host", "")))


def _read_host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


ROUTES: tuple[tuple[str, Callable[..., Response], tuple[str, ...]], ...] = (
    ("/metrics", show_metrics, ("GET", "HEAD")),
)
