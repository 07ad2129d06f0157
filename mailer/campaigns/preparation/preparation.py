"""What the team has decided about a campaign that is not launched yet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from locales.phrase import WordedEnum, gettext_noop
from mailer.campaigns.launch_options import LaunchOptions
from mailer.database.models import CampaignState
from mailer.fields import FieldKind, ask

PREPARED_STATES = frozenset({CampaignState.draft, CampaignState.tested, CampaignState.approved})
"""The states of a campaign about which something can still be decided."""


class Decision(WordedEnum):
    """Something that is decided about a campaign, at once and by one person."""

    segment = ("segment", gettext_noop("Who gets it"))
    again = ("again", gettext_noop("Again to those who have it"))
    clicks = ("clicks", gettext_noop("Counting clicks"))
    start = ("start", gettext_noop("When it starts"))
    canary = ("canary", gettext_noop("The first partners"))
    archive = ("archive", gettext_noop("The public archive"))
    in_doubt = ("in_doubt", gettext_noop("Deliveries in doubt"))
    note = ("note", gettext_noop("The note"))


BINDING_DECISIONS = frozenset({Decision.segment, Decision.again, Decision.clicks})
"""The decisions that an approval is about. With another one, what was approved is not what would be sent."""

DECIDED_FIELDS: Mapping[Decision, tuple[str, ...]] = MappingProxyType(
    {
        Decision.segment: ("segment", "segment_name"),
        Decision.again: ("again",),
        Decision.clicks: ("count_clicks",),
        Decision.start: ("start_at", "start_zone"),
        Decision.canary: ("canary", "canary_minutes"),
        Decision.archive: ("archived",),
        Decision.in_doubt: ("in_doubt",),
        Decision.note: ("note",),
    }
)
"""The fields of :class:`Decisions` that each of them is, all of which are stored."""


@dataclass(frozen=True, kw_only=True)
class Decisions(LaunchOptions):
    """All decisions about a campaign: how it is sent, and also who gets it and when it starts.

    ``segment`` is the text of a query, None while nobody has chosen one; it is what counts. ``segment_name``
    is that of the saved segment that meant this then, "" for none. ``start_at`` is aware, None for as soon as
    it is launched; ``start_zone`` is the time zone in which it was said.
    """

    segment: str | None = None
    segment_name: str = ""
    again: bool = False
    start_at: datetime | None = None
    start_zone: str = ""
    note: str = ask(
        gettext_noop("Note"),
        gettext_noop("For whoever approves or launches it. Partners do not see it."),
        kind=FieldKind.note,
        default="",
        fault=gettext_noop("Use at most %(number)s characters."),
        max_length=2000,
    )

    def list_changes(self, other: "Decisions") -> frozenset[Decision]:
        return frozenset(
            decision
            for decision, names in DECIDED_FIELDS.items()
            if any(getattr(self, name) != getattr(other, name) for name in names)
        )

    def is_other_audience(self, other: "Decisions") -> bool:
        """Return whether an approval of these is none of ``other``: another mail or other readers are meant.
        By which name a segment was chosen is no part of that."""
        binding = self.list_changes(other) & BINDING_DECISIONS
        same = {Decision.segment} if self.segment == other.segment else set()
        return bool(binding - same)

    def take(self, other: "Decisions", decisions: frozenset[Decision]) -> "Decisions":
        names = [name for decision in decisions for name in DECIDED_FIELDS[decision]]
        return replace(self, **{name: getattr(other, name) for name in names})

    def describe(self, changed: frozenset[Decision]) -> str:
        """Return what the log says of ``changed`` decisions: "segment: country:MN; canary: 50"."""
        values, parts = self.as_dict(), []
        for decision in (one for one in Decision if one in changed):
            if decision is Decision.note:
                parts.append("note")
                continue
            value = values[DECIDED_FIELDS[decision][0]]
            if decision is Decision.segment and self.segment_name:
                value = f"{value} (saved as {self.segment_name})"
            parts.append(f"{decision}: {'as usual' if value is None else value}")
        return "; ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        return {
            "segment": self.segment,
            "segment_name": self.segment_name or None,
            "again": self.again,
            "count_clicks": self.count_clicks,
            "start_at": self.start_at.isoformat() if self.start_at else None,
            "start_zone": self.start_zone or None,
            "canary": self.canary,
            "canary_minutes": self.canary_minutes,
            "archived": self.archived,
            "in_doubt": self.in_doubt.value if self.in_doubt else None,
            "note": self.note,
        }


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """A campaign of ``edition`` as the team has prepared it, by members' names, "" where they are not known.
    ``version`` counts the changes, from 1."""

    campaign_id: int
    edition: str
    state: CampaignState
    decisions: Decisions
    version: int
    prepared_by: str
    prepared_at: datetime
    changed_by: str
    changed_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether something can still be decided about it."""
        return self.state in PREPARED_STATES

    def as_dict(self) -> dict[str, Any]:
        names = ("prepared_by", "prepared_at", "changed_by", "changed_at")
        return {**self.decisions.as_dict(), **{name: getattr(self, name) for name in names}}
