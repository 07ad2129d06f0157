"""Signing out, and what a page says whose session has ended."""

from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, RedirectResponse, Response

from mailer.team.sessions import TicketPurpose, end_team_session
from mailer.web.forms import parse_form
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import Visit, VisitDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import delete_session_cookie, read_ticket_cookie
from mailer.web.studio.state import PATH, get_state
from mailer.web.upload import read_uploaded_form


def sign_out(visit: VisitDep) -> Response:
    """End the session of this browser."""
    if visit.signed_in is not None:
        with visit.state.write_session() as session:
            end_team_session(session, visit.signed_in.session_id)
    response = visit.redirect("/sign-in", Notice.signed_out)
    delete_session_cookie(response, visit.state)
    return response


def show_signed_in(visit: VisitDep) -> Response:
    """Tell who signed in beside a page with unsaved words that they can go back to it."""
    if visit.signed_in is None:
        return visit.redirect("/sign-in", next="/signed-in")
    return visit.render("signed_in.html")


ROUTES = (
    StudioRoute("/sign-out", sign_out, POST, None),
    StudioRoute("/signed-in", show_signed_in, GET, None),
)

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


@dataclass(frozen=True, kw_only=True)
class SentForm:
    """What a form has sent: its fields in their order, and whether files were among them, which a page cannot
    keep."""

    fields: tuple[tuple[str, str], ...] = ()
    has_files: bool = False
    is_multipart: bool = False

    @property
    def written(self) -> tuple[str, ...]:
        """The values that somebody has written, as far as one can tell by their length."""
        return tuple(value for _, value in self.fields if len(value) > _LONG or "\n" in value)


async def ask_to_sign_in(request: Request, _: Exception) -> Response:
    """Answer a request for a member's page by somebody who is not signed in."""
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
    return visit.render(
        "session_ended.html",
        status=status,
        page=page,
        beside=beside,
        action=visit.make_path(find_here(request)),
        sent=await _read_form(request, _MOST_BYTES if _is_known(visit) else _MOST_BYTES_OF_STRANGERS),
    )


def find_here(request: Request) -> str:
    """The path of the page that was asked for, below Studio, with its query."""
    path = quote(request.scope["path"].removeprefix(PATH)) or "/"
    return f"{path}?{request.url.query}" if request.url.query else path


def _wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def _is_known(visit: Visit) -> bool:
    """Whether somebody is or was signed in with this browser."""
    return visit.signed_in is not None or read_ticket_cookie(visit, TicketPurpose.known) is not None


async def _read_form(request: Request, most_bytes: int) -> SentForm:
    content_type = request.headers.get("content-type", "")
    try:
        body = await _read_body(request, most_bytes)
        uploaded = read_uploaded_form(body, content_type)
        if uploaded is None:
            fields = parse_form(body).fields
            return SentForm(fields=tuple(field for field in fields if not _is_secret(field[0])))
    except (HTTPException, ClientDisconnect):
        return SentForm()
    return SentForm(
        fields=tuple(
            (name, value.decode("utf-8", "replace"))
            for name, value in uploaded.values.items()
            if name not in uploaded.file_names and not _is_secret(name)
        ),
        has_files=bool(uploaded.file_names),
        is_multipart=True,
    )


async def _read_body(request: Request, most_bytes: int) -> bytes:
    """Read what was sent, but not a file so large that it would fill the memory.

    Raises:
        HTTPException: it is larger than ``most_bytes``.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise HTTPException(413)
        parts.append(part)
    return b"".join(parts)


def _is_secret(name: str) -> bool:
    return any(word in name for word in _SECRET_FIELDS)
