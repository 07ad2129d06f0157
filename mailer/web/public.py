"""The pages behind the links in a mail. GET shows and changes nothing; POST acts."""

from collections.abc import Callable
from types import MappingProxyType
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.feedback import leaving
from mailer.feedback.choosing import LONGEST_NAME, Choosing, Offer, read_choices, read_form, save_choices
from mailer.feedback.leaving import Standing
from mailer.web.choices import list_countries, list_languages
from mailer.web.site import Body, Site, TheSite

_LOOK = ("GET", "HEAD")
_MOST_FIELDS = 200
_WORDS_ABOVE = MappingProxyType({"undo": leaving.UNDOING_WORDS, "again": leaving.RETURNING_WORDS})
"""The words above the two buttons that bring a reader back, by what the button sends."""


def show_leaving(site: TheSite, token: str) -> Response:
    """The page with the button. Scanners and previews open it too, so it writes nothing."""
    standing = leaving.read_standing(site.engine, site.workspace.keys, token)
    return _page(site, "leave.html" if standing.is_member else "away.html", token, standing)


def act_leave(site: TheSite, token: str, body: Body) -> Response:
    """Let the reader leave, whoever posts: a mail program (RFC 8058, no cookie, no context) or our own page.

    Anything posted here is a wish to leave, so a body that cannot be read takes nothing from it.
    """
    method = "one-click" if is_one_click(body) else "page"
    standing = leaving.leave(site.engine, site.workspace.keys, token, method=method, now=site.clock())
    return _page(site, "left.html", token, standing)


def act_return(site: TheSite, token: str, body: Body) -> Response:
    """Put a reader back on the list by their own hand."""
    words = _WORDS_ABOVE.get(dict(_read_fields(body)).get("from", ""), "")
    standing = leaving.come_back(site.engine, site.workspace.keys, token, words=words, now=site.clock())
    return _page(site, "returned.html", token, standing)


def show_preferences(site: TheSite, token: str) -> Response:
    """The form as it stands."""
    choosing = read_choices(site.engine, site.workspace.keys, token, today=site.clock().date())
    return _show_form(site, token, choosing)


def act_preferences(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """Save the form, or show it again with what is wrong."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise HTTPException(415)
    form = read_form(_read_fields(body))
    choosing = save_choices(
        site.engine, site.workspace.keys, token, form, offer=_offer(site), method="page", now=site.clock()
    )
    return _show_form(site, token, choosing, status=422 if choosing.complaints else 200)


def is_one_click(body: bytes) -> bool:
    """Whether a body is what RFC 8058 has mail programs send, in either encoding and however broken."""
    return b"List-Unsubscribe" in body and b"One-Click" in body


_FORM = "application/x-www-form-urlencoded"

ROUTES: tuple[tuple[str, Callable[..., Response], tuple[str, ...]], ...] = (
    ("/u/{token}", show_leaving, _LOOK),
    ("/u/{token}", act_leave, ("POST",)),
    # Somebody who reloads the page of an undo by its address gets the page they came from.
    ("/u/{token}/undo", show_leaving, _LOOK),
    ("/u/{token}/undo", act_return, ("POST",)),
    ("/p/{token}", show_preferences, _LOOK),
    ("/p/{token}", act_preferences, ("POST",)),
)


def _page(
    site: Site, template: str, token: str, standing: Standing, *, status: int = 200, **words: object
) -> Response:
    prefix = site.pages.prefix
    return site.pages.show(
        template,
        status=status,
        standing=standing,
        leave_path=f"{prefix}/u/{token}",
        preferences_path=f"{prefix}/p/{token}",
        **words,
    )


def _show_form(site: Site, token: str, choosing: Choosing, *, status: int = 200) -> Response:
    offer = _offer(site)
    return _page(
        site,
        "preferences.html",
        token,
        choosing.standing,
        status=status,
        form=choosing.form,
        complaints=choosing.complaints,
        saved=choosing.saved,
        paused_until=choosing.paused_until,
        countries=list_countries(site.workspace.settings.countries),
        sectors=tuple(site.workspace.settings.sectors.items()),
        languages=list_languages(choosing.form.language),
        first_day=offer.first_day,
        last_day=offer.last_day,
        longest_name=LONGEST_NAME,
    )


def _offer(site: Site) -> Offer:
    settings = site.workspace.settings
    return Offer(
        countries=frozenset(code for code, _ in list_countries(settings.countries)),
        sectors=frozenset(settings.sectors),
        languages=frozenset(tag for tag, _ in list_languages("")),
        today=site.clock().date(),
    )


def _read_fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400) from error
