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
    FormResult,
    PreferenceOptions,
    PreferencesForm,
    load_form,
    parse_form,
    save_form,
)
from mailer.selfservice.unsubscribe import SubscriptionSummary
from mailer.selfservice.unsubscribe_reasons import REASON_LABELS, record_reason
from mailer.web.dependencies import BodyDep, Site, SiteDep
from mailer.web.form_options import (
    country_codes,
    list_countries,
    list_languages,
    list_sectors,
    own_country_names,
    render_country_options,
)
from mailer.web.language import (
    LANGUAGE_PARAMETER,
    choose_translator,
    read_form_language,
    read_requested_language,
)
from mailer.web.mail_html import render_without_reader, rewrite_media_urls
from mailer.web.security import make_mail_policy
from subscribers.validation import MAX_NAME_LENGTH

_READ_METHODS = ("GET", "HEAD")
_MAX_FIELDS = 200
_RESUBSCRIBE_SENTENCES = MappingProxyType(
    {"undo": unsubscribe.UNDO_SENTENCES, "again": unsubscribe.RESUBSCRIBE_SENTENCES}
)
"""The words above the two buttons that bring a reader back, by what the button sends."""


def show_unsubscribe(site: SiteDep, request: Request, token: str) -> Response:
    """The page with the button. Scanners and previews open it too, so it writes nothing."""
    standing = unsubscribe.read_subscription(site.engine, site.workspace.keys, token)
    return render_reader_page(
        site, request, "leave.html" if standing.is_member else "away.html", token, standing
    )


def post_unsubscribe(site: SiteDep, request: Request, token: str, body: BodyDep) -> Response:
    """Let the reader leave, whoever posts: a mail program (RFC 8058, no cookie, no context) or our own page.

    Anything posted here is a wish to leave, so a body that cannot be read takes nothing from it.
    """
    if is_one_click(body):
        site.unsubscribe_batcher.unsubscribe(token, now=site.clock())
        return PlainTextResponse("Unsubscribed.\n")
    said = _read_form_language(body)
    tongue = choose_translator(request.scope, said=said)
    standing = unsubscribe.unsubscribe_by_link(
        site.engine,
        site.workspace.keys,
        token,
        method="page",
        now=site.clock(),
        wording=tongue.sentence_space.join(map(tongue.translate, unsubscribe.UNSUBSCRIBE_SENTENCES)),
        language=tongue.tag,
    )
    return render_reader_page(
        site, request, "left.html", token, standing, said=said, reasons=REASON_LABELS.items()
    )


def post_resubscribe(site: SiteDep, request: Request, token: str, body: BodyDep) -> Response:
    """Put a reader back on the list by their own hand."""
    fields = dict(parse_fields(body))
    said = read_form_language(fields)
    tongue = choose_translator(request.scope, said=said)
    words = tongue.sentence_space.join(
        map(tongue.translate, _RESUBSCRIBE_SENTENCES.get(fields.get("from", ""), ()))
    )
    standing = unsubscribe.resubscribe_by_link(
        site.engine, site.workspace.keys, token, words=words, now=site.clock(), language=tongue.tag
    )
    return render_reader_page(site, request, "returned.html", token, standing, said=said)


def post_reason(site: SiteDep, request: Request, token: str, body: BodyDep) -> Response:
    """Keep why somebody left, if they say."""
    fields = dict(parse_fields(body))
    standing = record_reason(
        site.engine, site.workspace.keys, token, fields.get("reason", ""), now=site.clock()
    )
    return render_reader_page(site, request, "thanked.html", token, standing, said=read_form_language(fields))


def show_preferences(site: SiteDep, request: Request, token: str) -> Response:
    """The form as it stands."""
    choosing = load_form(site.engine, site.workspace.keys, token, today=site.clock().date())
    return _render_form(site, request, token, choosing)


def post_preferences(site: SiteDep, request: Request, token: str, body: BodyDep) -> Response:
    """Save the form, or show it again with what is wrong."""
    fields = parse_own_form(request, body)
    said = read_form_language(dict(fields))
    choosing = save_form(
        site.engine,
        site.workspace.keys,
        token,
        parse_form(fields),
        offer=_list_options(site),
        method="page",
        now=site.clock(),
        language=said,
    )
    return _render_form(site, request, token, choosing, said=said, status=422 if choosing.errors else 200)


def show_last_edition(site: SiteDep, token: str) -> Response:
    """The last edition as the saved choices show it."""
    choosing = load_form(site.engine, site.workspace.keys, token, today=site.clock().date())
    return _render_edition(site, token, choosing.form)


def show_last_edition_with_choices(site: SiteDep, request: Request, token: str, body: BodyDep) -> Response:
    """The last edition as the choices in the form would show it. Saves nothing."""
    return _render_edition(site, token, parse_form(parse_own_form(request, body)))


def is_one_click(body: bytes) -> bool:
    """Whether a body is what RFC 8058 has mail programs send, in either encoding and however broken."""
    return b"List-Unsubscribe" in body and b"One-Click" in body


