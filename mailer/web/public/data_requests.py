"""The pages for what needs a fresh link: a copy of one's data, erasure, another address."""

import json
from collections.abc import Callable

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.database.models import LetterKind
from mailer.i18n import NATIVE_NAMES
from mailer.selfservice import data_requests, letter_requests, unsubscribe
from mailer.web.dependencies import Body, Site, TheSite
from mailer.web.language import choose_tongue, read_said
from mailer.web.public.preferences import find_paths, read_own_form, show_page
from mailer.web.public.signup import read_visitor, show_plain, show_spent
from subscribers.errors import AddressError, TokenError
from subscribers.tokens import Purpose

_LOOK = ("GET", "HEAD")
_WISHES = {
    "export": LetterKind.export,
    "address": LetterKind.address,
    "erase": LetterKind.erase,
}


def show_wishes(site: TheSite, request: Request, token: str) -> Response:
    """What can be asked for through the link of any newsletter: that a fresh link be mailed."""
    standing = unsubscribe.read_standing(site.engine, site.workspace.keys, token)
    if not standing.address:
        raise TokenError
    return show_page(site, request, "data.html", token, standing)


def act_wish(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """Have the fresh link mailed to the address itself."""
    fields = dict(read_own_form(request, body))
    said = read_said(fields)
    kind = _WISHES.get(fields.get("wish", ""))
    if kind is None:
        raise HTTPException(400)
    keys = site.workspace.keys
    standing = unsubscribe.read_standing(site.engine, keys, token)
    visitor = read_visitor(site, request, choose_tongue(request.scope, said=said, mail=standing.language))
    try:
        letter_requests.ask_for_errand(site.engine, keys, kind, token, visitor)
    except letter_requests.TooManyError as error:
        raise HTTPException(429) from error
    return show_page(
        site, request, "mailed.html", token, standing, said=said, words=letter_requests.ASKED_FOR_ERRAND
    )


def show_export(site: TheSite, request: Request, token: str) -> Response:
    """The button that downloads a copy of one's data."""
    return _show(site, request, token, Purpose.export, "export.html")


def act_export(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """Everything known about whoever the link was mailed to, as a file."""
    said = read_said(dict(read_own_form(request, body)))
    try:
        known = data_requests.export(site.workspace, site.engine, token)
    except TokenError:
        return show_spent(site, request, said=said)
    return Response(
        json.dumps(known, ensure_ascii=False, indent=2),
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="my-data.json"'},
    )


def show_erasing(site: TheSite, request: Request, token: str) -> Response:
    """What erasing means, and the button."""
    return _show(site, request, token, Purpose.erase, "erase.html")


def act_erase(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """Erase whoever the link was mailed to."""
    said = read_said(dict(read_own_form(request, body)))
    evidence = read_visitor(site, request, choose_tongue(request.scope, said=said)).evidence
    try:
        data_requests.erase(site.workspace, site.engine, token, evidence=evidence)
    except TokenError:
        return show_spent(site, request, said=said)
    return show_plain(site, request, "erased.html", said=said)


def show_address_form(site: TheSite, request: Request, token: str) -> Response:
    """The form for a new address."""
    return _show(site, request, token, Purpose.address, "address.html", email="", hint="")


def act_address(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """Have the new address confirmed. The answer is the same whoever the address belongs to."""
    fields = dict(read_own_form(request, body))
    said, email = read_said(fields), fields.get("email", "")
    visitor = read_visitor(site, request, choose_tongue(request.scope, said=said))
    try:
        data_requests.name_address(site.engine, site.workspace.keys, token, email, visitor)
    except TokenError:
        return show_spent(site, request, said=said)
    except AddressError:
        return _show(
            site,
            request,
            token,
            Purpose.address,
            "address.html",
            said=said,
            status=422,
            email=email[:320],
            hint=letter_requests.NO_ADDRESS,
        )
    return show_plain(site, request, "mailed.html", said=said, words=letter_requests.ASKED_TO_MOVE)


def show_moving(site: TheSite, request: Request, token: str) -> Response:
    """The page behind the link of the letter to a new address. It writes nothing."""
    return _show(site, request, token, Purpose.new_address, "move.html")


def act_move(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """Send the newsletter to the new address from now on."""
    said = read_said(dict(read_own_form(request, body)))
    tongue = choose_tongue(request.scope, said=said)
    evidence = read_visitor(site, request, tongue).evidence
    try:
        moved = data_requests.move(
            site.engine, site.workspace.keys, token, language=tongue.tag, evidence=evidence
        )
    except TokenError:
        return show_spent(site, request, said=said)
    return show_page(site, request, "moved.html", moved.token, moved.standing, said=said)


ROUTES: tuple[tuple[str, Callable[..., Response], tuple[str, ...]], ...] = (
    ("/p/{token}/data", show_wishes, _LOOK),
    ("/p/{token}/data", act_wish, ("POST",)),
    ("/d/export/{token}", show_export, _LOOK),
    ("/d/export/{token}", act_export, ("POST",)),
    ("/d/erase/{token}", show_erasing, _LOOK),
    ("/d/erase/{token}", act_erase, ("POST",)),
    ("/d/address/{token}", show_address_form, _LOOK),
    ("/d/address/{token}", act_address, ("POST",)),
    ("/d/move/{token}", show_moving, _LOOK),
    ("/d/move/{token}", act_move, ("POST",)),
)


def _show(
    site: Site,
    request: Request,
    token: str,
    purpose: Purpose,
    template: str,
    *,
    said: str = "",
    status: int = 200,
    **words: object,
) -> Response:
    """A page about the link behind ``token``."""
    try:
        errand = data_requests.look(site.engine, site.workspace.keys, token, purpose)
    except TokenError:
        return show_spent(site, request, said=said)
    return show_plain(
        site,
        request,
        template,
        said=said,
        status=status,
        **{
            "languages": None if request.method == "POST" else NATIVE_NAMES.items(),
            # The form goes where the page is, in the language its address asked for.
            "action": "",
            "standing": errand.standing,
            "address": errand.detail,
            **find_paths(site.pages.prefix, token, ""),
            **words,
        },
    )
