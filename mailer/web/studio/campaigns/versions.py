"""The different mails of a campaign: a contact sheet, each at full size, and tests of them to colleagues."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import replace

from starlette.responses import Response

from locales.phrase import read_error
from mailer.activity.acts import Act
from mailer.campaigns.content_versions import list_tests
from mailer.campaigns.mail_to_test_readers import (
    MAX_TEST_READERS,
    RefusedTestError,
    SentTests,
    read_test_readers,
    send_test,
)
from mailer.campaigns.preparation.seen_variants import mark_variant_seen
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.rendering.body.variants import choose_language
from mailer.rendering.mail_merge import anonymous_reader
from mailer.smtp.reply_classifier import Verdict
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.mail_preview.mail_frame import show_mail, show_text, show_words
from mailer.web.mail_preview.prepared_mail import describe_versions, plan_test
from mailer.web.mail_preview.query import PreviewQuery, ShownWindows, parse_query
from mailer.web.mail_preview.shown_mail import dress_html, personalise_mail
from mailer.web.studio.campaign_place import PreparedPage, PreparedPageDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import StudioPage, or_404
from mailer.web.studio.routing import Routes
from subscribers.errors import SubscriberError

ROUTES = Routes()
_ON_SHEET = 12
_SEPARATORS = re.compile(r"[\s,;]+")
_NO_ADDRESS = gettext_noop("Write at least one address.")
_TOO_MANY = gettext_noop("A test goes to at most %(number)s addresses. For more people, send a campaign.")
_ERRORS = gettext_noop("The edition has errors, so no test was sent. Its problems say what to mend.")
_NOT_SENT = gettext_noop("%(address)s did not get it. Their mail server, or ours, said: %(reply)s")
_LATER = gettext_noop(
    "%(address)s did not get it yet. Send it again in a few minutes. The server said: %(reply)s"
)


@ROUTES.get_route("/campaigns/{campaign}/versions", Permission.read)
def show_versions(page: PreparedPageDep) -> Response:
    """Show the contact sheet: a page, or for htmx the sheet alone."""
    mail = page.look_at_mail()
    last = max(1, -(-len(mail.versions) // _ON_SHEET))
    wanted = read_number(page.request.query_params.get("page", ""), digits=5) or 1
    current = min(wanted, last)
    start = (current - 1) * _ON_SHEET
    shown = mail.versions[start : start + _ON_SHEET]
    return page.render(
        "campaign_contact_sheet.html" if page.is_fragment else "campaign_versions.html",
        mail=mail,
        shown=shown,
        words=describe_versions(page.translator, page.settings, mail, shown),
        current=current,
        last=last,
    )


@ROUTES.get_route("/campaigns/{campaign}/versions/{tag}", Permission.read)
def show_version(page: PreparedPageDep, tag: str) -> Response:
    mail = page.look_at_mail()
    version = or_404(mail.find(tag))
    beside = {one.number: one for one in mail.versions}
    return page.render(
        "campaign_version.html",
        mail=mail,
        version=version,
        words=describe_versions(page.translator, page.settings, mail, [version]).get(tag),
        before=beside.get(version.number - 1),
        after=beside.get(version.number + 1),
        query=_read_query(page),
    )


@ROUTES.get_route("/campaigns/{campaign}/versions/{tag}/frame", Permission.read)
def show_version_frame(page: PreparedPageDep, tag: str) -> Response:
    mail, query = page.look_at_mail(), _read_query(page)
    version = or_404(mail.find(tag))
    languages = {one.language: one for one in mail.mails}
    compiled = languages[choose_language(version.language, tuple(languages))]
    title = page.translate("Preview")
    reader = anonymous_reader(page.settings)._replace(language=version.language, interests=version.interests)
    shown = personalise_mail(compiled, reader, replace(version.variant, named=False))
    if shown is None:
        words = page.translate("There is nothing to show yet. The checks say why.")
        return show_words(words, query, title=title, language=page.translator.tag)
    if query.show is ShownWindows.text:
        return show_text(shown.text, query, title=title, language=compiled.language)
    prefix = page.make_path(f"/editions/{page.campaign.edition}")
    return show_mail(dress_html(shown.html, query, base_url=page.settings.web.base_url, prefix=prefix))


@ROUTES.post_route("/campaigns/{campaign}/versions/{tag}/seen", Permission.read)
def mark_version(page: PreparedPageDep, tag: str, form: OwnFormDep) -> Response:
    """Write down that the member has looked at a version, and go on to the next that they have not."""
    mail = page.look_at_mail()
    version = or_404(mail.find(tag))
    if form.get("digest") != version.digest:
        # It has changed since the page was opened, so what they have looked at is not this.
        return page.redirect(f"{page.path}/versions/{tag}", Notice.version_changed)
    with page.writing() as session:
        now = page.state.clock()
        mark_variant_seen(session, page.number, page.member.id, version.digest, now=now)
    following = [*mail.versions[version.number :], *mail.versions[: version.number - 1]]
    unseen = next((one for one in following if not one.is_seen), None)
    if unseen is None:
        return page.go_back(Notice.versions_seen)
    return page.redirect(f"{page.path}/versions/{unseen.tag}")


def _read_query(page: StudioPage) -> PreviewQuery:
    query = parse_query(page.request.query_params)
    if query.show is ShownWindows.both:
        query = PreviewQuery(show=ShownWindows.desktop, scheme=query.scheme, images=query.images)
    return query


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
        page.log(session, Act.sent_test, f"to {len(done.results)}")
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
