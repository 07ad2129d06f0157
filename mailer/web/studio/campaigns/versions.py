"""The different mails of a campaign: a contact sheet, each at full size, and tests of them to colleagues."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from starlette.responses import Response

from editions.model import Personalisation
from locales.phrase import read_error
from mailer.activity.acts import Act
from mailer.campaigns.content_versions import digest_content, list_tests
from mailer.campaigns.mail_to_test_readers import (
    MAX_TEST_READERS,
    RefusedTestError,
    SentTests,
    ShownMail,
    read_test_readers,
    send_test,
)
from mailer.campaigns.plan import Plan
from mailer.campaigns.preparation.seen_variants import (
    digest_version,
    list_seen_variants,
    mark_variant_seen,
)
from mailer.campaigns.recipients import Cohort, group_cohorts
from mailer.counts.counters import CountedNumber, read_cohorts, request_cohorts
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.rendering.body.variants import NO_INTERESTS, Interests, Variant, choose_language
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.mail_merge import anonymous_reader
from mailer.smtp.reply_classifier import Verdict
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, list_sectors, own_country_names, read_number
from mailer.web.mail_preview.compiler import CompiledPreview
from mailer.web.mail_preview.query import PreviewQuery, ShownWindows, parse_query
from mailer.web.mail_preview.shown_mail import (
    describe_difference,
    describe_main,
    dress_html,
    personalise_mail,
    tag_variant,
)
from mailer.web.studio.campaign_place import PreparedPage, PreparedPageDep
from mailer.web.studio.mail_frame import show_mail, show_text, show_words
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import StudioPage, or_404
from mailer.web.studio.routing import Routes
from subscribers.errors import SubscriberError
from subscribers.segments.segment import parse_segment

ROUTES = Routes()
MAX_VERSIONS = 200
"""The versions of most readers, which can be looked at. Whoever has more has them by the thousand."""
_FOLLOWERS = gettext_noop("For partners who follow %(what)s")
_NO_FOLLOWERS = gettext_noop("For partners who follow none of its sectors and countries")
_OTHERS = gettext_noop("For partners who follow different things, or nothing in particular")
_ON_SHEET = 12
_SEPARATORS = re.compile(r"[\s,;]+")
_NO_ADDRESS = gettext_noop("Write at least one address.")
_TOO_MANY = gettext_noop("A test goes to at most %(number)s addresses. For more people, send a campaign.")
_ERRORS = gettext_noop("The edition has errors, so no test was sent. Its problems say what to mend.")
_NOT_SENT = gettext_noop("%(address)s did not get it. Their mail server, or ours, said: %(reply)s")
_LATER = gettext_noop(
    "%(address)s did not get it yet. Send it again in a few minutes. The server said: %(reply)s"
)


@dataclass(frozen=True, kw_only=True)
class MailVersionShown:
    """A version of the mail: number ``number`` of all, by its readers, who are not known where there are no
    ``cohorts``. ``digest`` is that of the mail, so that one that has changed has not been looked at.
    ``is_seen`` says whether the member has."""

    number: int
    variant: Variant
    cohorts: Sequence[Cohort]
    digest: str
    is_seen: bool

    @cached_property
    def tag(self) -> str:
        """Its name in an address."""
        return tag_variant(self.variant)

    @property
    def interests(self) -> Interests:
        """What one of its readers follows."""
        return self.cohorts[0].interests if self.cohorts else NO_INTERESTS

    @property
    def readers(self) -> int:
        return sum(cohort.size for cohort in self.cohorts)

    @property
    def language(self) -> str:
        return self.variant.language


@dataclass(frozen=True, kw_only=True)
class PreparedMail:
    """What a prepared campaign would send now. ``compiled`` is None while that is not known; ``gone`` says
    that its edition is not there. ``cohorts`` is None while no segment is chosen. ``versions`` are those that
    can be looked at, of ``total``."""

    compiled: CompiledPreview | None
    cohorts: CountedNumber | None
    versions: Sequence[MailVersionShown] = ()
    total: int | None = None
    gone: bool = False

    @property
    def mails(self) -> tuple[CompiledEdition, ...]:
        """The mail in each language, the edition's own first."""
        return self.compiled.own_first if self.compiled is not None else ()

    @property
    def errors(self) -> int | None:
        """How many problems are in the way of a launch; None if that is not known."""
        if self.gone:
            return 1
        if self.compiled is None:
            return None
        return self.compiled.errors + len(self.compiled.launch_problems)

    @property
    def content_digest(self) -> str:
        """That of the content, as tests are recorded by; "" if there is none."""
        edition = self.compiled.edition if self.compiled is not None else None
        return digest_content(edition.slug, self.mails) if edition is not None and self.mails else ""

    @property
    def seen(self) -> int:
        return sum(version.is_seen for version in self.versions)

    @property
    def is_late(self) -> bool:
        """Whether something is still being looked for."""
        is_counting = self.cohorts is not None and self.cohorts.value is None and self.cohorts.is_counting
        return (self.compiled is None and not self.gone) or is_counting

    def find(self, tag: str) -> MailVersionShown | None:
        """Return the version that ``tag`` names; None if no reader gets it any more."""
        return next((version for version in self.versions if version.tag == tag), None)


