"""The pages for what needs a one-time link: a copy of the data, erasure, a change of address."""

import json

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.database.models import TransactionalMailKind
from mailer.selfservice.mail_requests import (
    ADDRESS_CHANGE_REQUESTED,
    DATA_LINK_REQUESTED,
    INVALID_ADDRESS,
    confirm_address_change,
    erase_data,
    export_data,
    read_link_summary,
    request_address_change,
    request_data_link,
)
from mailer.selfservice.rate_limit import TooManyRequestsError
from mailer.selfservice.unsubscribe import read_subscription
from mailer.web.forms import OwnFormDep
from mailer.web.page_context import OwnFormPageDep, PageContext, PageDep, answers_expired_links
from mailer.web.routing import GET, POST, Route
from subscribers.errors import AddressError, TokenError
from subscribers.tokens import LinkPurpose

_MAIL_KINDS = {
    "export": TransactionalMailKind.export,
    "address": TransactionalMailKind.address,
    "erase": TransactionalMailKind.erase,
}


def show_data_requests(page: PageDep, token: str) -> Response:
    """Show what can be requested through the link in any newsletter: a one-time link by email."""
    subscription = read_subscription(page.engine, page.keys, token)
    if not subscription.address:
        raise TokenError
    return page.render_for_reader("data_requests.html", token, subscription)


def post_data_request(page: OwnFormPageDep, form: OwnFormDep, token: str) -> Response:
    """Request a one-time link, mailed to the address itself."""
    kind = _MAIL_KINDS.get(form.get("wish"))
    if kind is None:
        raise HTTPException(400)
    subscription = read_subscription(page.engine, page.keys, token)
    visitor = page.for_email_in(subscription.language).read_visitor()
    try:
        request_data_link(page.engine, page.keys, kind, token, visitor)
    except TooManyRequestsError as error:
        raise HTTPException(429) from error
    return page.render_for_reader("check_email.html", token, subscription, message=DATA_LINK_REQUESTED)


@answers_expired_links
def show_export(page: PageDep, token: str) -> Response:
    return _render_link_page(page, token, LinkPurpose.export, "export.html")


@answers_expired_links
def post_export(page: OwnFormPageDep, token: str) -> Response:
    """Return all data about the subscriber the link was mailed to, as a file."""
    return Response(
        json.dumps(export_data(page.engine, page.keys, token), ensure_ascii=False, indent=2),
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="my-data.json"'},
    )


@answers_expired_links
def show_erasure(page: PageDep, token: str) -> Response:
    return _render_link_page(page, token, LinkPurpose.erase, "erase.html")


@answers_expired_links
def post_erasure(page: OwnFormPageDep, token: str) -> Response:
    erase_data(page.site.workspace, page.engine, token, evidence=page.read_visitor().evidence)
    return page.render("erased.html")


@answers_expired_links
def show_address_form(page: PageDep, token: str) -> Response:
    return _render_link_page(page, token, LinkPurpose.address, "change_address.html", email="", hint="")


@answers_expired_links
def post_address_form(page: OwnFormPageDep, form: OwnFormDep, token: str) -> Response:
    """Request a confirmation of the new address. The answer is the same for every address."""
    email = form.get("email")
    try:
        request_address_change(page.engine, page.keys, token, email, page.read_visitor())
    except AddressError:
        return _render_link_page(
            page,
            token,
            LinkPurpose.address,
            "change_address.html",
            status=422,
            email=email[:320],
            hint=INVALID_ADDRESS,
        )
    return page.render("check_email.html", message=ADDRESS_CHANGE_REQUESTED)


@answers_expired_links
def show_address_confirmation(page: PageDep, token: str) -> Response:
    """Show the page behind the link mailed to a new address. Writes nothing."""
    return _render_link_page(page, token, LinkPurpose.new_address, "confirm_address.html")


@answers_expired_links
def post_address_confirmation(page: OwnFormPageDep, token: str) -> Response:
    language, evidence = page.translator.tag, page.read_visitor().evidence
    own_token, subscription = confirm_address_change(
        page.engine, page.keys, token, language=language, evidence=evidence
    )
    return page.render_for_reader("address_changed.html", own_token, subscription)


def _render_link_page(
    page: PageContext,
    token: str,
    purpose: LinkPurpose,
    template: str,
    *,
    status: int = 200,
    **values: object,
) -> Response:
    summary = read_link_summary(page.engine, page.keys, token, purpose)
    return page.render(template, status=status, subscription=summary, address=summary.new_address, **values)


ROUTES: tuple[Route, ...] = (
    ("/p/{token}/data", show_data_requests, GET),
    ("/p/{token}/data", post_data_request, POST),
    ("/d/export/{token}", show_export, GET),
    ("/d/export/{token}", post_export, POST),
    ("/d/erase/{token}", show_erasure, GET),
    ("/d/erase/{token}", post_erasure, POST),
    ("/d/address/{token}", show_address_form, GET),
    ("/d/address/{token}", post_address_form, POST),
    ("/d/move/{token}", show_address_confirmation, GET),
    ("/d/move/{token}", post_address_confirmation, POST),
)
