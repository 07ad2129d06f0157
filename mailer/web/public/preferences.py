"""The pages behind the links in a mail. GET shows and changes nothing; POST acts."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from mailer.i18n import NATIVE_NAMES, Translator
from mailer.selfservice import unsubscribe
from mailer.selfservice.last_edition import find_last_edition, has_last_edition
from mailer.selfservice.preferences import (
    LONGEST_NAME,
    Choosing,
    Form,
    Offer,
    read_choices,
    read_form,
    save_choices,
)
from mailer.selfservice.unsubscribe import Standing
from mailer.selfservice.unsubscribe_reasons import REASONS, give_reason
from mailer.web.dependencies import Body, Site, TheSite
from mailer.web.form_options import (
    country_codes,
    country_names,
    list_countries,
    list_languages,
    list_sectors,
    write_options,
)
from mailer.web.language import PARAMETER, choose_tongue, read_asked, read_said
from mailer.web.mail_html import localise_media, neutralise
from mailer.web.security import mail_policy

_LOOK = ("GET", "HEAD")
_MOST_FIELDS = 200
_WORDS_ABOVE = MappingProxyType({"undo": unsubscribe.UNDOING, "again": unsubscribe.RETURNING})
"""The words above the two buttons that bring a reader back, by what the button sends."""


def show_leaving(site: TheSite, request: Request, token: str) -> Response:
    """The page with the button. Scanners and previews open it too, so it writes nothing."""
    standing = unsubscribe.read_standing(site.engine, site.workspace.keys, token)
    return show_page(site, request, "leave.html" if standing.is_member else "away.html", token, standing)


def act_leave(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """Let the reader leave, whoever posts: a mail program (RFC 8058, no cookie, no context) or our own page.

    Anything posted here is a wish to leave, so a body that cannot be read takes nothing from it.
    """
    if is_one_click(body):
        site.desk.leave(token, now=site.clock())
        return PlainTextResponse("Unsubscribed.\n")
    said = _read_said(body)
    tongue = choose_tongue(request.scope, said=said)
    standing = unsubscribe.leave(
        site.engine,
        site.workspace.keys,
        token,
        method="page",
        now=site.clock(),
        wording=tongue.sentence_space.join(map(tongue.translate, unsubscribe.LEAVING)),
        language=tongue.tag,
    )
    return show_page(site, request, "left.html", token, standing, said=said, reasons=REASONS.items())


def act_return(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """Put a reader back on the list by their own hand."""
    fields = dict(read_fields(body))
    said = read_said(fields)
    tongue = choose_tongue(request.scope, said=said)
    words = tongue.sentence_space.join(map(tongue.translate, _WORDS_ABOVE.get(fields.get("from", ""), ())))
    standing = unsubscribe.come_back(
        site.engine, site.workspace.keys, token, words=words, now=site.clock(), language=tongue.tag
    )
    return show_page(site, request, "returned.html", token, standing, said=said)


def act_reason(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """Keep why somebody left, if they say."""
    fields = dict(read_fields(body))
    standing = give_reason(
        site.engine, site.workspace.keys, token, fields.get("reason", ""), now=site.clock()
    )
    return show_page(site, request, "thanked.html", token, standing, said=read_said(fields))


def show_preferences(site: TheSite, request: Request, token: str) -> Response:
    """The form as it stands."""
    choosing = read_choices(site.engine, site.workspace.keys, token, today=site.clock().date())
    return _show_form(site, request, token, choosing)


def act_preferences(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """Save the form, or show it again with what is wrong."""
    fields = read_own_form(request, body)
    said = read_said(dict(fields))
    choosing = save_choices(
        site.engine,
        site.workspace.keys,
        token,
        read_form(fields),
        offer=_offer(site),
        method="page",
        now=site.clock(),
        language=said,
    )
    return _show_form(site, request, token, choosing, said=said, status=422 if choosing.complaints else 200)


def show_last_edition(site: TheSite, token: str) -> Response:
    """The last edition as the saved choices show it."""
    choosing = read_choices(site.engine, site.workspace.keys, token, today=site.clock().date())
    return _show_edition(site, token, choosing.form)


def try_choices(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """The last edition as the choices in the form would show it. Saves nothing."""
    return _show_edition(site, token, read_form(read_own_form(request, body)))


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
    ("/u/{token}/reason", show_leaving, _LOOK),
    ("/u/{token}/reason", act_reason, ("POST",)),
    ("/p/{token}", show_preferences, _LOOK),
    ("/p/{token}", act_preferences, ("POST",)),
    ("/p/{token}/look", show_last_edition, _LOOK),
    ("/p/{token}/look", try_choices, ("POST",)),
)


def show_page(
    site: Site,
    request: Request,
    template: str,
    token: str,
    standing: Standing,
    *,
    said: str = "",
    status: int = 200,
    **words: object,
) -> HTMLResponse:
    """A page of the reader behind ``token``, in the language of the page before (``said``) or of the mail."""
    tongue = choose_tongue(request.scope, said=said, mail=standing.language)
    asked = read_asked(request.scope)
    # What was posted to is no page to come back to in another language.
    languages = None if request.method == "POST" else NATIVE_NAMES.items()
    paths = find_paths(site.pages.prefix, token, asked)
    return site.pages.show(
        template,
        tongue,
        status=status,
        asked=asked,
        **{"standing": standing, "languages": languages, **paths, **words},
    )


def find_paths(prefix: str, token: str, asked: str) -> Mapping[str, str]:
    """Where the pages of a reader link to, in the language the address ``asked`` for."""
    suffix = f"?{PARAMETER}={asked}" if asked else ""
    return {
        "leave_path": f"{prefix}/u/{token}{suffix}",
        "undo_path": f"{prefix}/u/{token}/undo{suffix}",
        "reason_path": f"{prefix}/u/{token}/reason{suffix}",
        "preferences_path": f"{prefix}/p/{token}{suffix}",
        "look_path": f"{prefix}/p/{token}/look{suffix}",
        "data_path": f"{prefix}/p/{token}/data{suffix}",
    }


def read_own_form(request: Request, body: bytes) -> list[tuple[str, str]]:
    """The fields of a form that only our own pages send, in the one encoding that they use."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise HTTPException(415)
    return read_fields(body)


