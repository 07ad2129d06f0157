"""Who is asked in which step: as the settings say, or as it was chosen for one campaign."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import parseaddr

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from locales.phrase import gettext_noop
from mailer.campaigns.approvals.approval import ApprovalRefusedError
from mailer.campaigns.approvals.people import Colleague, list_colleagues
from mailer.campaigns.approvals.reviewers import list_reviewers
from mailer.campaigns.approvals.round import Round
from mailer.campaigns.approvals.rounds import find_own_steps, find_round
from mailer.campaigns.approvals.steps import (
    ApprovalStep,
    Needs,
    Party,
    PartyKind,
    dump_steps,
    find_current_step,
)
from mailer.campaigns.plan import Plan
from mailer.database.approval_models import ApprovalAnswer, ApprovalReviewer, ApprovalRound
from mailer.database.team_models import Role
from mailer.errors import ConfigurationError
from mailer.settings import ApprovalStepSettings, Settings
from subscribers.address import normalise_address
from subscribers.errors import AddressError

ANYBODY = (ApprovalStep(parties=(Party(kind=PartyKind.anybody),)),)
"""The steps where none are set."""


@dataclass(frozen=True, kw_only=True)
class WantedReviewer:
    """A person outside the team who is to be asked."""

    name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class WantedStep:
    """A step as it is set or chosen: numbers of members, roles, and people outside the team."""

    name: str = ""
    needs: Needs = Needs.any
    members: tuple[int, ...] = ()
    roles: tuple[Role, ...] = ()
    reviewers: tuple[WantedReviewer, ...] = ()


def read_step_settings(connection: Connection, settings: Settings) -> tuple[WantedStep, ...]:
    """The steps of the settings; nothing if there are none.

    Raises:
        ConfigurationError: a step asks somebody who does not belong to the team.
    """
    steps = settings.campaigns.approval_steps
    colleagues = list_colleagues(connection) if steps else ()
    return tuple(_read_step(step, colleagues) for step in steps)


def _read_step(step: ApprovalStepSettings, colleagues: Sequence[Colleague]) -> WantedStep:
    members = []
    for address in step.members:
        wanted = parseaddr(address)[1].casefold()
        found = next((one.id for one in colleagues if one.email.casefold() == wanted), None)
        if found is None:
            raise ConfigurationError(
                gettext_noop(
                    "[[campaigns.approval_steps]] asks %(address)s, who does not belong to the team. "
                    "Invite them with `mailer studio invite %(wanted)s`, or name somebody else."
                )
                % {"address": address, "wanted": wanted}
            )
        members.append(found)
    return WantedStep(
        name=step.name,
        needs=Needs(step.needs),
        members=tuple(members),
        roles=tuple(Role(role) for role in step.roles),
        reviewers=tuple(parse_reviewer(text) for text in step.reviewers),
    )


def choose_steps(connection: Connection, settings: Settings, plan: Plan) -> tuple[WantedStep, ...]:
    """The steps for ``plan``: those that were chosen for its edition and segment, or else those of the
    settings; nothing if there are none.

    Raises:
        ConfigurationError: a step asks somebody who does not belong to the team.
    """
    former = find_own_steps(connection, plan.edition, plan.segment.text)
    if former is not None:
        return describe_steps(connection, former)
    return read_step_settings(connection, settings)


def parse_reviewer(text: str) -> WantedReviewer:
    """Parse ``Ana Diaz <ana@ministry.example>``, or an address alone.

    Raises:
        ApprovalRefusedError: there is no address in it.
    """
    name, address = parseaddr(text.strip())
    try:
        email = normalise_address(address).email
    except AddressError as error:
        raise ApprovalRefusedError(f"“{text.strip()}”: {error}") from error
    return WantedReviewer(name=" ".join(name.split())[:200] or email, email=email)


def change_steps(connection: Connection, asked: Round, steps: Sequence[WantedStep]) -> Round:
    """Put other steps in the place of those of an open round. Answers that were given stay, and count where
    the new steps ask the same people. The caller holds the edition's launch lock, and commits.

    Raises:
        ApprovalRefusedError: the round has ended, nobody is asked, or all steps would be fulfilled at once.
    """
    if not asked.is_open:
        raise ApprovalRefusedError(
            gettext_noop("This request has ended. Ask for the approval again, with other steps.")
        )
    store_steps(connection, asked.id, steps)
    own = update(ApprovalRound).where(col(ApprovalRound.id) == asked.id)
    connection.execute(own.values(has_own_steps=True))
    changed = find_round(connection, asked.id)
    if changed is None or find_current_step(changed.progress) is None:
        raise ApprovalRefusedError(
            gettext_noop(
                "With these steps, it would be approved at once. Leave a step in that somebody "
                "still has to answer."
            )
        )
    return changed


def describe_steps(connection: Connection, asked: Round) -> tuple[WantedStep, ...]:
    """The steps of a round as they were wanted; nothing for anybody who may approve."""
    reviewers = {
        one.reviewer_id: WantedReviewer(name=one.name, email=one.email)
        for one in list_reviewers(connection, asked.id)
    }
    if asked.steps == ANYBODY:
        return ()
    return tuple(
        WantedStep(
            name=step.name,
            needs=step.needs,
            members=tuple(party.number or 0 for party in step.parties if party.kind is PartyKind.member),
            roles=tuple(party.role for party in step.parties if party.role is not None),
            reviewers=tuple(
                reviewers[party.number]
                for party in step.parties
                if party.kind is PartyKind.reviewer and party.number in reviewers
            ),
        )
        for step in asked.steps
    )


def store_steps(connection: Connection, round_id: int, steps: Sequence[WantedStep]) -> None:
    """Write the steps of a round, and the people outside the team whom they ask. The caller commits.

    Raises:
        ApprovalRefusedError: a step asks nobody.
    """
    if not steps or not all(step.members or step.roles or step.reviewers for step in steps):
        raise ApprovalRefusedError(
            gettext_noop("Each step has to ask somebody: a member, a role, or a person outside.")
        )
    names = {one.id: one.name for one in list_colleagues(connection)}
    reviewers = _keep_reviewers(connection, round_id, [one for step in steps for one in step.reviewers])
    stored = [
        ApprovalStep(
            name=step.name,
            needs=step.needs,
            parties=(
                *(
                    Party(kind=PartyKind.member, number=number, name=names.get(number, ""))
                    for number in step.members
                ),
                *(Party(kind=PartyKind.role, role=role) for role in step.roles),
                *(
                    Party(kind=PartyKind.reviewer, number=reviewers[one.email], name=one.name)
                    for one in step.reviewers
                ),
            ),
        )
        for step in steps
    ]
    values = {"steps": dump_steps(stored)}
    connection.execute(update(ApprovalRound).where(col(ApprovalRound.id) == round_id).values(values))


def _keep_reviewers(
    connection: Connection, round_id: int, wanted: Iterable[WantedReviewer]
) -> dict[str, int]:
    """Write those who are new, and remove those who are not asked any more and have not answered. Return the
    number of each by address; who stays keeps their link."""
    own = select(col(ApprovalReviewer.email), col(ApprovalReviewer.id))
    there: dict[str, int] = {
        row.email: row.id or 0
        for row in connection.execute(own.where(col(ApprovalReviewer.round_id) == round_id))
    }
    kept: dict[str, int] = {}
    for one in wanted:
        if one.email in kept:
            continue
        if one.email not in there:
            values = {"round_id": round_id, "name": one.name, "email": one.email}
            added = connection.execute(insert(ApprovalReviewer).values(values))
            (there[one.email],) = added.inserted_primary_key or (0,)
        kept[one.email] = there[one.email]
    answered = select(col(ApprovalAnswer.reviewer_id)).where(
        col(ApprovalAnswer.round_id) == round_id, col(ApprovalAnswer.reviewer_id).is_not(None)
    )
    connection.execute(
        delete(ApprovalReviewer).where(
            col(ApprovalReviewer.round_id) == round_id,
            col(ApprovalReviewer.id).not_in(list(kept.values())),
            col(ApprovalReviewer.id).not_in(answered),
        )
    )
    return kept