def look_at_mail(page: PreparedPage, *, compiles: bool = True) -> PreparedMail:
    """Find out what a prepared campaign would send. With ``compiles`` that may take a second or more;
    without, only what is known is told. Readers are counted in the background in any case."""
    decided, edition = page.preparation.decisions, page.campaign.edition
    try:
        compiler = page.state.previews.compiler(edition)
        compiled = compiler.compile() if compiles else compiler.find_compiled()
    except ConfigurationError:
        return PreparedMail(compiled=None, cohorts=None, gone=True)
    cohorts = None
    if decided.segment is not None:
        cohorts = page.state.counts.get(request_cohorts(edition, decided.segment, again=decided.again))
    if compiled is None or not compiled.mails:
        return PreparedMail(compiled=compiled, cohorts=cohorts)
    is_known = cohorts is not None and cohorts.value is not None
    groups = read_cohorts(cohorts.value) if cohorts is not None and is_known else ()
    found = group_cohorts(groups, compiled.own_first)
    if not is_known or not found:
        found = {compiled.own_first[0].full_variant: ()}
    seen = list_seen_variants(page.session, page.number, page.member.id)
    versions = []
    for number, (variant, readers) in enumerate([*found.items()][:MAX_VERSIONS], start=1):
        digest = digest_version(compiled.mails[variant.language], variant)
        is_seen = digest in seen
        versions.append(
            MailVersionShown(number=number, variant=variant, cohorts=readers, digest=digest, is_seen=is_seen)
        )
    return PreparedMail(
        compiled=compiled, cohorts=cohorts, versions=versions, total=len(found) if is_known else None
    )


def _describe_versions(
    page: StudioPage, mail: PreparedMail, versions: Sequence[MailVersionShown]
) -> dict[str, Mapping[str, Any]]:
    """Describe some ``versions`` of a mail in the language of the page, by their tag: for whom each is, "" if
    that cannot be said in a line, and in what it differs, a line each. Those of a mail that has only one
    need no words."""
    if len(mail.versions) < 2:
        return {}
    mails = {one.language: one for one in mail.mails}
    main, titles, translator = mail.versions[0], _name_stories(mail), page.translator
    return {
        one.tag: {
            "audience": _describe_audience(page, one, mails[one.language]),
            "differences": describe_main(translator)
            if one.tag == main.tag
            else describe_difference(translator, one.variant.stories, main.variant.stories, titles),
        }
        for one in versions
    }


def _name_stories(mail: PreparedMail) -> dict[str, str]:
    edition = mail.compiled.edition if mail.compiled is not None else None
    return {one.slug: one.texts[edition.language].title for one in edition.stories} if edition else {}


def _describe_audience(page: StudioPage, version: MailVersionShown, mail: CompiledEdition) -> str:
    """Return what its readers have in common of that which the edition's order depends on."""
    if mail.personalise is Personalisation.off or not version.cohorts:
        return ""
    sectors = {story.sector for story in mail.stories} | {story.section for story in mail.stories}
    countries = {country for story in mail.stories for country in story.countries}
    followed = [
        Interests(sectors=one.sectors & sectors, countries=one.countries & countries)
        for one in (cohort.interests for cohort in version.cohorts)
    ]
    translate = page.translate
    if not any(followed):
        return translate(_NO_FOLLOWERS)
    shared = Interests(
        sectors=frozenset.intersection(*(one.sectors for one in followed)),
        countries=frozenset.intersection(*(one.countries for one in followed)),
    )
    if shared:
        return translate(_FOLLOWERS, what=", ".join(_name_interests(page, shared)))
    return "" if all(followed) else translate(_OTHERS)


