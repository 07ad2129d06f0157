"""Unsubscribing: the mail program's own button (one-click, RFC 8058), our page, and the way back."""

from dataclasses import replace
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from mailer.selfservice.unsubscribe import (
    REASON_LABELS,
    RESUBSCRIBE_SENTENCES,
    UNDO_SENTENCES,
    UNSUBSCRIBE_SENTENCES,
    read_subscription,
    record_reason,
    resubscribe_by_link,
    unsubscribe_by_link,
)
from mailer.web.dependencies import BodyDep
from mailer.web.forms import FormDep, parse_form
from mailer.web.page_context import FormPageDep, PageDep
from mailer.web.routing import GET, POST, Route

_RESUBSCRIBE_SENTENCES = MappingProxyType({"undo": UNDO_SENTENCES, "again": RESUBSCRIBE_SENTENCES})
"""The sentences above the two buttons that resubscribe a reader, by the value the button sends."""


def show_unsubscribe(page: PageDep, token: str) -> Response:
    """Show the page with the unsubscribe button. Scanners open it too, so it writes nothing."""
    subscription = read_subscription(page.engine, page.keys, token)
    template = "unsubscribe.html" if subscription.is_member else "not_subscribed.html"
    return page.render_for_reader(template, token, subscription)


def post_unsubscribe(page: PageDep, token: str, body: BodyDep) -> Response:
    """Unsubscribe the reader: for a mail program (RFC 8058, without cookies or context) or for our own page.
    Anything posted here is a request to unsubscribe, even with a body that cannot be read.
    """
    now = page.site.clock()
    if is_one_click(body):
        page.site.unsubscribe_batcher.unsubscribe(token, now=now)
        return PlainTextResponse("Unsubscribed.\n")
    page = replace(page, form_language=_read_form_language(body))
    subscription = unsubscribe_by_link(
        page.engine,
        page.keys,
        token,
        now=now,
        wording=page.join_sentences(UNSUBSCRIBE_SENTENCES),
        language=page.translator.tag,
    )
    return page.render_for_reader("unsubscribed.html", token, subscription, reasons=REASON_LABELS.items())


def post_resubscribe(page: FormPageDep, form: FormDep, token: str) -> Response:
    wording = page.join_sentences(_RESUBSCRIBE_SENTENCES.get(form.get("from"), ()))
    subscription = resubscribe_by_link(
        page.engine,
        page.keys,
        token,
        wording=wording,
        now=page.site.clock(),
        language=page.translator.tag,
    )
    return page.render_for_reader("resubscribed.html", token, subscription)


def post_reason(page: FormPageDep, form: FormDep, token: str) -> Response:
    """Record why a reader unsubscribed, if they say so."""
    reason = form.get("reason")
    subscription = record_reason(page.engine, page.keys, token, reason, now=page.site.clock())
    return page.render_for_reader("reason_recorded.html", token, subscription)


def is_one_click(body: bytes) -> bool:
    """Return whether a body is an RFC 8058 one-click request, in either encoding and even if malformed."""
    return b"List-Unsubscribe" in body and b"One-Click" in body


def _read_form_language(body: bytes) -> str:
    try:
        return parse_form(body).language
    except HTTPException:
        return ""


ROUTES: tuple[Route, ...] = (
    ("/u/{token}", show_unsubscribe, GET),
    ("/u/{token}", post_unsubscribe, POST),
    # A reader who opens these by their address gets the page they came from.
    ("/u/{token}/undo", show_unsubscribe, GET),
    ("/u/{token}/undo", post_resubscribe, POST),
    ("/u/{token}/reason", show_unsubscribe, GET),
    ("/u/{token}/reason", post_reason, POST),
)
