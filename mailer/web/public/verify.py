"""The page that says whether a mail is from us, by its code or by the mail as a file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.database.engine import open_session
from mailer.i18n import gettext_noop
from mailer.verification.answer import Answer, Change, MailVerdict, Obstacle
from mailer.verification.fakes import keep_fake
from mailer.verification.mail_check import MailChecker, TooManyChecksError, check_code, count_check
from mailer.web.dependencies import BodyDep
from mailer.web.forms import OwnFormDep
from mailer.web.page_context import OwnFormPageDep, PageContext, PageDep
from mailer.web.routing import GET, POST, Route
from mailer.web.upload import read_uploaded_form

ADVICE = gettext_noop("Do not open its links or attachments, and do not answer it.")
CHANGES: Mapping[Change, str] = MappingProxyType(
    {
        Change.words: gettext_noop("It has words that our edition does not have."),
        Change.links: gettext_noop("It has links or pictures that lead to places that are not ours:"),
        Change.sender: gettext_noop("Its sender, or the address that answers go to, is not ours."),
        Change.subject: gettext_noop("Its subject is not that of our edition."),
        Change.attachments: gettext_noop("It has attachments. Our newsletter never has any."),
        Change.signature: gettext_noop("Our signature does not fit it any more."),
    }
)
OBSTACLES: Mapping[Obstacle, str] = MappingProxyType(
    {
        Obstacle.outlook_file: gettext_noop(
            "This is a message as Outlook saves it (.msg), which we cannot read. Save it as .eml, for "
            "example in Outlook on the web, or check the code at its foot."
        ),
        Obstacle.winmail: gettext_noop(
            "This message is wrapped in a form that only Outlook reads (winmail.dat). Please check the code "
            "at its foot."
        ),
        Obstacle.no_mail: gettext_noop("This file is not an email. Please choose one that ends in .eml."),
        Obstacle.encrypted: gettext_noop(
            "The email is encrypted, so we cannot read it. Please check the code at its foot."
        ),
        Obstacle.no_marks: gettext_noop(
            "Somebody passed it on without its code and its links, so there is nothing to compare. Ask them "
            "to send it as an attachment."
        ),
        Obstacle.retired: gettext_noop(
            "We have switched off the codes of our older emails, so we can no longer confirm them."
        ),
        Obstacle.no_edition: gettext_noop("We no longer keep the edition that it names."),
        Obstacle.too_long: gettext_noop(
            "It is longer than our emails, so we could not compare all of it. Please be careful."
        ),
        Obstacle.busy: gettext_noop(
            "We could not look up our signature just now. Please try again in a few minutes."
        ),
    }
)
KEPT = gettext_noop("Our team keeps what it says, without your address, to look into it.")
PASSED_ON = gettext_noop(
    "Somebody passed it on. We speak only of our own part: words above and below it are not ours."
)
NO_FILE = gettext_noop("Please choose a file first.")
TOO_MANY = gettext_noop(
    "Too many emails were checked within an hour, from your network or from everywhere. Please try "
    "again later."
)
MAIL_PATH = "/verify/mail"
MAX_MAIL_BYTES = 1024 * 1024
MAX_UPLOAD_BYTES = MAX_MAIL_BYTES + 16 * 1024
"""A mail of the largest size, with the form around it."""
_MAX_TYPED = 60


class AnswerWords(NamedTuple):
    """The heading of an answer and what it means; ``tone`` is "right", "wrong" or ""."""

    heading: str
    text: str
    tone: str = ""


OF_MAIL: Mapping[MailVerdict, AnswerWords] = MappingProxyType(
    {
        MailVerdict.genuine: AnswerWords(
            heading=gettext_noop("Yes, this is from us"),
            text=gettext_noop("It is exactly the email that we sent: our signature on it is right."),
            tone="right",
        ),
        MailVerdict.same_content: AnswerWords(
            heading=gettext_noop("Yes, these are our words"),
            text=gettext_noop(
                "Its words and links are those of our edition. An email loses its signature when somebody "
                "passes it on, so we compared what it says."
            ),
            tone="right",
        ),
        MailVerdict.letter: AnswerWords(
            heading=gettext_noop("Yes, our signature is on it"),
            text=gettext_noop(
                "It is no edition of the newsletter, but a letter from us, such as one that somebody asked "
                "for on our pages."
            ),
            tone="right",
        ),
        MailVerdict.test: AnswerWords(
            heading=gettext_noop("This is a test"),
            text=gettext_noop(
                "Our team sends tests to colleagues. If you are not one of them, do not trust this email."
            ),
        ),
        MailVerdict.preview: AnswerWords(
            heading=gettext_noop("This code is only a sample"),
            text=gettext_noop("No email that we send has it. Do not trust an email with this code."),
            tone="wrong",
        ),
        MailVerdict.altered: AnswerWords(
            heading=gettext_noop("Careful: this email was changed"),
            text=gettext_noop("It began as an email of ours, but it is not what we sent."),
            tone="wrong",
        ),
        MailVerdict.copied: AnswerWords(
            heading=gettext_noop("No, this email is not from us"),
            text=gettext_noop("It has a code or a link of ours, but the rest is not what we sent with it."),
            tone="wrong",
        ),
        MailVerdict.foreign: AnswerWords(
            heading=gettext_noop("No, this is none of our newsletters"),
            text=gettext_noop("It has none of the marks that all of them have."),
            tone="wrong",
        ),
        MailVerdict.unknown: AnswerWords(heading=gettext_noop("We cannot tell"), text=""),
    }
)

OF_CODE: Mapping[MailVerdict, AnswerWords] = MappingProxyType(
    {
        **OF_MAIL,
        MailVerdict.code_known: AnswerWords(
            heading=gettext_noop("This code is ours"),
            text=gettext_noop(
                "It belongs to the email below. Compare the subject and the sender: somebody may have copied "
                "the code. If they differ, the email is not from us."
            ),
            tone="right",
        ),
        MailVerdict.foreign: AnswerWords(
            heading=gettext_noop("No, this is none of our codes"),
            text=gettext_noop("We have sent no email with it."),
            tone="wrong",
        ),
        MailVerdict.mistyped: AnswerWords(
            heading=gettext_noop("This is not a whole code"),
            text=gettext_noop(
                "A code has 16 letters and digits. Please compare what you typed with the foot of the email."
            ),
        ),
    }
)


def show_verification(page: PageDep) -> Response:
    return _render(page)


def post_code(page: OwnFormPageDep, form: OwnFormDep) -> Response:
    typed = form.get("code").strip()
    if not _count(page):
        return _render(page, status=429, hint=TOO_MANY, code=typed)
    with open_session(page.engine, read_only=True) as session:
        answer = check_code(session, page.keys, typed)
    return _render(page, answer=answer, code=typed, is_code=True)


def post_mail(page: PageDep, request: Request, body: BodyDep) -> Response:
    """Answer for a mail that was chosen as a file. It is kept only if it claims to be ours and is not."""
    form = read_uploaded_form(body, request.headers.get("content-type", ""))
    if form is None:
        raise HTTPException(415)
    source = form.values.get("mail", b"")
    if len(source) > MAX_MAIL_BYTES:
        raise HTTPException(413)
    page = page.for_email_in(form.values.get("lang", b"").decode("ascii", "ignore"))
    if not source:
        return _render(page, status=422, hint=NO_FILE)
    if not _count(page):
        return _render(page, status=429, hint=TOO_MANY)
    workspace = page.site.workspace
    with open_session(page.engine, read_only=True) as session:
        checker = MailChecker(session=session, keys=page.keys, settings=page.settings, root=workspace.root)
        found = checker.check(source)
    is_kept = False
    if found.answer.is_warning and found.claims_us:
        with open_session(page.engine) as session:
            is_kept = keep_fake(session, found, now=page.site.clock())
            session.commit()
    return _render(page, answer=found.answer, is_kept=is_kept)


def _count(page: PageContext) -> bool:
    """Count a check; return False if there were too many."""
    with open_session(page.engine) as session:
        try:
            count_check(
                session.connection(),
                page.keys.suppression,
                page.read_visitor().address,
                now=page.site.clock(),
            )
        except TooManyChecksError:
            return False
        finally:
            session.commit()
    return True


def _render(
    page: PageContext,
    *,
    status: int = 200,
    answer: Answer | None = None,
    hint: str = "",
    code: str = "",
    is_code: bool = False,
    is_kept: bool = False,
) -> Response:
    said = OF_CODE if is_code else OF_MAIL
    return page.render(
        "verify.html",
        status=status,
        answer=answer,
        said=said[answer.verdict] if answer else None,
        changes=[(CHANGES[change], change.value == "links") for change in answer.changes] if answer else [],
        obstacle=OBSTACLES[answer.obstacle] if answer and answer.obstacle else "",
        passed_on=PASSED_ON if answer and answer.was_passed_on else "",
        advice=ADVICE,
        kept=KEPT if is_kept else "",
        hint=hint,
        code=code[:_MAX_TYPED],
        sender_address=page.settings.sender.address,
        code_path=page.make_path("/verify"),
        mail_path=page.make_path(MAIL_PATH),
    )


ROUTES: tuple[Route, ...] = (
    ("/verify", show_verification, GET),
    ("/verify", post_code, POST),
    # Whoever opens the address of the answer gets the page with the forms.
    (MAIL_PATH, show_verification, GET),
    (MAIL_PATH, post_mail, POST),
)
