"""The form for a proposed successor: their details, why the team may write to them, and who has left."""

from collections.abc import Collection
from dataclasses import dataclass

from mailer.feedback.successors import SuccessorProposal
from mailer.web.forms import Form
from subscribers.consent.team_changes import DetailChanges

_MAX_LENGTH = 300


@dataclass(frozen=True, kw_only=True)
class SuccessorForm:
    """The details of the new partner as the form has them; ``has_left`` ends the mail to the one before."""

    name: str
    organisation: str
    country: str
    sectors: frozenset[str]
    basis: str = ""
    has_left: bool = False

    @property
    def changes(self) -> DetailChanges:
        """All details, as they are to be stored."""
        return DetailChanges(
            name=self.name,
            organisation=self.organisation,
            country=self.country,
            sectors=sorted(self.sectors),
        )


def propose_form(proposal: SuccessorProposal, sectors: Collection[str]) -> SuccessorForm:
    """The form as it is proposed: with the details of the predecessor, and those ``sectors`` that exist."""
    return SuccessorForm(
        name=proposal.name,
        organisation=proposal.organisation,
        country=proposal.country,
        sectors=frozenset(proposal.sectors) & frozenset(sectors),
    )


def read_successor(form: Form, sectors: Collection[str]) -> SuccessorForm:
    """Read the form as it was sent."""
    chosen = frozenset(value for name, value in form.fields if name == "sector")
    return SuccessorForm(
        name=form.get("name").strip()[:_MAX_LENGTH],
        organisation=form.get("organisation").strip()[:_MAX_LENGTH],
        country=form.get("country").strip()[:_MAX_LENGTH],
        sectors=chosen & frozenset(sectors),
        basis=form.get("basis").strip()[:_MAX_LENGTH],
        has_left=form.get("left") == "yes",
    )
