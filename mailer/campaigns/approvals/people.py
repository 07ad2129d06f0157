"""The people of an approval: members, outside reviewers, writers, and who is asked in which step.

The database has the digest of a reviewer's link alone. The secret is made as the link is mailed, so a copy
of the database opens nothing.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from hashlib import sha256

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from locales.phrase import gettext_noop
from mailer.campaigns.approvals.approval import ApprovalRefusedError
from mailer.campaigns.approvals.rounds import Round, find_own_steps, find_round
from mailer.campaigns.approvals.steps import (
    ApprovalStep,
    Needs,
    Party,
    PartyKind,
    Person,
    dump_steps,
    find_current_step,
    is_named,
)
from mailer.campaigns.plan import Plan
from mailer.database.approval_models import ApprovalAnswer, ApprovalReviewer, ApprovalRound
from mailer.database.edition_models import EditionRevision, RevisionKind
from mailer.database.team_models import Role, TeamMember
from mailer.errors import ConfigurationError
from mailer.settings import ApprovalStepSettings, Settings
from subscribers.address import normalise_address
from subscribers.errors import AddressError

LINK_LIFETIME = timedelta(days=14)
"""How long the link of an outside reviewer works."""
_SECRET_BYTES = 24
ANYBODY = (ApprovalStep(parties=(Party(kind=PartyKind.anybody),)),)
"""The steps where none are set."""


@dataclass(frozen=True, kw_only=True)
class Writers:
    """The people who wrote an edition: the ``members`` who did in Studio, and the ``names`` of all."""

    members: frozenset[int] = frozenset()
    names: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.members or self.names)

    def include(self, person: Person) -> bool:
        return person.member_id in self.members or is_named(person.name, self.names)


def list_colleagues(connection: Connection) -> tuple[Person, ...]:
    """Return who belongs to the team, by name."""
    columns = (col(TeamMember.id), col(TeamMember.name), col(TeamMember.email), col(TeamMember.role))
    found = select(*columns).where(col(TeamMember.removed_at).is_(None)).order_by(col(TeamMember.name))
    return tuple(map(Person.of_member, connection.execute(found)))


def find_writers(connection: Connection, edition: str, authors: Iterable[str]) -> Writers:
    """Return who wrote ``edition``: whom it names as ``authors``, and who changed its texts in Studio."""
    wrote = (
        select(col(TeamMember.id), col(TeamMember.name))
        .where(col(TeamMember.id) == col(EditionRevision.member_id))
        .where(col(EditionRevision.edition) == edition)
        # What was set aside was never in the edition.
        .where(col(EditionRevision.kind) != RevisionKind.set_aside)
        .distinct()
    )
    rows = connection.execute(wrote).all()
    return Writers(
        members=frozenset(row.id or 0 for row in rows), names=(*authors, *(row.name for row in rows))
    )


def list_reviewers(connection: Connection, round_id: int) -> tuple[Person, ...]:
    """Return the people outside the team whom a round asks."""
    columns = (col(ApprovalReviewer.id), col(ApprovalReviewer.name), col(ApprovalReviewer.email))
    found = select(*columns).where(col(ApprovalReviewer.round_id) == round_id)
    return tuple(map(Person.of_reviewer, connection.execute(found.order_by(col(ApprovalReviewer.id)))))


def find_review(connection: Connection, secret: str, *, now: datetime) -> tuple[Round, Person] | None:
    """Return the round that the link with ``secret`` leads to, and the reviewer whose link it is; None if
    there is no such link, or it has ended. When the round ends, so does the link of a reviewer who has not
    answered. Changes nothing."""
    digest = digest_link(secret)
    columns = (
        *(col(ApprovalReviewer.id), col(ApprovalReviewer.round_id), col(ApprovalReviewer.email)),
        *(col(ApprovalReviewer.name), col(ApprovalReviewer.expires_at)),
    )
    row = connection.execute(select(*columns).where(col(ApprovalReviewer.digest) == digest)).first()
    if row is None or row.expires_at is None or row.expires_at <= now:
        return None
    asked, reviewer = find_round(connection, row.round_id), Person.of_reviewer(row)
    if asked is None or not (asked.is_open or asked.find_answer(reviewer)):
        return None
    return asked, reviewer


def make_link(connection: Connection, reviewer_id: int, *, now: datetime) -> str:
    """Make the secret of a reviewer's link, in place of an earlier one. The caller commits, then mails it."""
    secret = secrets.token_hex(_SECRET_BYTES)
    values = {"digest": digest_link(secret), "expires_at": now + LINK_LIFETIME}
    connection.execute(update(ApprovalReviewer).where(col(ApprovalReviewer.id) == reviewer_id).values(values))
    return secret


def digest_link(secret: str) -> str:
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class WantedReviewer:
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
    """Return the steps of the settings. Raise ConfigurationError if one asks as a member of the team
    somebody who does not belong to it."""
    steps = settings.campaigns.approval_steps
    colleagues = list_colleagues(connection) if steps else ()
    return tuple(_read_step(step, colleagues) for step in steps)


def _read_step(step: ApprovalStepSettings, colleagues: Sequence[Person]) -> WantedStep:
    members = []
    for address in step.members:
        wanted = parseaddr(address)[1].casefold()
        found = next((one.member_id for one in colleagues if one.email.casefold() == wanted), None)
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
    """Return the steps for ``plan``: those that were chosen for its edition and segment, or else those of the
    settings, as :func:`read_step_settings` does."""
    former = find_own_steps(connection, plan.edition, plan.segment.text)
    if former is not None:
        return describe_steps(connection, former)
    return read_step_settings(connection, settings)


def parse_reviewer(text: str) -> WantedReviewer:
    """Parse ``Ana Diaz <ana@x.example>`` or an address. Raise ApprovalRefusedError if there is none."""
    name, address = parseaddr(text.strip())
    try:
        email = normalise_address(address).email
    except AddressError as error:
        raise ApprovalRefusedError(f"“{text.strip()}”: {error}") from error
    return WantedReviewer(name=" ".join(name.split())[:200] or email, email=email)


def change_steps(connection: Connection, asked: Round, steps: Sequence[WantedStep]) -> Round:
    """Put other steps in the place of those of an open round. Answers that were given stay, and count where
    the new steps ask the same people. The caller holds the edition's launch lock, and commits. Raise
    ApprovalRefusedError if the round has ended, nobody is asked, or all steps would be fulfilled at once.
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
    """Return the steps of a round as they were wanted; nothing for anybody who may approve."""
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
    """Write the steps of a round, and the people outside the team whom they ask. The caller commits. Raise
    ApprovalRefusedError if a step asks nobody."""
    if not steps or not all(step.members or step.roles or step.reviewers for step in steps):
        raise ApprovalRefusedError(
            gettext_noop("Each step has to ask somebody: a member, a role, or a person outside.")
        )
    names = {one.member_id: one.name for one in list_colleagues(connection)}
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
