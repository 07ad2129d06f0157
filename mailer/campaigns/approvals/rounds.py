"""Rounds of an approval: each request, what was true when it was asked, its answers, and how it is kept."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, func, select, update
from sqlmodel import col

from editions.errors import Problem, ProblemLevel
from locales.languages import language_name
from mailer.campaigns.approvals.changes import FrozenState, SendingOptions
from mailer.campaigns.approvals.steps import (
    ApprovalStep,
    Person,
    RoundAnswer,
    StepProgress,
    evaluate_steps,
    find_current_step,
    load_steps,
)
from mailer.campaigns.draft import CheckWarning
from mailer.campaigns.plan import Plan
from mailer.database.approval_models import (
    ApprovalAnswer,
    ApprovalComment,
    ApprovalContent,
    ApprovalRound,
    ApprovalVerdict,
    RoundState,
)
from mailer.database.models import Campaign, CampaignState
from mailer.database.team_models import Role
from mailer.rendering.body.variants import Variant
from mailer.rendering.compiled_edition import CompiledEdition

_WAITING_STATES = (
    *(CampaignState.draft, CampaignState.tested),
    *(CampaignState.approved, CampaignState.scheduled),
)
_IS_OPEN = (col(ApprovalRound.state) == RoundState.open, col(Campaign.state).in_(_WAITING_STATES))


@dataclass(frozen=True, kw_only=True)
class AskedVariant:
    """One of the different mails, and how many readers would get it. ``stories`` are places in the list of
    slugs of :class:`RoundFacts`."""

    language: str
    stories: tuple[int, ...]
    readers: int

    @property
    def language_name(self) -> str:
        return language_name(self.language)


@dataclass(frozen=True, kw_only=True)
class RoundFacts:
    """The facts at the time of a round. ``languages`` begin with the edition's own, and ``slugs`` are the
    stories that variants refer to."""

    title: str
    subject: str
    in_words: str
    audience: int
    by_country: Mapping[str, int]
    by_language: Mapping[str, int]
    left_out: Mapping[str, int]
    languages: tuple[str, ...]
    slugs: tuple[str, ...]
    variants: tuple[AskedVariant, ...]
    warnings: tuple[CheckWarning, ...]
    authors: tuple[str, ...] = ()

    def find_variant(self, number: int) -> Variant | None:
        """Return the variant with this number, from 1. Nobody is greeted by name in it."""
        if not 0 < number <= len(self.variants):
            return None
        asked = self.variants[number - 1]
        stories = tuple(self.slugs[place] for place in asked.stories)
        return Variant(language=asked.language, stories=stories, named=False)

    def is_whole(self, variant: AskedVariant) -> bool:
        """Return whether a variant has every story, in the edition's own order."""
        return variant.stories == tuple(range(len(self.slugs)))

    def list_problems(self) -> tuple[Problem, ...]:
        return tuple(
            Problem(
                path=one.path, line=one.line, level=ProblemLevel.warning, code=one.code, message=one.message
            )
            for one in self.warnings
        )

    def to_json(self) -> str:
        return _FACTS.dump_json(self).decode()


_FACTS = TypeAdapter(RoundFacts)


def load_facts(text: str) -> RoundFacts:
    return _FACTS.validate_json(text)


def gather_facts(plan: Plan) -> RoundFacts:
    slugs = tuple(dict.fromkeys(story.slug for mail in plan.compiled for story in mail.stories))
    return RoundFacts(
        title=plan.title,
        subject=plan.subject,
        in_words=plan.in_words,
        audience=plan.audience,
        by_country=dict(plan.by_country),
        by_language=dict(plan.by_language),
        left_out=dict(plan.left_out),
        languages=plan.languages,
        slugs=slugs,
        variants=_list_variants(plan, slugs),
        warnings=tuple(
            CheckWarning(code=one.code, path=one.path, line=one.line, message=one.message)
            for one in plan.problems
            if one.level is ProblemLevel.warning
        ),
        authors=plan.authors,
    )


