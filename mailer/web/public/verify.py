"""The page that answers whether an email is from us: for the code at its foot, or for the whole of it."""

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.database.engine import open_session
from mailer.verification.answer import Answer
from mailer.verification.check_limits import TooManyChecksError, count_check
from mailer.verification.code_check import check_code
from mailer.verification.fakes import keep_fake
from mailer.verification.mail_check import MailChecker
from mailer.web.dependencies import BodyDep
from mailer.web.forms import OwnFormDep
from mailer.web.page_context import OwnFormPageDep, PageContext, PageDep
from mailer.web.public import verification_words as words
from mailer.web.routing import GET, POST, Route
from mailer.web.upload import read_upload

MAIL_PATH = "/verify/mail"
MAX_MAIL_BYTES = 1024 * 1024
MAX_UPLOAD_BYTES = MAX_MAIL_BYTES + 16 * 1024
"""A mail of the largest size, with the form around it."""
_MAX_TYPED = 60


def show_verification(page: PageDep) -> Response:
    """Show both forms."""
    return _render(page)


def post_code(page: OwnFormPageDep, form: OwnFormDep) -> Response:
    """Answer for a code that was typed."""
    typed = form.get("code").strip()
    if not _count(page):
        return _render(page, status=429, hint=words.TOO_MANY, code=typed)
    with open_session(page.engine, read_only=True) as session:
        answer = check_code(session, page.keys, typed)
    return _render(page, answer=answer, code=typed, is_code=True)


def post_mail(page: PageDep, request: Request, body: BodyDep) -> Response:
    """Answer for a mail that was chosen as a file. It is kept only if it claims to be ours and is not."""
    fields = read_upload(body, request.headers.get("content-type", ""))
    if fields is None:
        raise HTTPException(415)
    source = fields.get("mail", b"")
    if len(source) > MAX_MAIL_BYTES:
        raise HTTPException(413)
    page = page.for_email_in(fields.get("lang", b"").decode("ascii", "ignore"))
    if not source:
        return _render(page, status=422, hint=words.NO_FILE)
    if not _count(page):
        return _render(page, status=429, hint=words.TOO_MANY)
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
    said = words.OF_CODE if is_code else words.OF_MAIL
    return page.render(
        "verify.html",
        status=status,
        answer=answer,
        said=said[answer.verdict] if answer else None,
        changes=[(words.CHANGES[change], change.value == "links") for change in answer.changes]
        if answer
        else [],
        obstacle=words.OBSTACLES[answer.obstacle] if answer and answer.obstacle else "",
        passed_on=words.PASSED_ON if answer and answer.was_passed_on else "",
        advice=words.ADVICE,
        kept=words.KEPT if is_kept else "",
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