def read_fields(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form as a browser sent it."""
    try:
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400) from error


def _read_said(body: bytes) -> str:
    try:
        return read_said(dict(read_fields(body)))
    except HTTPException:
        return ""


def _show_form(
    site: Site, request: Request, token: str, choosing: Choosing, *, said: str = "", status: int = 200
) -> Response:
    settings, offer = site.workspace.settings, _offer(site)
    tongue = choose_tongue(request.scope, said=said, mail=choosing.standing.language)
    names = country_names(settings)
    return show_page(
        site,
        request,
        "preferences.html",
        token,
        choosing.standing,
        said=said,
        status=status,
        form=choosing.form,
        initial=choosing.initial,
        complaints=choosing.complaints,
        saved=choosing.saved,
        paused_until=choosing.paused_until,
        countries=write_options(tongue, names, choosing.form.country),
        followed=list_countries(tongue, names, offer.followed | choosing.form.countries),
        sectors=list_sectors(tongue, settings),
        languages_of_mail=list_languages(choosing.form.language),
        first_day=offer.first_day,
        last_day=offer.last_day,
        longest_name=LONGEST_NAME,
        has_edition=has_last_edition(site.engine, site.workspace.keys, token),
    )


def _offer(site: Site) -> Offer:
    settings = site.workspace.settings
    return Offer(
        countries=frozenset(country_codes()),
        sectors=frozenset(settings.sectors),
        languages=frozenset(tag for tag, _ in list_languages("")),
        today=site.clock().date(),
        followed=frozenset(settings.countries),
    )


def _show_edition(site: Site, token: str, form: Form) -> Response:
    """The mail without its reader, in a sandbox of its own."""
    found = find_last_edition(site.engine, site.workspace.keys, token, form)
    if found is None:
        raise HTTPException(404)
    settings = site.workspace.settings
    html = neutralise(found.content, settings, found.variant)
    policy = mail_policy(images="'self' data:", ancestors="'none'")
    return HTMLResponse(
        localise_media(html, settings.web.base_url, site.pages.prefix),
        headers={"content-security-policy": policy},
    )


def tongue_of(request: Request, said: str = "") -> Translator:
    """The language of a page that belongs to no mail."""
    return choose_tongue(request.scope, said=said)