def _list_variants(plan: Plan, slugs: Sequence[str]) -> tuple[AskedVariant, ...]:
    """Return the variants by their readers. How a reader is greeted makes no other mail; the whole edition is
    there in each language that nobody reads it in yet."""
    places = {slug: place for place, slug in enumerate(slugs)}
    readers: dict[tuple[str, tuple[int, ...]], int] = {}
    for variant, cohort in plan.variants.items():
        key = (variant.language, tuple(places[slug] for slug in variant.stories))
        readers[key] = readers.get(key, 0) + cohort.size
    for mail in plan.compiled:
        full = mail.full_variant
        if all(language != full.language for language, _ in readers):
            readers[(full.language, tuple(places[slug] for slug in full.stories))] = 0
    return tuple(
        AskedVariant(language=language, stories=stories, readers=number)
        for (language, stories), number in readers.items()
    )


@dataclass(frozen=True, kw_only=True)
class Round:
    """One request for an approval. ``has_own_steps`` says that its steps were chosen for it. ``settings`` are
    those of that time, each as a hash. ``asked_by`` is "" and ``member_id`` None where a command approved
    without being asked."""

    id: int
    campaign_id: int
    edition: str
    options: SendingOptions
    digest: str
    settings: Mapping[str, str]
    steps: tuple[ApprovalStep, ...]
    has_own_steps: bool
    facts: RoundFacts
    note: str
    state: RoundState
    asked_by: str
    member_id: int | None
    asked_at: datetime
    ended_at: datetime | None
    answers: tuple[RoundAnswer, ...]

    @property
    def is_open(self) -> bool:
        return self.state is RoundState.open

    @cached_property
    def progress(self) -> tuple[StepProgress, ...]:
        return evaluate_steps(self.steps, self.answers)

    @property
    def current_step(self) -> StepProgress | None:
        """The step whose answers are waited for; None if there is none."""
        return find_current_step(self.progress) if self.is_open else None

    @property
    def waits_since(self) -> datetime | None:
        """Since when the current step waits: since the answer that fulfilled those before it, or since it was
        asked for; None if there is no current step."""
        current, since = self.current_step, self.asked_at
        if current is None:
            return None
        earlier = self.steps[: current.number - 1]
        for count, answer in enumerate(self.answers):
            if all(one.is_fulfilled for one in evaluate_steps(earlier, self.answers[:count])):
                break
            since = answer.at
        return since

    @property
    def approver_names(self) -> tuple[str, ...]:
        """Who approved, in the order of their answers."""
        return tuple(dict.fromkeys(one.person.name for one in self.answers if one.approves))

    def find_answer(self, person: Person) -> RoundAnswer | None:
        return next((one for one in self.answers if one.person.key == person.key), None)

    def is_asked(self, person: Person) -> bool:
        """Return whether the current step waits for ``person``, who has not answered."""
        step = self.current_step
        if step is None or self.find_answer(person) is not None:
            return False
        return any(party.admits(person) for party in step.waiting)

    def describe_missing(self) -> str:
        """Return whom it waits for, in words; "" if for nobody."""
        step = self.current_step
        if step is None:
            return ""
        joint = " and " if step.step.needs == "all" else " or "
        people = joint.join(map(str, step.waiting))
        name = f" “{step.step.name}”" if step.step.name else ""
        return f"step {step.number} of {len(self.steps)}{name}: {people}" if len(self.steps) > 1 else people


def find_round(connection: Connection, round_id: int) -> Round | None:
    return _find_one(connection, col(ApprovalRound.id) == round_id)


def require_round(connection: Connection, round_id: int) -> Round:
    """Return a round that was written or read in this transaction."""
    found = find_round(connection, round_id)
    assert found is not None  # noqa: S101 - see above
    return found


def find_last_round(connection: Connection, campaign_id: int) -> Round | None:
    """Return the newest round of a campaign; None if its approval was never asked for."""
    return _find_one(connection, col(ApprovalRound.campaign_id) == campaign_id)


