"""The page where readers choose what they get, and the last edition as they would get it."""

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from locales.countries import country_codes
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
from mailer.web.dependencies import Site
from mailer.web.forms import (
    OwnFormDep,
    list_countries,
    list_languages,
    list_sectors,
    own_country_names,
    render_country_options,
)
from mailer.web.mail_html import render_without_reader, rewrite_media_urls
from mailer.web.page_context import OwnFormPageDep, PageContext, PageDep
from mailer.web.routing import GET, POST, Route
from mailer.web.security import make_mail_policy
from subscribers.validation import MAX_NAME_LENGTH


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
