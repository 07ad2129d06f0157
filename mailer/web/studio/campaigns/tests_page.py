"""Tests of a campaign: sending one to colleagues, and who got which content when."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select
from starlette.responses import Response

from locales.phrase import read_error
from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.audiences.recipient_selection import Cohort
from mailer.campaigns.mail_to_test_readers import (
    MAX_TEST_READERS,
    RefusedTestError,
    SentTests,
    ShownMail,
    read_test_readers,
    send_test,
)
from mailer.campaigns.plan import Plan
from mailer.campaigns.preparation.preparation import Preparation
from mailer.database.models import SentTest
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.smtp.reply_classifier import Verdict
from mailer.web.form_options import own_language_name
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.campaigns.place import CampaignPlace, CampaignPlaceDep, PreparationDep, read_title
from mailer.web.studio.campaigns.versions import MailVersionShown, PreparedMail, look_at_mail
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from subscribers.errors import SubscriberError
from subscribers.segments.segment import parse_segment

_MAX_SHOWN = 50
_SEPARATORS = re.compile(r"[\s,;]+")
_NO_ADDRESS = gettext_noop("Write at least one address.")
_TOO_MANY = gettext_noop("A test goes to at most %(number)s addresses. For more people, send a campaign.")
_ERRORS = gettext_noop("The edition has errors, so no test was sent. Its problems say what to mend.")
_NOT_SENT = gettext_noop("%(address)s did not get it. Their mail server, or ours, said: %(reply)s")
_LATER = gettext_noop(
    "%(address)s did not get it yet. Send it again in a few minutes. The server said: %(reply)s"
)


@dataclass(frozen=True, kw_only=True)
class ShownTest:
    """A test as it was sent at one moment: to whom, by whom, whether it was ``current`` content, and whether
    nobody knows if they have it."""

    sent_at: datetime
    by: str
    addresses: Sequence[str]
    current: bool
    is_in_doubt: bool


@dataclass(frozen=True, kw_only=True)
class SendTestForm:
    """What the form says: ``addresses`` as typed, and the ``tag`` of a version, "" for all stories."""

    addresses: str
    tag: str = ""


def show_tests(page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep) -> Response:
    """Show the tests that were sent, and the form for another one."""
    usual = "\n".join(page.settings.campaigns.test_readers or (page.member.email,))
    return _render(page, place, preparation, SendTestForm(addresses=usual))


def send_campaign_test(
    page: PageDep, place: CampaignPlaceDep, preparation: PreparationDep, form: OwnFormDep
) -> Response:
    """Send a test. The same form sent twice, by a second click, sends it once."""
    sent = SendTestForm(addresses=form.get("addresses").strip()[:8000], tag=form.get("version")[:40])
    mail = look_at_mail(page, preparation, compiles=True)
    try:
        done = page.state.form_answers.answer_once(
            _name_form(page, preparation, form), lambda: _send(page, preparation, mail, sent)
        )
    except (RefusedTestError, MailerError, ConfigurationError, SubscriberError) as error:
        return _render(page, place, preparation, sent, [("addresses", read_error(error))])
    failed = [one for one in done.results if not one.is_sent and one.verdict is not Verdict.in_doubt]
    if not failed:
        # The page names those who are in doubt.
        notice = Notice.test_sent if done.number_sent == len(done.results) else None
        return page.redirect(f"{place.path}/tests", notice)
    translate = page.translator.translate
    words = [
        translate(_LATER if one.outcome == "deferred" else _NOT_SENT, address=one.address, reply=one.reply)
        for one in failed
    ]
    left = SendTestForm(addresses="\n".join(one.address for one in failed), tag=sent.tag)
    return _render(page, place, preparation, left, [("addresses", text) for text in words])


def _name_form(page: StudioPage, preparation: Preparation, form: Form) -> str:
    """A name for the form as this member has it of this campaign; "" for one without a number."""
    request = form.get("request")[:64]
    return request and f"{page.member.id} {preparation.campaign_id} {request}"


def _send(page: StudioPage, preparation: Preparation, mail: PreparedMail, sent: SendTestForm) -> SentTests:
    texts = [text for text in _SEPARATORS.split(sent.addresses) if text]
    translate = page.translator.translate
    if not texts:
        raise RefusedTestError(translate(_NO_ADDRESS))
    if len(texts) > MAX_TEST_READERS:
        raise RefusedTestError(translate(_TOO_MANY, number=MAX_TEST_READERS))
    readers = read_test_readers(page.settings, texts)
    if not mail.mails or (mail.compiled is not None and mail.compiled.errors):
        raise RefusedTestError(translate(_ERRORS))
    version = mail.find(sent.tag) if sent.tag else None
    now, state = page.state.clock(), page.state
    done = send_test(
        state.engine,
        state.workspace,
        _make_plan(preparation, mail, version),
        readers,
        shows=ShownMail(variant=None if version is None else 1),
        by=page.member.name,
        now=now,
    )
    with state.write_session() as session:
        record_activity(
            session,
            page.actor,
            Act.sent_test,
            edition=preparation.edition,
            subject=str(preparation.campaign_id),
            detail=f"to {len(done.results)}",
            now=now,
        )
    return done


def _make_plan(preparation: Preparation, mail: PreparedMail, version: MailVersionShown | None) -> Plan:
    """A plan of what a test needs: the content, and the version to show, without counting the list."""
    compiled = mail.compiled
    assert compiled is not None  # noqa: S101 - there are mails of it
    variants = {}
    if version is not None:
        cohort = Cohort(
            language=version.language, interests=version.interests, size=version.readers, first_id=0
        )
        variants[version.variant] = cohort
    return Plan(
        edition=preparation.edition,
        segment=parse_segment(""),
        in_words="",
        again=False,
        compiled=mail.mails,
        problems=compiled.problems,
        switched_off=compiled.switched_off,
        audience=0,
        by_country={},
        by_sector={},
        by_language={},
        left_out={},
        held_back=(),
        variants=variants,
        authors=compiled.edition.authors if compiled.edition is not None else (),
        launch_problems=compiled.launch_problems,
    )


def _list_tests(session: Session, edition: str, digest: str) -> list[ShownTest]:
    """The latest tests of an edition, those that were sent together as one."""
    rows = session.exec(
        select(SentTest)
        .where(SentTest.edition == edition)
        .order_by(col(SentTest.id).desc())
        .limit(_MAX_SHOWN)
    ).all()
    together: dict[tuple[datetime, str, str, bool], list[str]] = {}
    for row in rows:
        key = (row.sent_at, row.sent_by, row.content_digest, row.is_in_doubt)
        together.setdefault(key, []).append(row.address)
    return [
        ShownTest(
            sent_at=at,
            by=by,
            addresses=sorted(filter(None, addresses)),
            current=bool(digest) and of == digest,
            is_in_doubt=is_in_doubt,
        )
        for (at, by, of, is_in_doubt), addresses in together.items()
    ]


def _render(
    page: StudioPage,
    place: CampaignPlace,
    preparation: Preparation,
    sent: SendTestForm,
    errors: list[tuple[str, str]] | None = None,
) -> Response:
    mail = look_at_mail(page, preparation, compiles=True)
    with page.state.read_session() as session:
        tests = _list_tests(session, preparation.edition, mail.content_digest)
    return page.render(
        "campaign_tests.html",
        status=422 if errors else 200,
        section="campaigns",
        place=place,
        title=read_title(page, place),
        mail=mail,
        sent=sent,
        tests=tests,
        request=secrets.token_urlsafe(12),
        languages={mail.language: own_language_name(mail.language) for mail in mail.mails},
        errors=errors or [],
    )
