"""What a prepared campaign would send now: its different mails, who gets each, and in what they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlmodel import Session

from editions.model import Personalisation
from mailer.campaigns.content_versions import digest_content
from mailer.campaigns.plan import Plan
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.seen_variants import digest_version, list_seen_variants
from mailer.campaigns.recipients import Cohort, group_cohorts
from mailer.counts.background_counts import BackgroundCounts
from mailer.counts.counters import CountedNumber, read_cohorts, request_cohorts
from mailer.errors import ConfigurationError
from mailer.i18n import Translator, gettext_noop
from mailer.rendering.body.variants import NO_INTERESTS, Interests, Variant
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.settings import Settings
from mailer.web.forms import list_sectors, own_country_names
from mailer.web.mail_preview.compiler import CompiledPreview, CompilerCache
from mailer.web.mail_preview.shown_mail import describe_difference, tag_variant
from subscribers.segments.segment import parse_segment

MAX_VERSIONS = 200
"""The versions of most readers, which can be looked at. Whoever has more has them by the thousand."""
_FOLLOWERS = gettext_noop("For partners who follow %(what)s")
_NO_FOLLOWERS = gettext_noop("For partners who follow none of its sectors and countries")
_OTHERS = gettext_noop("For partners who follow different things, or nothing in particular")


@dataclass(frozen=True, kw_only=True)
class MailVersion:
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
    versions: Sequence[MailVersion] = ()
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

    def find(self, tag: str) -> MailVersion | None:
        """Return the version that ``tag`` names; None if no reader gets it any more."""
        return next((version for version in self.versions if version.tag == tag), None)


def look_at_mail(
    previews: CompilerCache,
    counts: BackgroundCounts,
    session: Session,
    prepared: Preparation,
    member_id: int,
    *,
    compiles: bool,
) -> PreparedMail:
    """Find out what a prepared campaign would send, and what of it the member has looked at. With
    ``compiles`` that may take a second or more; without, only what is known is told. Readers are counted in
    the background in any case."""
    decided, edition = prepared.decisions, prepared.edition
    try:
        compiler = previews.compiler(edition)
        compiled = compiler.compile() if compiles else compiler.find_compiled()
    except ConfigurationError:
        return PreparedMail(compiled=None, cohorts=None, gone=True)
    cohorts = None
    if decided.segment is not None:
        cohorts = counts.get(request_cohorts(edition, decided.segment, again=decided.again))
    if compiled is None or not compiled.mails:
        return PreparedMail(compiled=compiled, cohorts=cohorts)
    is_known = cohorts is not None and cohorts.value is not None
    groups = read_cohorts(cohorts.value) if cohorts is not None and is_known else ()
    found = group_cohorts(groups, compiled.own_first)
    if not is_known or not found:
        found = {compiled.own_first[0].full_variant: ()}
    seen = list_seen_variants(session, prepared.campaign_id, member_id)
    versions = []
    for number, (variant, readers) in enumerate([*found.items()][:MAX_VERSIONS], start=1):
        digest = digest_version(compiled.mails[variant.language], variant)
        is_seen = digest in seen
        versions.append(
            MailVersion(number=number, variant=variant, cohorts=readers, digest=digest, is_seen=is_seen)
        )
    return PreparedMail(
        compiled=compiled, cohorts=cohorts, versions=versions, total=len(found) if is_known else None
    )


def describe_versions(
    translator: Translator, settings: Settings, mail: PreparedMail, versions: Sequence[MailVersion]
) -> dict[str, Mapping[str, Any]]:
    """Return for whom some ``versions`` of a mail are, "" if that cannot be said in a line, and in what they
    differ, a line each; by their tag. The only version of a mail needs no words."""
    if len(mail.versions) < 2:
        return {}
    mails = {one.language: one for one in mail.mails}
    stories = [one.variant.stories for one in mail.versions]
    edition = mail.compiled.edition if mail.compiled is not None else None
    titles = {one.slug: one.texts[edition.language].title for one in edition.stories} if edition else {}
    return {
        one.tag: {
            "audience": _describe_audience(translator, settings, one, mails[one.language]),
            "differences": describe_difference(translator, stories, one.number, titles),
        }
        for one in versions
    }


def _describe_audience(
    translator: Translator, settings: Settings, version: MailVersion, mail: CompiledEdition
) -> str:
    """Return what its readers have in common of that which the edition's order depends on."""
    if mail.personalise is Personalisation.off or not version.cohorts:
        return ""
    sectors = {story.sector for story in mail.stories} | {story.section for story in mail.stories}
    countries = {country for story in mail.stories for country in story.countries}
    followed = [
        Interests(sectors=one.sectors & sectors, countries=one.countries & countries)
        for one in (cohort.interests for cohort in version.cohorts)
    ]
    translate = translator.translate
    if not any(followed):
        return translate(_NO_FOLLOWERS)
    shared = Interests(
        sectors=frozenset.intersection(*(one.sectors for one in followed)),
        countries=frozenset.intersection(*(one.countries for one in followed)),
    )
    if shared:
        own = own_country_names(settings)
        names = [name for slug, name in list_sectors(translator, settings) if slug in shared.sectors]
        names += sorted(translator.name_country(code, own) for code in shared.countries)
        return translate(_FOLLOWERS, what=", ".join(names))
    return "" if all(followed) else translate(_OTHERS)


def plan_test(edition: str, mail: PreparedMail, version: MailVersion | None) -> Plan:
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
