"""The pages for whoever has no link of ours: signing up, confirming it, and asking for one's link.

Opening a link never does anything: a scanner opens every link of a mail before its reader does. Pressing the
button does.
"""

from collections.abc import Callable

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.database.models import LetterKind
from mailer.i18n import NATIVE_NAMES, Translator
from mailer.selfservice import confirmation, letter_requests
from mailer.selfservice.form_token import FormAge, check_form_token, make_form_token
from mailer.selfservice.letter_requests import (
    INVALID_ADDRESS,
    LINK_REQUESTED,
    PRESS_AGAIN,
    SIGN_UP_REQUESTED,
    SIGN_UP_SENTENCES,
    Visitor,
)
from mailer.web.dependencies import BodyDep, Site, SiteDep
from mailer.web.language import (
    LANGUAGE_PARAMETER,
    choose_translator,
    read_form_language,
    read_requested_language,
)
from mailer.web.public.preferences import parse_own_form, render_reader_page
from subscribers.consent.ip_evidence import IpRetention, describe_ip_address
from subscribers.errors import AddressError, TokenError

_READ_METHODS = ("GET", "HEAD")


def show_sign_up(site: SiteDep, request: Request) -> Response:
    """The form to sign up, where the settings open it."""
    return _render_form(site, request, "subscribe.html")


def post_sign_up(site: SiteDep, request: Request, body: BodyDep) -> Response:
    """Have a confirming mail sent, if there is one to send. The answer is the same for every address."""
    return _post_form(site, request, body, "subscribe.html", LetterKind.confirm, SIGN_UP_REQUESTED)


def show_link_form(site: SiteDep, request: Request) -> Response:
    """The form for people without a mail of ours at hand."""
    return _render_form(site, request, "link.html")


def post_link_form(site: SiteDep, request: Request, body: BodyDep) -> Response:
    """Have their link mailed to them, if they are on the list. The answer is the same for every address."""
    return _post_form(site, request, body, "link.html", LetterKind.link, LINK_REQUESTED)


def show_confirmation(site: SiteDep, request: Request, token: str) -> Response:
    """The page behind the link of a confirming mail. It writes nothing."""
    try:
        address = confirmation.read_masked_address(site.engine, site.workspace.keys, token)
    except TokenError:
        return render_expired_link(site, request)
    return render_public_page(
        site,
        request,
        "confirm.html",
        languages=NATIVE_NAMES.items(),
        address=address,
        action=_make_path(site, request, f"/confirm/{token}"),
    )


def post_confirmation(site: SiteDep, request: Request, token: str, body: BodyDep) -> Response:
    """Put them on the list: they have shown that the mailbox is theirs."""
    said = read_form_language(dict(parse_own_form(request, body)))
    tongue = choose_translator(request.scope, said=said)
    settings = site.workspace.settings
    wording = tongue.sentence_space.join(
        tongue.translate(words, organisation=settings.sender.organisation)
        for words in confirmation.CONFIRMATION_SENTENCES
    )
    try:
        confirmed = confirmation.confirm_subscription(
            site.engine,
            site.workspace.keys,
            token,
            wording=wording,
            language=tongue.tag,
            evidence=read_visitor(site, request, tongue).evidence,
        )
    except TokenError:
        return render_expired_link(site, request, said=said)
    return render_reader_page(
        site, request, "confirmed.html", confirmed.token, confirmed.subscription, said=said
    )


ROUTES: tuple[tuple[str, Callable[..., Response], tuple[str, ...]], ...] = (
    ("/subscribe", show_sign_up, _READ_METHODS),
    ("/subscribe", post_sign_up, ("POST",)),
    ("/link", show_link_form, _READ_METHODS),
    ("/link", post_link_form, ("POST",)),
    ("/confirm/{token}", show_confirmation, _READ_METHODS),
    ("/confirm/{token}", post_confirmation, ("POST",)),
)


def render_public_page(
    site: Site, request: Request, template: str, *, said: str = "", status: int = 200, **words: object
) -> Response:
    """A page that belongs to no mail, in the language of the page before or of the browser."""
    asked, settings = read_requested_language(request.scope), site.workspace.settings
    is_open = settings.web.sign_up
    paths = {
        "link_path": _make_path(site, request, "/link"),
        "archive_path": _make_path(site, request, "/e/"),
        "subscribe_path": _make_path(site, request, "/subscribe") if is_open else "",
    }
    tongue = choose_translator(request.scope, said=said)
    return site.renderer.render(template, tongue, status=status, asked=asked, **{**paths, **words})


def render_expired_link(site: Site, request: Request, *, said: str = "") -> Response:
    """The one page for every mailed link that does not work: used, too old, or never ours."""
    return render_public_page(site, request, "spent.html", said=said, status=404)


def read_visitor(site: Site, request: Request, tongue: Translator) -> Visitor:
    """Who asks: the network address as a proxy on this machine says it, or the one that is connected."""
    address = request.client.host if request.client is not None else ""
    keeping = IpRetention(site.workspace.settings.consent.origin)
    evidence = describe_ip_address(address, key=site.workspace.keys.suppression, retention=keeping)
    return Visitor(address=address, evidence=evidence, language=tongue.tag)


def _post_form(
    site: Site, request: Request, body: bytes, template: str, kind: LetterKind, answer: str
) -> Response:
    _refuse_if_closed(site, template)
    fields = dict(parse_own_form(request, body))
    said, email = read_form_language(fields), fields.get("email", "")
    tongue, keys = choose_translator(request.scope, said=said), site.workspace.keys
    if check_form_token(keys.suppression, fields.get("stamp", ""), site.clock()) is not FormAge.plausible:
        return _render_form(
            site, request, template, said=said, email=email, hint=PRESS_AGAIN, hint_is_soft=True, status=422
        )
    # What only a program fills in. It gets the answer of everybody, and nothing else happens.
    if not fields.get("website"):
        organisation = site.workspace.settings.sender.organisation
        wording = tongue.sentence_space.join(
            tongue.translate(words, organisation=organisation) for words in SIGN_UP_SENTENCES
        )
        try:
            letter_requests.request_letter(
                site.engine,
                keys,
                kind,
                email,
                read_visitor(site, request, tongue),
                wording=wording if kind is LetterKind.confirm else "",
            )
        except AddressError:
            return _render_form(
                site, request, template, said=said, email=email, hint=INVALID_ADDRESS, status=422
            )
        except letter_requests.TooManyRequestsError as error:
            raise HTTPException(429) from error
    return render_public_page(site, request, "mailed.html", said=said, words=answer)


def _render_form(
    site: Site,
    request: Request,
    template: str,
    *,
    said: str = "",
    email: str = "",
    hint: str = "",
    hint_is_soft: bool = False,
    status: int = 200,
) -> Response:
    _refuse_if_closed(site, template)
    return render_public_page(
        site,
        request,
        template,
        said=said,
        status=status,
        languages=None if request.method == "POST" else NATIVE_NAMES.items(),
        email=email[:320],
        hint=hint,
        hint_is_soft=hint_is_soft,
        stamp=make_form_token(site.workspace.keys.suppression, site.clock()),
        action=_make_path(site, request, "/subscribe" if template == "subscribe.html" else "/link"),
    )


def _refuse_if_closed(site: Site, template: str) -> None:
    if template == "subscribe.html" and not site.workspace.settings.web.sign_up:
        raise HTTPException(404)


def _make_path(site: Site, request: Request, path: str) -> str:
    asked = read_requested_language(request.scope)
    return f"{site.renderer.prefix}{path}{f'?{LANGUAGE_PARAMETER}={asked}' if asked else ''}"
