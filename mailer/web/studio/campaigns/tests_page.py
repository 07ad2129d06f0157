"""The page that sends tests of a campaign's mail to the team and to test readers."""

import re
import secrets
from collections.abc import Sequence

from starlette.responses import Response

from locales.phrase import read_error
from mailer.activity import deeds
from mailer.campaigns.content_versions import list_tests
from mailer.campaigns.mail_to_test_readers import (
    MAX_TEST_READERS,
    RefusedTestError,
    SentTests,
    read_test_readers,
    send_test,
)
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.smtp.reply_classifier import Verdict
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.mail_preview.prepared_mail import plan_test
from mailer.web.studio.campaign_place import PreparedPage, PreparedPageDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.routing import Routes
from subscribers.errors import SubscriberError

ROUTES = Routes()
_SEPARATORS = re.compile(r"[\s,;]+")
_NO_ADDRESS = gettext_noop("Write at least one address.")
_TOO_MANY = gettext_noop("A test goes to at most %(number)s addresses. For more people, send a campaign.")
_ERRORS = gettext_noop("The edition has errors, so no test was sent. Its problems say what to mend.")
_NOT_SENT = gettext_noop("%(address)s did not get it. Their mail server, or ours, said: %(reply)s")
_LATER = gettext_noop(
    "%(address)s did not get it yet. Send it again in a few minutes. The server said: %(reply)s"
)


@ROUTES.get_route("/campaigns/{campaign}/tests", Permission.prepare)
def show_tests(page: PreparedPageDep) -> Response:
    usual = page.settings.campaigns.test_readers or (page.member.email,)
    return _render_tests(page, "\n".join(usual))


@ROUTES.post_route("/campaigns/{campaign}/tests", Permission.prepare)
def send_campaign_test(page: PreparedPageDep, form: OwnFormDep) -> Response:
    """Send a test. The same form sent twice, by a second click, sends it once."""
    addresses, tag = form.get("addresses").strip()[:8000], form.get("version")[:40]
    request = form.get("request")
    # A name for the form as this member has it of this campaign; none for one without a number.
    name = request and f"{page.member.id} {page.number} {request[:64]}"
    try:
        done = page.state.form_answers.answer_once(name, lambda: _send(page, addresses, tag))
    except (MailerError, ConfigurationError, SubscriberError) as error:
        return _render_tests(page, addresses, tag, [read_error(error)])
    failed = [one for one in done.results if not one.is_sent and one.verdict is not Verdict.in_doubt]
    if not failed:
        # The page names those who are in doubt.
        notice = Notice.test_sent if done.number_sent == len(done.results) else None
        return page.go_back(notice, "/tests")
    translate = page.translate
    words = [
        translate(_LATER if one.outcome == "deferred" else _NOT_SENT, address=one.address, reply=one.reply)
        for one in failed
    ]
    return _render_tests(page, "\n".join(one.address for one in failed), tag, words)


def _send(page: PreparedPage, addresses: str, tag: str) -> SentTests:
    texts = [text for text in _SEPARATORS.split(addresses) if text]
    translate, mail = page.translate, page.look_at_mail()
    if not texts:
        raise RefusedTestError(translate(_NO_ADDRESS))
    if len(texts) > MAX_TEST_READERS:
        raise RefusedTestError(translate(_TOO_MANY, number=MAX_TEST_READERS))
    readers = read_test_readers(page.settings, texts)
    if not mail.mails or (mail.compiled is not None and mail.compiled.errors):
        raise RefusedTestError(translate(_ERRORS))
    version, state = mail.find(tag) if tag else None, page.state
    page.end_reading()
    done = send_test(
        state.engine,
        state.workspace,
        plan_test(page.campaign.edition, mail, version),
        readers,
        variant=None if version is None else 1,
        by=page.member.name,
        now=state.clock(),
    )
    with page.writing() as session:
        page.log(session, deeds.sent_test, len(done.results))
    return done


def _render_tests(page: PreparedPage, addresses: str, tag: str = "", errors: Sequence[str] = ()) -> Response:
    mail = page.look_at_mail()
    return page.render(
        "campaign_tests.html",
        mail=mail,
        sent={"addresses": addresses, "tag": tag},
        tests=list_tests(page.session, page.campaign.edition),
        request=secrets.token_urlsafe(12),
        errors=[("addresses", words) for words in errors],
    )
