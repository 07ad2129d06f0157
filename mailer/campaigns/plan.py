"""Plan a campaign: who would get what, before anything is stored or sent."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Engine, func
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select

from editions.checks.registry import DisabledCheck
from editions.errors import Problem, ProblemLevel
from mailer.campaigns.content_versions import digest_content
from mailer.campaigns.corrections import CorrectionRecord
from mailer.campaigns.counted_links import CountedLinks, number_links
from mailer.campaigns.delivery_history import vocabulary_of
from mailer.campaigns.preflight import PreflightReport, run_preflight
from mailer.campaigns.recipients import (
    ALREADY_SENT,
    Cohort,
    HeldBack,
    find_held_back,
    find_left_out,
    find_variants,
    is_in_audience,
    list_cohorts,
)
from mailer.database.engine import open_session
from mailer.rendering.body.variants import Variant, choose_language
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.workspace import Workspace
from subscribers.models import Subscriber, SubscriberSector
from subscribers.segments.description import describe_segment
from subscribers.segments.segment import EVERYONE, Segment


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The result of sending an edition to a segment, worked out in advance.

    ``compiled`` is the edition in each of its languages, its own first; it is empty if there are errors. The
    three ``by_…`` count the audience by ISO country ("" for unknown), by sector followed (a reader may follow
    several) and by the language of their mail. ``left_out`` counts the members of the segment who get
    nothing, by reason; ``held_back`` are those excluded by the law of their country. ``variants`` start with
    the one with the most readers. ``launch_problems`` prevent a launch, but not a preview. With a
    ``correction``, ``edition`` is its name.
    """

    edition: str
    segment: Segment
    compiled: tuple[CompiledEdition, ...]
    problems: tuple[Problem, ...]
    in_words: str = ""
    again: bool = False
    switched_off: tuple[DisabledCheck, ...] = ()
    audience: int = 0
    by_country: Mapping[str, int] = field(default_factory=dict)
    by_sector: Mapping[str, int] = field(default_factory=dict)
    by_language: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    held_back: tuple[HeldBack, ...] = ()
    variants: Mapping[Variant, Cohort] = field(default_factory=dict)
    authors: tuple[str, ...] = ()
    launch_problems: tuple[Problem, ...] = ()
    correction: CorrectionRecord | None = None
    counted: CountedLinks | None = None

    def mail_in(self, language: str) -> CompiledEdition:
        return next(mail for mail in self.compiled if mail.language == language)

    @property
    def title(self) -> str:
        return self.compiled[0].title if self.compiled else self.edition

    @property
    def subject(self) -> str:
        return self.compiled[0].subject if self.compiled else ""

    @property
    def language(self) -> str:
        return self.compiled[0].language if self.compiled else ""

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(compiled.language for compiled in self.compiled)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that prevent a launch."""
        return tuple(problem for problem in self.problems if problem.level is ProblemLevel.error)

    @property
    def counts_clicks(self) -> bool:
        return self.counted is not None

    @property
    def segment_label(self) -> str:
        return "everyone" if self.segment.text == EVERYONE else self.segment.text

    @property
    def digest(self) -> str:
        """SHA-256 of the edition's name, its content in every language, and the segment. An approval is for
        this digest."""
        return digest_plan(self.edition, self.segment.text, self.compiled)

    @property
    def content_digest(self) -> str:
        """SHA-256 of the edition's name and its content in every language. A test is of this digest."""
        return digest_content(self.edition, self.compiled)

    def as_dict(self) -> dict[str, Any]:
        names = ("audience", "by_country", "by_sector", "by_language", "left_out", "held_back")
        return {
            **{"edition": self.edition, "title": self.title, "subject": self.subject},
            **{"segment": self.segment.text, "segment_in_words": self.in_words},
            **{name: getattr(self, name) for name in names},
            "variants": [
                {
                    "number": number,
                    "language": variant.language,
                    "stories": len(variant.stories),
                    "readers": cohort.size,
                }
                for number, (variant, cohort) in enumerate(self.variants.items(), start=1)
            ],
            **{"problems": self.problems, "launch_problems": self.launch_problems},
            **{"switched_off": self.switched_off, "counts_clicks": self.counts_clicks},
            "counted_links": len(self.counted.links) if self.counted else 0,
        }


