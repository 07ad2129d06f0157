"""The pages for people without a link from us: signing up, confirming it, and requesting a link.

Opening a link changes nothing, because scanners open every link in an email before its reader does. Only the
button does.
"""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.database.models import TransactionalMailKind
from mailer.selfservice.confirmation import (
    CONFIRMATION_SENTENCES,
    check_form_token,
    confirm_subscription,
    make_form_token,
    read_masked_address,
)
from mailer.selfservice.mail_requests import (
    INVALID_ADDRESS,
    LINK_REQUESTED,
    PRESS_AGAIN,
    SIGN_UP_REQUESTED,
    SIGN_UP_SENTENCES,
    request_mail,
)
from mailer.selfservice.rate_limit import TooManyRequestsError, UsedFormError
from mailer.web.forms import Form, OwnFormDep
from mailer.web.page_context import OwnFormPageDep, PageContext, PageDep, answers_expired_links
from mailer.web.routing import GET, POST, Route
from subscribers.errors import AddressError


def show_sign_up(page: PageDep) -> Response:
    _require_sign_up(page)
    return _render_form(page, "sign_up.html")


def post_sign_up(page: OwnFormPageDep, form: OwnFormDep) -> Response:
    """Request a confirmation email. The answer is the same for every address."""
    _require_sign_up(page)
    wording = page.join_sentences(SIGN_UP_SENTENCES)
    return _post_form(
        page, form, "sign_up.html", TransactionalMailKind.confirm, SIGN_UP_REQUESTED, wording=wording
    )


def show_link_form(page: PageDep) -> Response:
    return _render_form(page, "request_link.html")


def post_link_form(page: OwnFormPageDep, form: OwnFormDep) -> Response:
    """Request the link to the preferences by email. The answer is the same for every address."""
    return _post_form(page, form, "request_link.html", TransactionalMailKind.link, LINK_REQUESTED)


@answers_expired_links
def show_confirmation(page: PageDep, token: str) -> Response:
    """Show the page behind the link of a confirmation email. Writes nothing."""
    return page.render("confirm_sign_up.html", address=read_masked_address(page.engine, page.keys, token))


@answers_expired_links
def post_confirmation(page: OwnFormPageDep, token: str) -> Response:
    """Confirm the sign-up: the visitor has shown that the mailbox is theirs."""
    own_token, subscription, waits = confirm_subscription(
        page.engine,
        page.keys,
        token,
        wording=page.join_sentences(CONFIRMATION_SENTENCES),
        language=page.translator.tag,
        evidence=page.read_visitor().evidence,
        is_reviewed=page.settings.web.reviews_sign_ups,
    )
    template = "sign_up_waits.html" if waits else "sign_up_confirmed.html"
    return page.render_for_reader(template, own_token, subscription)


def _post_form(
    page: PageContext,
    form: Form,
    template: str,
    kind: TransactionalMailKind,
    answer: str,
    *,
    wording: str = "",
) -> Response:
    email, stamp = form.get("email"), form.get("stamp")
    if not check_form_token(page.keys.suppression, stamp, page.site.clock()):
        return _render_form(page, template, status=422, email=email, hint=PRESS_AGAIN)
    # A hidden field that only programs fill in. They get the usual answer, and nothing else happens.
    if not form.get("website"):
        try:
            request_mail(
                page.engine, page.keys, kind, email, page.read_visitor(), form_token=stamp, wording=wording
            )
        except UsedFormError:
            return _render_form(page, template, status=422, email=email, hint=PRESS_AGAIN)
        except AddressError:
            return _render_form(
                page, template, status=422, email=email, hint=INVALID_ADDRESS, is_email_invalid=True
            )
        except TooManyRequestsError as error:
            raise HTTPException(429) from error
    return page.render("check_email.html", message=answer)


def _render_form(
    page: PageContext,
    template: str,
    *,
    status: int = 200,
    email: str = "",
    hint: str = "",
    is_email_invalid: bool = False,
) -> Response:
    return page.render(
        template,
        status=status,
        email=email[:320],
        hint=hint,
        is_email_invalid=is_email_invalid,
        stamp=make_form_token(page.keys.suppression, page.site.clock()),
    )


def _require_sign_up(page: PageContext) -> None:
    if not page.settings.web.sign_up:
        raise HTTPException(404)


ROUTES: tuple[Route, ...] = (
    ("/subscribe", show_sign_up, GET),
    ("/subscribe", post_sign_up, POST),
    ("/link", show_link_form, GET),
    ("/link", post_link_form, POST),
    ("/confirm/{token}", show_confirmation, GET),
    ("/confirm/{token}", post_confirmation, POST),
)