def find_round_of(connection: Connection, digest: str, *, is_starting: bool = False) -> Round | None:
    """Return the newest round that asked for this content and segment; None if there is none. ``is_starting``
    says that its campaign is being started in this transaction, so that it still waits for answers."""
    return _find_one(connection, col(ApprovalRound.digest) == digest, as_stored=is_starting)


def find_open_round(connection: Connection, edition: str, segment: str) -> Round | None:
    return _find_one(
        connection,
        col(ApprovalRound.edition) == edition,
        col(ApprovalRound.segment) == segment,
        *_IS_OPEN,
    )


def find_own_steps(connection: Connection, edition: str, segment: str) -> Round | None:
    """Return the last round of an edition and a segment, if steps were chosen for it; None if they were not,
    or if it was approved."""
    last = _find_one(connection, col(ApprovalRound.edition) == edition, col(ApprovalRound.segment) == segment)
    is_own = last is not None and last.has_own_steps and last.state is not RoundState.approved
    return last if is_own else None


def find_former_approval(connection: Connection, edition: str, before: Round | None = None) -> Round | None:
    """Return the round by which ``edition`` was last approved, before another round; None if it never was."""
    earlier = (col(ApprovalRound.id) < before.id,) if before is not None else ()
    return _find_one(
        connection,
        col(ApprovalRound.edition) == edition,
        col(ApprovalRound.state) == RoundState.approved,
        *earlier,
    )


def list_rounds(connection: Connection, campaign_id: int) -> tuple[Round, ...]:
    return _select_rounds(connection, col(ApprovalRound.campaign_id) == campaign_id)


def list_open_rounds(connection: Connection) -> tuple[Round, ...]:
    """Return the rounds that wait for answers, the newest first. There are few at a time."""
    return _select_rounds(connection, *_IS_OPEN)


def list_returned_rounds(connection: Connection, *, limit: int) -> tuple[Round, ...]:
    """Return the rounds that somebody wants changed, and that were not asked for again, the newest first."""
    newest = (
        select(func.max(col(ApprovalRound.id)))
        .where(col(ApprovalRound.campaign_id) == col(Campaign.id))
        .correlate(Campaign)
        .scalar_subquery()
    )
    return _select_rounds(
        connection,
        col(ApprovalRound.state) == RoundState.changes_requested,
        col(Campaign.state).in_(_WAITING_STATES),
        col(ApprovalRound.id) == newest,
        limit=limit,
    )


def read_round_content(connection: Connection, asked: Round) -> tuple[CompiledEdition, ...]:
    """Return the content that was asked for, its own language first, as :func:`read_variant_content` does."""
    found = (read_variant_content(connection, asked.id, language) for language in asked.facts.languages)
    return tuple(mail for mail in found if mail is not None)


def read_variant_content(connection: Connection, round_id: int, language: str) -> CompiledEdition | None:
    """Return the content that was asked for in one language; None if there is none. Raise
    CompiledVersionError if it was compiled by another version of the program.
    """
    body = connection.scalar(
        select(col(ApprovalContent.body)).where(
            col(ApprovalContent.round_id) == round_id, col(ApprovalContent.language) == language
        )
    )
    return None if body is None else CompiledEdition.from_bytes(zlib.decompress(body))


def freeze_state(connection: Connection, asked: Round) -> FrozenState:
    """Return what was asked for, to be compared with what is."""
    return FrozenState(
        edition=asked.edition,
        options=asked.options,
        digest=asked.digest,
        settings=asked.settings,
        read_content=lambda: read_round_content(connection, asked),
    )


def list_approvers(connection: Connection, campaign_id: int) -> tuple[str, ...]:
    """Return the names of those by whose answers a campaign was last approved; nobody if no round says it."""
    last = (
        select(func.max(col(ApprovalRound.id)))
        .where(col(ApprovalRound.campaign_id) == campaign_id)
        .where(col(ApprovalRound.state) == RoundState.approved)
        .scalar_subquery()
    )
    names = select(col(ApprovalAnswer.name)).where(
        col(ApprovalAnswer.round_id) == last, col(ApprovalAnswer.verdict) == ApprovalVerdict.approved
    )
    return tuple(dict.fromkeys(connection.scalars(names.order_by(col(ApprovalAnswer.id)))))


