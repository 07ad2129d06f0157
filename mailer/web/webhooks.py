"""The addresses that providers post their events to. Programs read the answers, not people.

A request is answered with 200 only after its events are committed; whatever is wrong with us is a 5xx, so
that the provider sends it again. A burst of genuine requests is never refused: only requests that do not show
the secret or a signature are counted, and only their senders are told to wait.
"""

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from threading import Lock
from typing import Annotated

from cachetools import TTLCache
from fastapi import Depends, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from mailer.feedback.context import FeedbackContext
from mailer.feedback.incoming_message import ProviderEvent
from mailer.feedback.intake import receive_event
from mailer.feedback.webhooks.registry import Webhook
from mailer.feedback.webhooks.request import (
    ForgedRequestError,
    MalformedRequestError,
    UnverifiableRequestError,
    WebhookRequest,
)
from mailer.web.dependencies import Site, SiteDep
from mailer.web.routing import POST, Route

PREFIX = "/hooks/"
MAX_BODY_BYTES = 1024 * 1024
"""SendGrid posts some hundreds of events at once, each about a kilobyte."""

_MAX_HELD_BYTES = 32 * MAX_BODY_BYTES
_RETRY_SECONDS = "60"
_MAX_REFUSALS, _REFUSAL_SECONDS, _MAX_CLIENTS = 30, 600, 10_000
_log = logging.getLogger(__name__)


class RefusalCounter:
    """How often each client was refused of late. It is kept in memory: a request of a stranger must not cost
    a write to the database."""

    def __init__(self) -> None:
        self._counts: TTLCache[str, list[int]] = TTLCache(_MAX_CLIENTS, _REFUSAL_SECONDS)
        self._lock = Lock()

    def count(self, client: str) -> int:
        """Count a refusal, and return how many there were in these ten minutes."""
        with self._lock:
            # A list, because storing a new number would begin the ten minutes anew.
            number = self._counts.setdefault(client, [0])
            number[0] += 1
            return number[0]


def make_routes(webhooks: Iterable[Webhook]) -> tuple[Route, ...]:
    refusals = RefusalCounter()
    # The bytes of all bodies at the same time. They come before anybody is known to be a provider, so without
    # a limit strangers could fill the memory.
    held = 0

    async def read_body(request: Request) -> AsyncIterator[bytes]:
        """Return the whole body, limited in size by the security middleware."""
        nonlocal held
        chunks, size = [], 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                held += len(chunk)
                if held > _MAX_HELD_BYTES:
                    raise _ask_to_retry()
                chunks.append(chunk)
            yield b"".join(chunks)
        finally:
            held -= size

    def make_handler(webhook: Webhook) -> Callable[..., Response]:
        def post_events(
            site: SiteDep, request: Request, body: Annotated[bytes, Depends(read_body)]
        ) -> Response:
            now = site.clock()
            headers = {name.lower(): value for name, value in request.headers.items()}
            try:
                events = webhook.read_events(WebhookRequest(headers=headers, body=body, received_at=now))
            except ForgedRequestError as error:
                raise _refuse(webhook, request, refusals) from error
            except MalformedRequestError as error:
                raise HTTPException(400) from error
            except UnverifiableRequestError as error:
                if refusals.count(f"webhook {webhook.name}") == 1:
                    _log.error("Webhook %s: %s", webhook.name, error)
                raise _ask_to_retry() from error
            _receive(site, events, now)
            return PlainTextResponse("Received.\n")

        return post_events

    return tuple((f"{PREFIX}{webhook.name}", make_handler(webhook), POST) for webhook in webhooks)


def _receive(site: Site, events: Iterable[ProviderEvent], now: datetime) -> None:
    """Record every event and act on it. Whatever was committed before a failure does no harm when the
    provider sends it again."""
    context = FeedbackContext(workspace=site.workspace, engine=site.engine)
    try:
        for event in events:
            receive_event(context, event, now=now)
    except SQLAlchemyError as error:
        _log.exception("A webhook's events cannot be stored; the provider will send them again.")
        raise _ask_to_retry() from error


def _refuse(webhook: Webhook, request: Request, refusals: RefusalCounter) -> HTTPException:
    client = request.client.host if request.client else ""
    count = refusals.count(client)
    if count == 1:
        _log.warning("Webhook %s: refused a request without the right secret or signature.", webhook.name)
    if count > _MAX_REFUSALS:
        return HTTPException(429, headers={"retry-after": str(_REFUSAL_SECONDS)})
    if webhook.asks_for_secret:
        return HTTPException(401, headers={"www-authenticate": 'Basic realm="webhook", charset="UTF-8"'})
    return HTTPException(403)


def _ask_to_retry() -> HTTPException:
    return HTTPException(503, headers={"retry-after": _RETRY_SECONDS})