def _name_interests(page: StudioPage, interests: Interests) -> list[str]:
    sectors = [
        name for slug, name in list_sectors(page.translator, page.settings) if slug in interests.sectors
    ]
    names = own_country_names(page.settings)
    return sectors + sorted(page.translator.name_country(code, names) for code in interests.countries)


@ROUTES.get_route("/campaigns/{campaign}/versions", Permission.read)
def show_versions(page: PreparedPageDep) -> Response:
    """Show the contact sheet: a page, or for htmx the sheet alone."""
    mail = look_at_mail(page)
    last = max(1, -(-len(mail.versions) // _ON_SHEET))
    wanted = read_number(page.request.query_params.get("page", ""), digits=5) or 1
    current = min(wanted, last)
    start = (current - 1) * _ON_SHEET
    shown = mail.versions[start : start + _ON_SHEET]
    return page.render(
        "campaign_contact_sheet.html" if page.is_fragment else "campaign_versions.html",
        mail=mail,
        shown=shown,
        words=_describe_versions(page, mail, shown),
        current=current,
        last=last,
    )


@ROUTES.get_route("/campaigns/{campaign}/versions/{tag}", Permission.read)
def show_version(page: PreparedPageDep, tag: str) -> Response:
    mail = look_at_mail(page)
    version = or_404(mail.find(tag))
    beside = {one.number: one for one in mail.versions}
    return page.render(
        "campaign_version.html",
        mail=mail,
        version=version,
        words=_describe_versions(page, mail, [version]).get(tag),
        before=beside.get(version.number - 1),
        after=beside.get(version.number + 1),
        query=_read_query(page),
    )


@ROUTES.get_route("/campaigns/{campaign}/versions/{tag}/frame", Permission.read)
def show_version_frame(page: PreparedPageDep, tag: str) -> Response:
    mail, query = look_at_mail(page), _read_query(page)
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
    mail = look_at_mail(page)
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
        return page.redirect(f"{page.path}/tests", notice)
    translate = page.translate
    words = [
        translate(_LATER if one.outcome == "deferred" else _NOT_SENT, address=one.address, reply=one.reply)
        for one in failed
    ]
    return _render_tests(page, "\n".join(one.address for one in failed), tag, words)


def _send(page: PreparedPage, addresses: str, tag: str) -> SentTests:
    texts = [text for text in _SEPARATORS.split(addresses) if text]
    translate, mail = page.translate, look_at_mail(page)
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
        _make_plan(page.campaign.edition, mail, version),
        readers,
        shows=ShownMail(variant=None if version is None else 1),
        by=page.member.name,
        now=state.clock(),
    )
    with page.writing() as session:
        page.log(session, Act.sent_test, f"to {len(done.results)}")
    return done


def _make_plan(edition: str, mail: PreparedMail, version: MailVersionShown | None) -> Plan:
    """Return a plan of what a test needs: the content, and the version to show, without counting the list."""
    compiled = mail.compiled
    assert compiled is not None  # noqa: S101 - there are mails of it
    variants = {}
    if version is not None:
        cohort = Cohort(
            language=version.language, interests=version.interests, size=version.readers, first_id=0
        )
        variants[version.variant] = cohort
    return Plan(
        edition=edition,
        segment=parse_segment(""),
        compiled=mail.mails,
        problems=compiled.problems,
        switched_off=compiled.switched_off,
        variants=variants,
        authors=compiled.edition.authors if compiled.edition is not None else (),
        launch_problems=compiled.launch_problems,
    )


def _render_tests(page: PreparedPage, addresses: str, tag: str = "", errors: Sequence[str] = ()) -> Response:
    mail = look_at_mail(page)
    return page.render(
        "campaign_tests.html",
        mail=mail,
        sent={"addresses": addresses, "tag": tag},
        tests=list_tests(page.session, page.campaign.edition),
        request=secrets.token_urlsafe(12),
        errors=[("addresses", words) for words in errors],
    )
