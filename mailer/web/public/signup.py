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
from mailer.selfservice.form_token import Age, make_stamp, read_stamp
from mailer.selfservice.letter_requests import (
    ASKED_FOR_LINK,
    ASKED_TO_JOIN,
    JOINING,
    NO_ADDRESS,
    ONCE_MORE,
    Visitor,
)
from mailer.web.dependencies import Body, Site, TheSite
from mailer.web.language import PARAMETER, choose_tongue, read_asked, read_said
from mailer.web.public.preferences import read_own_form, show_page
from subscribers.errors import AddressError, TokenError
from subscribers.origin import Keeping, describe_origin

_LOOK = ("GET", "HEAD")


def show_sign_up(site: TheSite, request: Request) -> Response:
    """The form to sign up, where the settings open it."""
    return _show_form(site, request, "subscribe.html")


def act_sign_up(site: TheSite, request: Request, body: Body) -> Response:
    """Have a confirming mail sent, if there is one to send. The answer is the same for every address."""
    return _act(site, request, body, "subscribe.html", LetterKind.confirm, ASKED_TO_JOIN)


def show_link_form(site: TheSite, request: Request) -> Response:
    """The form for people without a mail of ours at hand."""
    return _show_form(site, request, "link.html")


def act_link(site: TheSite, request: Request, body: Body) -> Response:
    """Have their link mailed to them, if they are on the list. The answer is the same for every address."""
    return _act(site, request, body, "link.html", LetterKind.link, ASKED_FOR_LINK)


def show_confirmation(site: TheSite, request: Request, token: str) -> Response:
    """The page behind the link of a confirming mail. It writes nothing."""
    try:
        address = confirmation.look(site.engine, site.workspace.keys, token)
    except TokenError:
        return show_spent(site, request)
    return show_plain(
        site,
        request,
        "confirm.html",
        languages=NATIVE_NAMES.items(),
        address=address,
        action=_path(site, request, f"/confirm/{token}"),
    )


def act_confirmation(site: TheSite, request: Request, token: str, body: Body) -> Response:
    """Put them on the list: they have shown that the mailbox is theirs."""
    said = read_said(dict(read_own_form(request, body)))
    tongue = choose_tongue(request.scope, said=said)
    settings = site.workspace.settings
    wording = tongue.sentence_space.join(
        tongue.translate(words, organisation=settings.sender.organisation)
        for words in confirmation.CONFIRMING
    )
    try:
        confirmed = confirmation.confirm(
            site.engine,
            site.workspace.keys,
            token,
            wording=wording,
            language=tongue.tag,
            evidence=read_visitor(site, request, tongue).evidence,
        )
    except TokenError:
        return show_spent(site, request, said=said)
    return show_page(site, request, "confirmed.html", confirmed.token, confirmed.standing, said=said)


ROUTES: tuple[tuple[str, Callable[..., Response], tuple[str, ...]], ...] = (
    ("/subscribe", show_sign_up, _LOOK),
    ("/subscribe", act_sign_up, ("POST",)),
    ("/link", show_link_form, _LOOK),
    ("/link", act_link, ("POST",)),
    ("/confirm/{token}", show_confirmation, _LOOK),
    ("/confirm/{token}", act_confirmation, ("POST",)),
)


def show_plain(
    site: Site, request: Request, template: str, *, said: str = "", status: int = 200, **words: object
) -> Response:
    """A page that belongs to no mail, in the language of the page before or of the browser."""
    asked, settings = read_asked(request.scope), site.workspace.settings
    is_open = settings.web.sign_up
    paths = {
        "link_path": _path(site, request, "/link"),
        "archive_path": _path(site, request, "/e/"),
        "subscribe_path": _path(site, request, "/subscribe") if is_open else "",
    }
    tongue = choose_tongue(request.scope, said=said)
    return site.pages.show(template, tongue, status=status, asked=asked, **{**paths, **words})


def show_spent(site: Site, request: Request, *, said: str = "") -> Response:
    """The one page for every mailed link that does not work: used, too old, or never ours."""
    return show_plain(site, request, "spent.html", said=said, status=404)


def read_visitor(site: Site, request: Request, tongue: Translator) -> Visitor:
    """Who asks: the network address as a proxy on this machine says it, or the one that is connected."""
    address = request.client.host if request.client is not None else ""
    keeping = Keeping(site.workspace.settings.consent.origin)
    evidence = describe_origin(address, key=site.workspace.keys.suppression, keeping=keeping)
    return Visitor(address=address, evidence=evidence, language=tongue.tag)


def _act(site: Site, request: Request, body: bytes, template: str, kind: LetterKind, answer: str) -> Response:
    _refuse_if_closed(site, template)
    fields = dict(read_own_form(request, body))
    said, email = read_said(fields), fields.get("email", "")
    tongue, keys = choose_tongue(request.scope, said=said), site.workspace.keys
    if read_stamp(keys.suppression, fields.get("stamp", ""), site.clock()) is not Age.good:
        return _show_form(
            site, request, template, said=said, email=email, hint=ONCE_MORE, hint_is_soft=True, status=422
        )
    # What only a program fills in. It gets the answer of everybody, and nothing else happens.
    if not fields.get("website"):
        organisation = site.workspace.settings.sender.organisation
        wording = tongue.sentence_space.join(
            tongue.translate(words, organisation=organisation) for words in JOINING
        )
        try:
            letter_requests.ask(
                site.engine,
                keys,
                kind,
                email,
                read_visitor(site, request, tongue),
                wording=wording if kind is LetterKind.confirm else "",
            )
        except AddressError:
            return _show_form(site, request, template, said=said, email=email, hint=NO_ADDRESS, status=422)
        except letter_requests.TooManyError as error:
            raise HTTPException(429) from error
    return show_plain(site, request, "mailed.html", said=said, words=answer)


def _show_form(
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
    return show_plain(
        site,
        request,
        template,
        said=said,
        status=status,
        languages=None if request.method == "POST" else NATIVE_NAMES.items(),
        email=email[:320],
        hint=hint,
        hint_is_soft=hint_is_soft,
        stamp=make_stamp(site.workspace.keys.suppression, site.clock()),
        action=_path(site, request, "/subscribe" if template == "subscribe.html" else "/link"),
    )


def _refuse_if_closed(site: Site, template: str) -> None:
    if template == "subscribe.html" and not site.workspace.settings.web.sign_up:
        raise HTTPException(404)


def _path(site: Site, request: Request, path: str) -> str:
    asked = read_asked(request.scope)
    return f"{site.pages.prefix}{path}{f'?{PARAMETER}={asked}' if asked else ''}"