def end_round(connection: Connection, round_id: int, state: RoundState, now: datetime) -> bool:
    """End an open round; return False if it was not open any more. The caller commits."""
    ended = (
        update(ApprovalRound)
        .where(col(ApprovalRound.id) == round_id, col(ApprovalRound.state) == RoundState.open)
        .values(state=state, ended_at=now)
    )
    return connection.execute(ended).rowcount == 1


def _find_one(
    connection: Connection, *conditions: ColumnElement[bool], as_stored: bool = False
) -> Round | None:
    return next(iter(_select_rounds(connection, *conditions, limit=1, as_stored=as_stored)), None)


def _select_rounds(
    connection: Connection,
    *conditions: ColumnElement[bool],
    limit: int | None = None,
    as_stored: bool = False,
) -> tuple[Round, ...]:
    """Return the rounds that meet ``conditions``, the newest first. What was asked of a campaign that has
    been cancelled or launched since waits for nobody: it counts as withdrawn, but not ``as_stored``."""
    table = ApprovalRound.__table__  # type: ignore[attr-defined]
    is_over = col(Campaign.state).not_in(_WAITING_STATES).label("is_over")
    found = select(table, is_over).join(Campaign, col(Campaign.id) == table.c.campaign_id).where(*conditions)
    rows = connection.execute(found.order_by(table.c.id.desc()).limit(limit)).all()
    answers = _read_answers(connection, [row.id for row in rows])
    return tuple(_as_round(row, answers.get(row.id, ()), as_stored=as_stored) for row in rows)


def _as_round(row: Any, answers: Sequence[RoundAnswer], *, as_stored: bool) -> Round:
    options = SendingOptions(segment=row.segment, again=row.again, counts_clicks=row.counts_clicks)
    is_withdrawn = row.is_over and not as_stored and row.state is RoundState.open
    return Round(
        id=row.id,
        campaign_id=row.campaign_id,
        edition=row.edition,
        options=options,
        digest=row.digest,
        settings=json.loads(row.settings),
        steps=load_steps(row.steps),
        has_own_steps=row.has_own_steps,
        facts=load_facts(row.facts),
        note=row.note,
        state=RoundState.withdrawn if is_withdrawn else row.state,
        asked_by=row.asked_by,
        member_id=row.member_id,
        asked_at=row.asked_at,
        ended_at=row.ended_at,
        answers=tuple(answers),
    )


def _read_answers(connection: Connection, rounds: Sequence[int]) -> dict[int, list[RoundAnswer]]:
    if not rounds:
        return {}
    table = ApprovalAnswer.__table__  # type: ignore[attr-defined]
    wanted = select(table).where(col(ApprovalAnswer.round_id).in_(rounds)).order_by(col(ApprovalAnswer.id))
    rows = connection.execute(wanted).all()
    comments = _read_comments(connection, [row.id for row in rows])
    found: dict[int, list[RoundAnswer]] = {}
    for row in rows:
        person = Person(
            key=row.person,
            name=row.name,
            member_id=row.member_id,
            reviewer_id=row.reviewer_id,
            role=Role(row.role) if row.role else None,
        )
        found.setdefault(row.round_id, []).append(
            RoundAnswer(
                id=row.id,
                person=person,
                verdict=row.verdict,
                words=row.words,
                at=row.answered_at,
                comments=comments.get(row.id, ()),
            )
        )
    return found


def _read_comments(connection: Connection, answers: Sequence[int]) -> dict[int, list[ApprovalComment]]:
    if not answers:
        return {}
    table = ApprovalComment.__table__  # type: ignore[attr-defined]
    wanted = select(table).where(col(ApprovalComment.answer_id).in_(answers))
    found: dict[int, list[ApprovalComment]] = {}
    for row in connection.execute(wanted.order_by(col(ApprovalComment.id))).mappings():
        found.setdefault(row["answer_id"], []).append(ApprovalComment(**row))
    return found