def digest_plan(edition: str, segment: str, compiled: Iterable[CompiledEdition]) -> str:
    """Return the digest of a plan: of ``compiled``, its own language first, for the text of a segment."""
    parts = [edition, segment, *(f"{mail.language} {mail.digest}" for mail in compiled)]
    return sha256("\n".join(parts).encode()).hexdigest()


def plan_campaign(
    workspace: Workspace,
    engine: Engine,
    edition: str,
    segment: Segment,
    *,
    again: bool = False,
    count_clicks: bool | None = None,
    now: datetime,
) -> Plan:
    """Plan sending ``edition`` to ``segment``; ``again`` includes readers who already have it. Nothing is
    stored. ``count_clicks`` None is what the settings say. Problems with the content are in ``problems``;
    raise ConfigurationError if there is no such edition."""
    counts = workspace.settings.campaigns.count_clicks if count_clicks is None else count_clicks
    check = partial(run_preflight, workspace, edition, count_clicks=counts)
    return make_plan(
        workspace, engine, edition, segment, check=check, again=again, count_clicks=counts, now=now
    )


def make_plan(
    workspace: Workspace,
    engine: Engine,
    edition: str,
    segment: Segment,
    *,
    check: Callable[..., PreflightReport],
    again: bool = False,
    count_clicks: bool = False,
    correction: CorrectionRecord | None = None,
    now: datetime,
) -> Plan:
    """Plan sending what ``check`` makes and checks for the variants of the audience; ``edition`` names it."""
    settings = workspace.settings
    law = settings.law
    audience = is_in_audience(segment, edition, now.date(), again=again, law=law)
    with open_session(engine, read_only=True) as session:
        cohorts = list(list_cohorts(session, audience))
    report = check(choose_variants=partial(find_variants, cohorts))
    compiled = _own_language_first(report)
    languages = tuple(mail.language for mail in compiled)
    counted = number_links(compiled, settings.web.base_url, settings.sectors) if count_clicks else None
    with open_session(engine, read_only=True) as session:
        wished_for = is_in_audience(segment, edition, now.date(), again=again)
        held_back = tuple(find_held_back(session, law, wished_for))
        already = "already have this correction" if correction else ALREADY_SENT
        left_out = dict(
            find_left_out(session, segment, edition, now.date(), already="" if again else already)
        )
        countries = _count_by(col(Subscriber.country), session, audience)
        return Plan(
            edition=edition,
            segment=segment,
            in_words=describe_segment(segment, vocabulary_of(settings)),
            again=again,
            compiled=compiled,
            problems=report.problems,
            switched_off=report.switched_off,
            audience=session.exec(select(func.count()).select_from(Subscriber).where(audience)).one(),
            by_country=sort_by_count({name or "": number for name, number in countries.items()}),
            by_sector=_count_by_sector(session, audience, tuple(settings.sectors)),
            by_language=_count_by_language(session, audience, languages),
            left_out=left_out | {held.reason: held.count for held in held_back},
            held_back=held_back,
            variants=find_variants(cohorts, compiled),
            authors=report.edition.authors if report.edition else (),
            launch_problems=report.launch_problems,
            correction=correction,
            counted=counted,
        )


def _own_language_first(report: PreflightReport) -> tuple[CompiledEdition, ...]:
    if report.edition is None:
        return ()
    own = report.edition.language
    return tuple(sorted(report.compiled, key=lambda mail: mail.language != own))


def _count_by(column: Mapped[Any], session: Session, audience: ColumnElement[bool]) -> dict[Any, int]:
    counted = select(column, func.count()).where(audience).group_by(column)
    return dict(session.exec(counted).all())


def _count_by_sector(
    session: Session, audience: ColumnElement[bool], sectors: tuple[str, ...]
) -> dict[str, int]:
    sector = col(SubscriberSector.sector)
    counted = (
        select(sector, func.count())
        .join(Subscriber, col(Subscriber.id) == col(SubscriberSector.subscriber_id))
        .where(audience)
        .group_by(sector)
    )
    found = dict(session.exec(counted).all())
    known = [name for name in sectors if name in found]
    return {name: found[name] for name in [*known, *sorted(set(found) - set(known))]}


def _count_by_language(
    session: Session, audience: ColumnElement[bool], languages: tuple[str, ...]
) -> dict[str, int]:
    if not languages:
        return {}
    total: Counter[str] = Counter()
    for wanted, number in _count_by(col(Subscriber.language), session, audience).items():
        total[choose_language(wanted, languages)] += number
    return sort_by_count(total)


def sort_by_count(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
