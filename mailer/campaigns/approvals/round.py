"""A round of an approval: one request, and what was answered to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from mailer.campaigns.approvals.changes import SendingOptions
from mailer.campaigns.approvals.facts import RoundFacts
from mailer.campaigns.approvals.steps import (
    ApprovalStep,
    GivenAnswer,
    Person,
    StepProgress,
    evaluate_steps,
    find_current_step,
)
from mailer.database.approval_models import ApprovalVerdict, RoundState


@dataclass(frozen=True, kw_only=True)
class AnswerComment:
    """What a member says to an answer."""

    name: str
    text: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one person answered: ``words`` are "" where they said nothing more."""

    id: int
    person: Person
    verdict: ApprovalVerdict
    words: str
    at: datetime
    comments: tuple[AnswerComment, ...] = ()

    @property
    def approves(self) -> bool:
        return self.verdict is ApprovalVerdict.approved


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
    answers: tuple[Answer, ...]

    @property
    def is_open(self) -> bool:
        return self.state is RoundState.open

    @cached_property
    def progress(self) -> tuple[StepProgress, ...]:
        """How far each step has come."""
        return self._evaluate(self.steps, self.answers)

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
            if all(one.is_fulfilled for one in self._evaluate(earlier, self.answers[:count])):
                break
            since = answer.at
        return since

    @property
    def approver_names(self) -> tuple[str, ...]:
        """Who approved, in the order of their answers."""
        return tuple(dict.fromkeys(one.person.name for one in self.answers if one.approves))

    def find_answer(self, person: Person) -> Answer | None:
        """What ``person`` answered; None if they have not yet."""
        return next((one for one in self.answers if one.person.key == person.key), None)

    def is_asked(self, person: Person) -> bool:
        """Whether the current step waits for ``person``, who has not answered."""
        step = self.current_step
        if step is None or self.find_answer(person) is not None:
            return False
        return any(party.admits(person) for party in step.waiting)

    def describe_missing(self) -> str:
        """Whom it waits for, in words; "" if for nobody."""
        step = self.current_step
        if step is None:
            return ""
        joint = " and " if step.step.needs == "all" else " or "
        people = joint.join(map(str, step.waiting))
        name = f" “{step.step.name}”" if step.step.name else ""
        return f"step {step.number} of {len(self.steps)}{name}: {people}" if len(self.steps) > 1 else people

    @staticmethod
    def _evaluate(steps: Sequence[ApprovalStep], answers: Iterable[Answer]) -> tuple[StepProgress, ...]:
        given = (GivenAnswer(person=one.person, verdict=one.verdict) for one in answers)
        return evaluate_steps(steps, given)
