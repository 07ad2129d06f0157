"""Proving again who one is, signing out, and what a page says whose session has ended."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, RedirectResponse, Response

from mailer.database.team_models import SignInMethod
from mailer.i18n import gettext_noop
from mailer.team.attempt_limits import TooManyAttemptsError
from mailer.team.members import Permission
from mailer.team.passkeys import PasskeyError, list_passkeys
from mailer.team.passwords import find_password
from mailer.team.sessions import TicketPurpose, end_team_session
from mailer.web.forms import OwnFormDep, parse_form
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, Visit, VisitDep
from mailer.web.studio.routing import Routes
from mailer.web.studio.sign_in.arrival import (
    ask_link,
    check_next_path,
    delete_session_cookie,
    read_ticket_cookie,
    refuse_too_many,
    render_sign_in,
    sign_in,
)
from mailer.web.studio.sign_in.ways import PASSKEY_REFUSED, check_passkey, try_password
from mailer.web.studio.state import PATH, get_state
from mailer.web.upload import read_uploaded_form

ROUTES = Routes()

CONFIRMED_FOR = timedelta(minutes=10)
"""How long a proof of who one is counts for such acts."""

_WRONG_PASSWORD = gettext_noop("This is not your password. Try again, or have a link mailed.")
_BESIDE = "/signed-in"
"""Where a sign-in in another tab ends."""
_SAFE_METHODS = frozenset({"GET", "HEAD"})
# Secrets are not sent back into a page.
_SECRET_FIELDS = ("password", "credential")
_LONG = 80
_MOST_BYTES = 41 * 1024 * 1024
"""More than any form but that of a list to import, of which nothing could be kept in a page."""
_MOST_BYTES_OF_STRANGERS = 256 * 1024
"""More than anybody types. Every form is held in memory, and strangers may send any number at once."""


class ConfirmationRequiredError(Exception):
    """The member has to prove again who they are; the app leads them to the page for it."""


def require_confirmed(page: StudioPage) -> None:
    """Refuse what a member may only do shortly after proving who they are. Raise ConfirmationRequiredError if
    that was more than ten minutes ago."""
    if page.state.clock() - page.signed_in.confirmed_at >= CONFIRMED_FOR:
        raise ConfirmationRequiredError


@ROUTES.get_route("/confirm", Permission.read)
def show_confirmation(page: PageDep) -> Response:
    return _render(page, check_next_path(page.request.query_params.get("next", "")))


@ROUTES.post_route("/confirm", Permission.read)
def confirm_with_password(page: PageDep, form: OwnFormDep) -> Response:
    next_path = check_next_path(form.get("next"))
    try:
        member = try_password(page, page.member.email, form.get("password"))
    except TooManyAttemptsError as error:
        return refuse_too_many(page, error, **_list_ways(page, next_path))
    if member is None:
        return _render(page, next_path, ("password", page.translate(_WRONG_PASSWORD)))
    with page.writing() as session:
        return sign_in(page, session, page.member, SignInMethod.password, next_path)


@ROUTES.post_route("/confirm/passkey", Permission.read)
def confirm_with_passkey(page: PageDep, form: OwnFormDep) -> Response:
    """Prove it with a passkey of the same member."""
    next_path = check_next_path(form.get("next"))
    try:
        with page.writing() as session:
            member = check_passkey(page, session, form.get("credential"))
            if member.id != page.member.id:
                raise PasskeyError
            return sign_in(page, session, member, SignInMethod.passkey, next_path)
    except PasskeyError:
        return _render(page, next_path, ("", page.translate(PASSKEY_REFUSED)))


@ROUTES.post_route("/confirm/link", Permission.read)
def mail_confirmation_link(page: PageDep, form: OwnFormDep) -> Response:
    """Mail the member a link: it signs them in anew."""
    return ask_link(page, page.member.email, check_next_path(form.get("next")), counts_network=False)


def _render(page: StudioPage, next_path: str, *errors: tuple[str, str]) -> Response:
    return render_sign_in(page, *errors, **_list_ways(page, next_path))


def _list_ways(page: StudioPage, next_path: str) -> dict[str, Any]:
    return {
        "template": "confirm.html",
        "next_path": next_path,
        "has_password": find_password(page.session, page.member.id) is not None,
        "has_passkey": bool(list_passkeys(page.session, page.member.id)),
    }


@ROUTES.post_route("/sign-out", None)
def sign_out(visit: VisitDep) -> Response:
    if visit.signed_in is not None:
        with visit.state.write_session() as session:
            end_team_session(session, visit.signed_in.session_id)
    response = visit.redirect("/sign-in", Notice.signed_out)
    delete_session_cookie(response, visit.state)
    return response


@ROUTES.get_route("/signed-in", None)
def show_signed_in(visit: VisitDep) -> Response:
    """Tell who signed in beside a page with unsaved words that they can go back to it."""
    if visit.signed_in is None:
        return visit.redirect("/sign-in", next="/signed-in")
    return visit.render("signed_in.html")


async def ask_to_sign_in(request: Request, _: Exception) -> Response:
    return await _answer(request, "sign-in", 401, "sign_in")


async def ask_to_confirm(request: Request, _: Exception) -> Response:
    """Answer a request for which a member has to prove again who they are."""
    return await _answer(request, "confirm", 403, "confirm")


async def _answer(request: Request, page: str, status: int, key: str) -> Response:
    visit = Visit(state=get_state(request), request=request)
    beside = visit.make_path(f"/{page}", next=_BESIDE)
    if _wants_json(request):
        return JSONResponse({key: beside}, status_code=status)
    if visit.is_fragment:
        response = visit.render("session_notice.html", status=status, page=page, beside=beside)
        response.headers["hx-retarget"] = response.headers["hx-reselect"] = "#session-notice"
        response.headers["hx-reswap"] = "outerHTML"
        return response
    if request.method in _SAFE_METHODS:
        prefix = visit.state.renderer.prefix
        return RedirectResponse(f"{prefix}/{page}?next={quote(find_here(request), safe='')}", status_code=303)
    # With a browser by which somebody was signed in before, it is no stranger.
    is_known = read_ticket_cookie(visit, TicketPurpose.known) is not None
    return visit.render(
        "session_ended.html",
        status=status,
        page=page,
        beside=beside,
        action=visit.make_path(find_here(request)),
        sent=await _read_sent(request, _MOST_BYTES if is_known else _MOST_BYTES_OF_STRANGERS),
    )


def find_here(request: Request) -> str:
    """Return the path of the page that was asked for, below Studio, with its query."""
    path = quote(request.scope["path"].removeprefix(PATH)) or "/"
    return f"{path}?{request.url.query}" if request.url.query else path


def _wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


async def _read_sent(request: Request, most_bytes: int) -> Mapping[str, Any]:
    """Return what a page keeps of a form that was sent: its fields in their order, and the values that
    somebody has written, as far as one can tell by their length. Files cannot be kept, and secrets are not.
    """
    fields: list[tuple[str, str]] = []
    file_names: Collection[str] = ()
    is_multipart = False
    with suppress(HTTPException, ClientDisconnect):
        body = await _read_body(request, most_bytes)
        uploaded = read_uploaded_form(body, request.headers.get("content-type", ""))
        if uploaded is None:
            fields = parse_form(body).fields
        else:
            file_names, is_multipart = uploaded.file_names, True
            texts = [(name, data) for name, data in uploaded.values.items() if name not in file_names]
            fields = [(name, data.decode("utf-8", "replace")) for name, data in texts]
    kept = [(name, text) for name, text in fields if not any(word in name for word in _SECRET_FIELDS)]
    return {
        "fields": kept,
        "written": [text for _, text in kept if len(text) > _LONG or "\n" in text],
        "has_files": bool(file_names),
        "is_multipart": is_multipart,
    }


async def _read_body(request: Request, most_bytes: int) -> bytes:
    """Read what was sent, but not a file so large that it would fill the memory. Raise HTTPException if it is
    larger than ``most_bytes``.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise HTTPException(413)
        parts.append(part)
    return b"".join(parts)