_FORM_TYPE = "application/x-www-form-urlencoded"

ROUTES: tuple[tuple[str, Callable[..., Response], tuple[str, ...]], ...] = (
    ("/u/{token}", show_unsubscribe, _READ_METHODS),
    ("/u/{token}", post_unsubscribe, ("POST",)),
    # Somebody who reloads the page of an undo by its address gets the page they came from.
    ("/u/{token}/undo", show_unsubscribe, _READ_METHODS),
    ("/u/{token}/undo", post_resubscribe, ("POST",)),
    ("/u/{token}/reason", show_unsubscribe, _READ_METHODS),
    ("/u/{token}/reason", post_reason, ("POST",)),
    ("/p/{token}", show_preferences, _READ_METHODS),
    ("/p/{token}", post_preferences, ("POST",)),
    ("/p/{token}/look", show_last_edition, _READ_METHODS),
    ("/p/{token}/look", show_last_edition_with_choices, ("POST",)),
)


def render_reader_page(
    site: Site,
    request: Request,
    template: str,
    token: str,
    standing: SubscriptionSummary,
    *,
    said: str = "",
    status: int = 200,
    **words: object,
) -> HTMLResponse:
    """A page of the reader behind ``token``, in the language of the page before (``said``) or of the mail."""
    tongue = choose_translator(request.scope, said=said, mail=standing.language)
    asked = read_requested_language(request.scope)
    # What was posted to is no page to come back to in another language.
    languages = None if request.method == "POST" else NATIVE_NAMES.items()
    paths = make_reader_paths(site.renderer.prefix, token, asked)
    return site.renderer.render(
        template,
        tongue,
        status=status,
        asked=asked,
        **{"standing": standing, "languages": languages, **paths, **words},
    )


def make_reader_paths(prefix: str, token: str, asked: str) -> Mapping[str, str]:
    """Where the pages of a reader link to, in the language the address ``asked`` for."""
    suffix = f"?{LANGUAGE_PARAMETER}={asked}" if asked else ""
    return {
        "leave_path": f"{prefix}/u/{token}{suffix}",
        "undo_path": f"{prefix}/u/{token}/undo{suffix}",
        "reason_path": f"{prefix}/u/{token}/reason{suffix}",
        "preferences_path": f"{prefix}/p/{token}{suffix}",
        "look_path": f"{prefix}/p/{token}/look{suffix}",
        "data_path": f"{prefix}/p/{token}/data{suffix}",
    }


def parse_own_form(request: Request, body: bytes) -> list[tuple[str, str]]:
    """The fields of a form that only our own pages send, in the one encoding that they use."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
        raise HTTPException(415)
    return parse_fields(body)


def parse_fields(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form as a browser sent it."""
    try:
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise HTTPException(400) from error


def _read_form_language(body: bytes) -> str:
    try:
        return read_form_language(dict(parse_fields(body)))
    except HTTPException:
        return ""


def _render_form(
    site: Site, request: Request, token: str, choosing: FormResult, *, said: str = "", status: int = 200
) -> Response:
    settings, offer = site.workspace.settings, _list_options(site)
    tongue = choose_translator(request.scope, said=said, mail=choosing.subscription.language)
    names = own_country_names(settings)
    return render_reader_page(
        site,
        request,
        "preferences.html",
        token,
        choosing.subscription,
        said=said,
        status=status,
        form=choosing.form,
        initial=choosing.initial,
        complaints=choosing.errors,
        saved=choosing.saved,
        paused_until=choosing.paused_until,
        countries=render_country_options(tongue, names, choosing.form.country),
        followed=list_countries(tongue, names, offer.followable_countries | choosing.form.countries),
        sectors=list_sectors(tongue, settings),
        languages_of_mail=list_languages(choosing.form.language),
        first_day=offer.first_day,
        last_day=offer.last_day,
        longest_name=MAX_NAME_LENGTH,
        has_edition=has_last_edition(site.engine, site.workspace.keys, token),
    )


def _list_options(site: Site) -> PreferenceOptions:
    settings = site.workspace.settings
    return PreferenceOptions(
        countries=frozenset(country_codes()),
        sectors=frozenset(settings.sectors),
        languages=frozenset(tag for tag, _ in list_languages("")),
        today=site.clock().date(),
        followable_countries=frozenset(settings.countries),
    )


def _render_edition(site: Site, token: str, form: PreferencesForm) -> Response:
    """The mail without its reader, in a sandbox of its own."""
    found = find_last_edition(site.engine, site.workspace.keys, token, form)
    if found is None:
        raise HTTPException(404)
    settings = site.workspace.settings
    html = render_without_reader(found.content, settings, found.variant)
    policy = make_mail_policy(images="'self' data:", ancestors="'none'")
    return HTMLResponse(
        rewrite_media_urls(html, settings.web.base_url, site.renderer.prefix),
        headers={"content-security-policy": policy},
    )


def tongue_of(request: Request, said: str = "") -> Translator:
    """The language of a page that belongs to no mail."""
    return choose_translator(request.scope, said=said)
