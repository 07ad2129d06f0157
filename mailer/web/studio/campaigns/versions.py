"""The different mails that the readers of a prepared campaign get, as far as both are known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from mailer.campaigns.audiences.recipient_selection import group_cohorts
from mailer.campaigns.current_content import digest_content
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.seen_variants import list_seen_variants
from mailer.counts.counters import read_cohorts
from mailer.counts.request import CountedNumber, count_cohorts
from mailer.errors import ConfigurationError
from mailer.rendering.body.variants import NO_INTERESTS, Interests, Variant
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.recipient import Reader, anonymous_reader
from mailer.web.mail_preview.audience import tag_variant
from mailer.web.mail_preview.compiler import CompiledPreview
from mailer.web.studio.page import StudioPage

MAX_VERSIONS = 200
"""The versions of most readers, which can be looked at. Whoever has more has them by the thousand."""


@dataclass(frozen=True, kw_only=True)
class MailVersionShown:
    """A version of the mail: number ``number`` of all, by its readers. ``tag`` names it in an address,
    ``followed`` is what groups of its readers follow, empty while they are not known, and ``digest`` is that
    of the mail, so that one that has changed has not been looked at. ``is_seen`` says whether the member
    has."""

    number: int
    tag: str
    variant: Variant
    followed: tuple[Interests, ...]
    readers: int
    digest: str
    is_seen: bool

    @property
    def interests(self) -> Interests:
        """What one of its readers follows."""
        return self.followed[0] if self.followed else NO_INTERESTS

    @property
    def stories(self) -> int:
        return len(self.variant.stories)

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
        """The version that ``tag`` names; None if no reader gets it any more."""
        return next((version for version in self.versions if version.tag == tag), None)


def look_at_mail(page: StudioPage, preparation: Preparation, *, compiles: bool) -> PreparedMail:
    """Find out what a prepared campaign would send. With ``compiles`` that may take a second or more;
    without, only what is known is told. Readers are counted in the background in any case."""
    decided = preparation.decisions
    try:
        compiler = page.state.previews.compiler(preparation.edition)
        compiled = compiler.compile() if compiles else compiler.find_compiled()
    except ConfigurationError:
        return PreparedMail(compiled=None, cohorts=None, gone=True)
    if decided.segment is None:
        return _list_versions(page, preparation, compiled, None)
    asked = count_cohorts(preparation.edition, decided.segment, again=decided.again)
    return _list_versions(page, preparation, compiled, page.state.counts.get(asked))


def _list_versions(
    page: StudioPage,
    preparation: Preparation,
    compiled: CompiledPreview | None,
    cohorts: CountedNumber | None,
) -> PreparedMail:
    if compiled is None or not compiled.mails:
        return PreparedMail(compiled=compiled, cohorts=cohorts)
    is_known = cohorts is not None and cohorts.value is not None
    groups = read_cohorts(cohorts.value) if cohorts is not None and is_known else ()
    found = group_cohorts(groups, compiled.own_first)
    if not is_known or not found:
        found = {compiled.own_first[0].full_variant: ()}
    with page.state.read_session() as session:
        seen = list_seen_variants(session, preparation.campaign_id, page.member.id)
    versions = []
    for number, (variant, readers) in enumerate([*found.items()][:MAX_VERSIONS], start=1):
        digest = digest_version(compiled.mails[variant.language], variant)
        versions.append(
            MailVersionShown(
                number=number,
                tag=tag_variant(variant),
                variant=variant,
                followed=tuple(cohort.interests for cohort in readers),
                readers=sum(cohort.size for cohort in readers),
                digest=digest,
                is_seen=digest in seen,
            )
        )
    return PreparedMail(
        compiled=compiled, cohorts=cohorts, versions=versions, total=len(found) if is_known else None
    )


def digest_version(mail: CompiledEdition, variant: Variant) -> str:
    """The SHA-256 in hex of all that the readers of ``variant`` have in common."""
    assembled = mail.assemble(variant)
    parts = (mail.sender_name, mail.subject, mail.preheader, assembled.html, assembled.text)
    digest = sha256()
    for part in parts:
        digest.update(sha256(part.encode()).digest())
    return digest.hexdigest()


def make_reader(page: StudioPage, version: MailVersionShown) -> tuple[Reader, Variant]:
    """A reader of no name who gets ``version``, and the variant for them."""
    reader = anonymous_reader(page.settings)._replace(language=version.language, interests=version.interests)
    return reader, replace(version.variant, named=False)
