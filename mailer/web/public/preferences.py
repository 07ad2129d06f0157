"""The pages that the links of a mail open: preferences, unsubscribing, and clicks that are counted.

It leads to no place but those frozen with a campaign, whatever its address says.
"""

import re
from dataclasses import replace
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from locales.countries import country_codes
from mailer.feedback.clicks.request_signs import SIGN_HEADERS, ClickRequest
from mailer.selfservice.confirmation import RECONFIRMATION_SENTENCES, keep_sending
from mailer.selfservice.preferences import (
    CLICK_SENTENCES,
    FormResult,
    PreferenceOptions,
    PreferencesForm,
    find_last_edition,
    has_last_edition,
    load_form,
    parse_preferences,
    save_form,
)
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
from mailer.web.dependencies import BodyDep, CampaignLinks, Site
from mailer.web.forms import (
    FormDep,
    OwnFormDep,
    list_countries,
    list_languages,
    list_sectors,
    own_country_names,
    parse_form,
    render_country_options,
)
from mailer.web.mail_html import render_without_reader, rewrite_media_urls
from mailer.web.page_context import FormPageDep, OwnFormPageDep, PageContext, PageDep
from mailer.web.routing import GET, POST, Route
from mailer.web.security import make_mail_policy
from subscribers.click_tokens import ClickToken, decode_sectors, read_click_token
from subscribers.errors import TokenError
from subscribers.validation import MAX_NAME_LENGTH

_RESUBSCRIBE_SENTENCES = MappingProxyType({"undo": UNDO_SENTENCES, "again": RESUBSCRIBE_SENTENCES})
"""The sentences above the two buttons that resubscribe a reader, by the value the button sends."""
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_ON_THE_WAY = {"referrer-policy": "no-referrer", "cache-control": "no-store"}
"""The place that a reader goes to learns nothing of our address, which has a token in it, and every click is
asked of us anew."""


def show_preferences(page: PageDep, token: str) -> Response:
    result = load_form(page.engine, page.keys, token, today=page.site.clock().date())
    return _render_form(page, token, result)


def post_preferences(page: OwnFormPageDep, form: OwnFormDep, token: str) -> Response:
    result = save_form(
        page.engine,
        page.keys,
        token,
        parse_preferences(form.fields),
        options=_list_options(page.site),
        now=page.site.clock(),
        language=page.form_language,
        click_wording=page.join_sentences(CLICK_SENTENCES),
    )
    return _render_form(page, token, result, status=422 if result.errors else 200)


def post_wish_to_stay(page: OwnFormPageDep, token: str) -> Response:
    """Record that the reader still wants the newsletter, as a letter asked them."""
    keep_sending(
        page.engine,
        page.keys,
        token,
        wording=page.join_sentences(RECONFIRMATION_SENTENCES),
        now=page.site.clock(),
        language=page.translator.tag,
        evidence=page.read_visitor().evidence,
    )
    result = load_form(page.engine, page.keys, token, today=page.site.clock().date())
    return _render_form(page, token, result, stays=True)


def show_last_edition(page: PageDep, token: str) -> Response:
    result = load_form(page.engine, page.keys, token, today=page.site.clock().date())
    return _render_edition(page, token, result.form)


def show_last_edition_with_choices(page: PageDep, form: OwnFormDep, token: str) -> Response:
    return _render_edition(page, token, parse_preferences(form.fields))


def _render_form(
    page: PageContext, token: str, result: FormResult, *, status: int = 200, stays: bool = False
) -> Response:
    settings, options = page.settings, _list_options(page.site)
    translator = page.for_email_in(result.subscription.language).translator
    names = own_country_names(settings)
    return page.render_for_reader(
        "preferences.html",
        token,
        result.subscription,
        status=status,
        form=result.form,
        initial=result.initial,
        errors=result.errors,
        saved=result.saved,
        asks=result.asks,
        stays=stays and result.subscription.gets_mail,
        stay_path=page.make_path(f"/p/{token}/stay"),
        paused_until=result.paused_until,
        countries=render_country_options(translator, names, result.form.country),
        followed=list_countries(translator, names, options.followable_countries | result.form.countries),
        sectors=list_sectors(translator, settings),
        languages_of_mail=list_languages(result.form.language),
        first_day=options.first_day,
        last_day=options.last_day,
        longest_name=MAX_NAME_LENGTH,
        click_sentences=CLICK_SENTENCES,
        has_edition=has_last_edition(page.engine, page.keys, token),
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


def _render_edition(page: PageContext, token: str, form: PreferencesForm) -> Response:
    """Render the email without anything of its reader, in a sandbox of its own."""
    found = find_last_edition(page.engine, page.keys, token, form)
    if found is None:
        raise HTTPException(404)
    content, variant = found
    html = render_without_reader(content, page.settings, variant)
    return HTMLResponse(
        rewrite_media_urls(html, page.settings.web.base_url, page.site.renderer.prefix),
        headers={"content-security-policy": make_mail_policy(images="'self' data:", ancestors="'none'")},
    )


ROUTES: tuple[Route, ...] = (
    ("/p/{token}", show_preferences, GET),
    ("/p/{token}", post_preferences, POST),
    ("/p/{token}/stay", post_wish_to_stay, POST),
    ("/p/{token}/look", show_last_edition, GET),
    ("/p/{token}/look", show_last_edition_with_choices, POST),
)


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


UNSUBSCRIBE_ROUTES: tuple[Route, ...] = (
    ("/u/{token}", show_unsubscribe, GET),
    ("/u/{token}", post_unsubscribe, POST),
    # A reader who opens these by their address gets the page they came from.
    ("/u/{token}/undo", show_unsubscribe, GET),
    ("/u/{token}/undo", post_resubscribe, POST),
    ("/u/{token}/reason", show_unsubscribe, GET),
    ("/u/{token}/reason", post_reason, POST),
)


def follow_link(page: PageDep, token: str, number: str) -> Response:
    """Send the reader on to where the link leads, and count the click, which is handed over and written down
    later. With a key that somebody else may have, the link still leads there, but is not counted.
    """
    try:
        read = read_click_token(page.keys.tokens, token)
    except TokenError:
        return _render_unknown(page)
    links = page.site.links.find(read.campaign_id)
    # A key that had been replaced before the campaign was launched was stolen.
    if links is None or (read.last_day is not None and links.launched_on > read.last_day):
        return _render_unknown(page)
    location = links.locations.get(int(number)) if _NUMBER.fullmatch(number) else None
    if location is None:
        return _render_unknown(page.for_email_in(links.language))
    if not read.is_retired:
        page.site.click_recorder.record(_describe_request(page, read, int(number), links))
    return RedirectResponse(location, status_code=302, headers=_ON_THE_WAY)


def _describe_request(
    page: PageContext, token: ClickToken, number: int, links: CampaignLinks
) -> ClickRequest:
    request = page.request
    return ClickRequest(
        campaign_id=token.campaign_id,
        link_number=number,
        country=token.country,
        sectors=decode_sectors(token.sectors, links.sectors),
        subscriber_id=token.subscriber_id or None,
        at=page.site.clock(),
        method=request.method,
        address=request.client.host if request.client is not None else "",
        user_agent=request.headers.get("user-agent", ""),
        headers={name: request.headers[name] for name in SIGN_HEADERS if name in request.headers},
    )


def _render_unknown(page: PageContext) -> Response:
    return page.render("unknown_link.html", status=404)


CLICK_ROUTES: tuple[Route, ...] = (("/c/{token}/{number}", follow_link, GET),)
