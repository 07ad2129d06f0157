"""What readers changed through the links of a campaign."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, select
from sqlmodel import col

from mailer.campaigns.report.disclosure import Figure, hide_groups
from mailer.database.models import Campaign
from mailer.dispatch.safeguards import name_campaign
from subscribers.models import ConsentEvent, ConsentRecord

_CHANGED: Final = "changed: "
_LEAVING: Final = "reason for leaving: "
_STATUS_CHOICES: Final = {
    ConsentEvent.paused: "paused",
    ConsentEvent.resumed: "resumed",
    ConsentEvent.subscribed: "returned",
}


@dataclass(frozen=True, kw_only=True)
class ChangedChoices:
    """Readers who changed what they get through this very mail since its launch, as the consent records tell.

    ``people`` is the number of all. ``by_choice`` counts them by what they changed (``sectors``, ``country``,
    ``countries`` they follow, ``language``, ``name``, ``paused``, ``resumed``, ``returned`` after they had
    left); somebody who changed two is counted in both. ``leaving_reasons`` are the answers of those who left,
    by :class:`mailer.selfservice.unsubscribe_reasons.UnsubscribeReason`. Small figures are hidden.
    """

    people: int
    by_choice: Mapping[str, Figure] = field(default_factory=dict)
    leaving_reasons: Mapping[str, Figure] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The changes in the form of the JSON output; a hidden figure is null."""
        return {
            "people": self.people,
            "by_choice": dict(self.by_choice),
            "leaving_reasons": dict(self.leaving_reasons),
        }


def read_choices(connection: Connection, campaign_id: int) -> ChangedChoices:
    """Read what readers changed through the links of a campaign since its launch."""
    record = (col(ConsentRecord.subscriber_id), col(ConsentRecord.event), col(ConsentRecord.evidence))
    statement = (
        select(*record)
        .join(Campaign, col(Campaign.id) == campaign_id)
        .where(
            col(ConsentRecord.source) == name_campaign(campaign_id),
            col(ConsentRecord.event).in_((ConsentEvent.updated, *_STATUS_CHOICES)),
            col(ConsentRecord.at) >= col(Campaign.launched_at),
        )
        .order_by(col(ConsentRecord.id))
    )
    choices: dict[str, set[int]] = {}
    reasons: dict[int, str] = {}
    for person, event, evidence in connection.execute(statement):
        if reason := _read_leaving_reason(evidence):
            reasons[person] = reason
        for choice in _list_choices(event, evidence):
            choices.setdefault(choice, set()).add(person)
    people = len(set().union(*choices.values()))
    answers = {reason: list(reasons.values()).count(reason) for reason in sorted(set(reasons.values()))}
    return ChangedChoices(
        people=people,
        by_choice=_hide(people, {choice: len(who) for choice, who in sorted(choices.items())}),
        leaving_reasons=_hide(len(reasons), answers),
    )


def _list_choices(event: ConsentEvent, evidence: str) -> Iterable[str]:
    if event in _STATUS_CHOICES:
        return (_STATUS_CHOICES[event],)
    line = evidence.rpartition("\n")[2]
    return line.removeprefix(_CHANGED).split(", ") if line.startswith(_CHANGED) else ()


def _read_leaving_reason(evidence: str) -> str:
    return evidence.removeprefix(_LEAVING) if evidence.startswith(_LEAVING) else ""


def _hide(people: int, counted: Mapping[str, int]) -> dict[str, Figure]:
    """The groups by size; those whose figure is hidden last, by name."""
    figures = dict(zip(counted, hide_groups(people, list(counted.values())), strict=True))
    return dict(sorted(figures.items(), key=lambda item: (item[1] is None, -(item[1] or 0), item[0])))
