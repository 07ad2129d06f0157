"""The pages for what needs a fresh link: a copy of one's data, erasure, another address."""

import json
from collections.abc import Callable

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.database.models import LetterKind
from mailer.i18n import NATIVE_NAMES
from mailer.selfservice import data_requests, letter_requests, unsubscribe
from mailer.web.dependencies import BodyDep, Site, SiteDep
from mailer.web.language import choose_translator, read_form_language
from mailer.web.public.preferences import make_reader_paths, parse_own_form, render_reader_page
from mailer.web.public.signup import read_visitor, render_expired_link, render_public_page
from subscribers.errors import AddressError, TokenError
from subscribers.tokens import LinkPurpose

_READ_METHODS = ("GET", "HEAD")
_LETTER_KINDS = {
    "export": LetterKind.export,
    "address": LetterKind.address,
    "erase": LetterKind.erase,
}


def show_data_requests(site: SiteDep, request: Request, token: str) -> Response:
    """What can be asked for through the link of any newsletter: that a fresh link be mailed."""
    standing = unsubscribe.read_subscription(site.engine, site.workspace.keys, token)
    if not standing.address:
        raise TokenError
    return render_reader_page(site, request, "data.html", token, standing)


def post_data_request(site: SiteDep, request: Request, token: str, body: BodyDep) -> Response:
    """Have the fresh link mailed to the address itself."""
    fields = dict(parse_own_form(request, body))
    said = read_form_language(fields)
    kind = _LETTER_KINDS.get(fields.get("wish", ""))
    if kind is None:
        raise HTTPException(400)
    keys = site.workspace.keys
    standing = unsubscribe.read_subscription(site.engine, keys, token)
    visitor = read_visitor(site, request, choose_translator(request.scope, said=said, mail=standing.language))
    try:
        letter_requests.request_data_link(site.engine, keys, kind, token, visitor)
    except letter_requests.TooManyRequestsError as error:
        raise HTTPException(429) from error
    return render_reader_page(
        site, request, "mailed.html", token, standing, said=said, words=letter_requests.DATA_LINK_REQUESTED
    )


def show_export(site: SiteDep, request: Request, token: str) -> Response:
    """The button that downloads a copy of one's data."""
    return _render_link_page(site, request, token, LinkPurpose.export, "export.html")


def post_export(site: SiteDep, request: Request, token: str, body: BodyDep) -> Response:
    """Everything known about whoever the link was mailed to, as a file."""
    said = read_form_language(dict(parse_own_form(request, body)))
    try:
        known = data_requests.export_data(site.workspace, site.engine, token)
    except TokenError:
        return render_expired_link(site, request, said=said)
    return Response(
        json.dumps(known, ensure_ascii=False, indent=2),
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="my-data.json"'},
    )


def show_erasure(site: SiteDep, request: Request, token: str) -> Response:
    """What erasing means, and the button."""
    return _render_link_page(site, request, token, LinkPurpose.erase, "erase.html")


def post_erasure(site: SiteDep, request: Request, token: str, body: BodyDep) -> Response:
    """Erase whoever the link was mailed to."""
    said = read_form_language(dict(parse_own_form(request, body)))
    evidence = read_visitor(site, request, choose_translator(request.scope, said=said)).evidence
    try:
        data_requests.erase_data(site.workspace, site.engine, token, evidence=evidence)
    except TokenError:
        return render_expired_link(site, request, said=said)
    return render_public_page(site, request, "erased.html", said=said)


def show_address_form(site: SiteDep, request: Request, token: str) -> Response:
    """The form for a new address."""
    return _render_link_page(site, request, token, LinkPurpose.address, "address.html", email="", hint="")


def post_address_form(site: SiteDep, request: Request, token: str, body: BodyDep) -> Response:
    """Have the new address confirmed. The answer is the same whoever the address belongs to."""
    fields = dict(parse_own_form(request, body))
    said, email = read_form_language(fields), fields.get("email", "")
    visitor = read_visitor(site, request, choose_translator(request.scope, said=said))
    try:
        data_requests.request_address_change(site.engine, site.workspace.keys, token, email, visitor)
    except TokenError:
        return render_expired_link(site, request, said=said)
    except AddressError:
        return _render_link_page(
            site,
            request,
            token,
            LinkPurpose.address,
            "address.html",
            said=said,
            status=422,
            email=email[:320],
            hint=letter_requests.INVALID_ADDRESS,
        )
    return render_public_page(
        site, request, "mailed.html", said=said, words=letter_requests.ADDRESS_CHANGE_REQUESTED
    )


def show_address_confirmation(site: SiteDep, request: Request, token: str) -> Response:
    """The page behind the link of the letter to a new address. It writes nothing."""
    return _render_link_page(site, request, token, LinkPurpose.new_address, "move.html")


def post_address_confirmation(site: SiteDep, request: Request, token: str, body: BodyDep) -> Response:
    """Send the newsletter to the new address from now on."""
    said = read_form_language(dict(parse_own_form(request, body)))
    tongue = choose_translator(request.scope, said=said)
    evidence = read_visitor(site, request, tongue).evidence
    try:
        moved = data_requests.confirm_address_change(
            site.engine, site.workspace.keys, token, language=tongue.tag, evidence=evidence
        )
    except TokenError:
        return render_expired_link(site, request, said=said)
    return render_reader_page(site, request, "moved.html", moved.token, moved.subscription, said=said)


ROUTES: tuple[tuple[str, Callable[..., Response], tuple[str, ...]], ...] = (
    ("/p/{token}/data", show_data_requests, _READ_METHODS),
    ("/p/{token}/data", post_data_request, ("POST",)),
    ("/d/export/{token}", show_export, _READ_METHODS),
    ("/d/export/{token}", post_export, ("POST",)),
    ("/d/erase/{token}", show_erasure, _READ_METHODS),
    ("/d/erase/{token}", post_erasure, ("POST",)),
    ("/d/address/{token}", show_address_form, _READ_METHODS),
    ("/d/address/{token}", post_address_form, ("POST",)),
    ("/d/move/{token}", show_address_confirmation, _READ_METHODS),
    ("/d/move/{token}", post_address_confirmation, ("POST",)),
)


def _render_link_page(
    site: Site,
    request: Request,
    token: str,
    purpose: LinkPurpose,
    template: str,
    *,
    said: str = "",
    status: int = 200,
    **words: object,
) -> Response:
    """A page about the link behind ``token``."""
    try:
        errand = data_requests.read_link_summary(site.engine, site.workspace.keys, token, purpose)
    except TokenError:
        return render_expired_link(site, request, said=said)
    return render_public_page(
        site,
        request,
        template,
        said=said,
        status=status,
        **{
            "languages": None if request.method == "POST" else NATIVE_NAMES.items(),
            # The form goes where the page is, in the language its address asked for.
            "action": "",
            "standing": errand.subscription,
            "address": errand.new_address,
            **make_reader_paths(site.renderer.prefix, token, ""),
            **words,
        },
    )
