"""The steps of an approval: who is asked, who has answered, and how far each step has come."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from unicodedata import normalize

from mailer.database.approval_models import ApprovalComment, ApprovalVerdict
from mailer.database.team_models import Role

_RANKS = {role: rank for rank, role in enumerate(Role)}


class PartyKind(StrEnum):
    """Kinds of people who are asked."""

    anybody = "anybody"
    """Anybody who may approve: approvers and managers of the team, and whoever runs the command."""

    member = "member"

    role = "role"
    """One member with a role, or with a higher one."""

    reviewer = "reviewer"


class Needs(StrEnum):
    """The number of those asked who have to approve."""

    any = "any"
    all = "all"


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who answers. ``key`` names them once in a round. ``role`` is a member's, None for others.
    ``email`` is known of those who are asked; a reviewer's is "" once the retention period is over."""

    key: str
    name: str
    member_id: int | None = None
    reviewer_id: int | None = None
    role: Role | None = None
    email: str = ""

    @classmethod
    def of_member(cls, member: Any) -> Self:
        """Make a person of a member of the team, or of their row."""
        key, email = f"member:{member.id}", member.email
        return cls(key=key, name=member.name, member_id=member.id, role=member.role, email=email)

    @classmethod
    def of_reviewer(cls, reviewer: Any) -> Self:
        """Make a person of the row of somebody outside the team."""
        key, email = f"reviewer:{reviewer.id}", reviewer.email
        return cls(key=key, name=reviewer.name, reviewer_id=reviewer.id, email=email)


@dataclass(frozen=True, kw_only=True)
class Party:
    """One of those who are asked. ``number`` is a member's or a reviewer's, ``name`` what they are called."""

    kind: PartyKind
    number: int | None = None
    role: Role | None = None
    name: str = ""

    def admits(self, person: Person) -> bool:
        match self.kind:
            case PartyKind.anybody:
                is_command = person.member_id is None and person.reviewer_id is None
                return is_command or has_rank(person.role, Role.approver)
            case PartyKind.member:
                return self.number is not None and person.member_id == self.number
            case PartyKind.role:
                return self.role is not None and has_rank(person.role, self.role)
            case PartyKind.reviewer:
                return self.number is not None and person.reviewer_id == self.number

    def __str__(self) -> str:
        match self.kind:
            case PartyKind.anybody:
                return "anybody who may approve"
            case PartyKind.role:
                return f"{'an' if str(self.role)[0] in 'aeiou' else 'a'} {self.role}"
            case _:
                return self.name


@dataclass(frozen=True, kw_only=True)
class ApprovalStep:
    """One step. ``name`` is "" if it has none."""

    parties: tuple[Party, ...]
    needs: Needs = Needs.any
    name: str = ""

    def __str__(self) -> str:
        people = (" or " if self.needs is Needs.any else " and ").join(map(str, self.parties))
        return f"{self.name} ({people})" if self.name else people


@dataclass(frozen=True, kw_only=True)
class StepProgress:
    """A step, its ``number`` from 1, those who approved for it, and those who are still waited for: nobody,
    if it is fulfilled."""

    number: int
    step: ApprovalStep
    approved: tuple[Party, ...]
    waiting: tuple[Party, ...]

    @property
    def is_fulfilled(self) -> bool:
        return not self.waiting


@dataclass(frozen=True, kw_only=True)
class RoundAnswer:
    """One person's answer: ``words`` are "" where they said nothing more."""

    id: int
    person: Person
    verdict: ApprovalVerdict
    words: str
    at: datetime
    comments: Sequence[ApprovalComment] = ()

    @property
    def approves(self) -> bool:
        return self.verdict is ApprovalVerdict.approved


def has_rank(role: Role | None, least: Role) -> bool:
    return role is not None and _RANKS[role] >= _RANKS[least]


def evaluate_steps(steps: Sequence[ApprovalStep], answers: Iterable[RoundAnswer]) -> tuple[StepProgress, ...]:
    """Return how far each step has come. One person's approval counts in every step that asks them."""
    approvers = [one.person for one in answers if one.approves]
    return tuple(_evaluate(number, step, approvers) for number, step in enumerate(steps, start=1))


def find_current_step(progress: Sequence[StepProgress]) -> StepProgress | None:
    """Return the first step that is not fulfilled; None if all are."""
    return next((one for one in progress if not one.is_fulfilled), None)


def _evaluate(number: int, step: ApprovalStep, approvers: Sequence[Person]) -> StepProgress:
    approved = tuple(party for party in step.parties if any(map(party.admits, approvers)))
    is_done = bool(approved) if step.needs is Needs.any else len(approved) == len(step.parties)
    waiting = () if is_done else tuple(party for party in step.parties if party not in approved)
    return StepProgress(number=number, step=step, approved=approved, waiting=waiting)


def dump_steps(steps: Iterable[ApprovalStep]) -> str:
    return json.dumps([_step_to_dict(step) for step in steps], ensure_ascii=False)


def load_steps(text: str) -> tuple[ApprovalStep, ...]:
    return tuple(_step_from_dict(values) for values in json.loads(text))


def _step_to_dict(step: ApprovalStep) -> dict[str, Any]:
    parties = [
        {"kind": party.kind, "number": party.number, "role": party.role, "name": party.name}
        for party in step.parties
    ]
    return {"name": step.name, "needs": step.needs, "parties": parties}


def _step_from_dict(values: dict[str, Any]) -> ApprovalStep:
    parties = tuple(
        Party(
            kind=PartyKind(party["kind"]),
            number=party["number"],
            role=None if party["role"] is None else Role(party["role"]),
            name=party["name"],
        )
        for party in values["parties"]
    )
    return ApprovalStep(name=values["name"], needs=Needs(values["needs"]), parties=parties)


def is_named(name: str, others: Iterable[str]) -> bool:
    """Return whether ``name`` is one of ``others``, ignoring case and spaces."""
    return fold_name(name) in {fold_name(other) for other in others}


def fold_name(name: str) -> str:
    """Return the form in which names are compared."""
    return " ".join(normalize("NFKC", name).casefold().split())
