"""What the team has decided about a campaign that is not launched yet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from mailer.database.models import CampaignState, InDoubtPolicy

PREPARED_STATES = frozenset({CampaignState.draft, CampaignState.tested, CampaignState.approved})
"""The states of a campaign about which something can still be decided."""

MAX_NOTE_LENGTH = 2000


class Decision(StrEnum):
    """Something that is decided about a campaign, at once and by one person."""

    segment = "segment"
    """Who gets it."""

    again = "again"
    """Whether readers who already have the edition get it again."""

    clicks = "clicks"
    """Whether clicks on its links are counted."""

    start = "start"
    """When it starts, and in which time zone that was said."""

    canary = "canary"
    """How many readers get it first, and how long the rest then wait."""

    archive = "archive"
    """Whether the edition is shown in the public archive."""

    in_doubt = "in_doubt"
    """What resuming does with deliveries in doubt."""

    note = "note"
    """What whoever approves or launches it should know."""


BINDING_DECISIONS = frozenset({Decision.segment, Decision.again, Decision.clicks})
"""The decisions that an approval is about. With another one, what was approved is not what would be sent."""

_FIELDS: Mapping[Decision, tuple[str, ...]] = MappingProxyType(
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


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """All decisions about a campaign. What is None is as the settings say.

    ``segment`` is the text of a query, None while nobody has chosen one; it is what counts. ``segment_name``
    is the name of the saved segment that meant this when it was chosen, "" if it was none. ``start_at`` is an
    aware time, None for as soon as it is launched; ``start_zone`` names the time zone in which it was said. A
    ``canary`` of 0 is none, whatever the settings say.
    """

    segment: str | None = None
    segment_name: str = ""
    again: bool = False
    count_clicks: bool | None = None
    start_at: datetime | None = None
    start_zone: str = ""
    canary: int | None = None
    canary_minutes: float | None = None
    archived: bool | None = None
    in_doubt: InDoubtPolicy | None = None
    note: str = ""

    def list_changes(self, other: "Decisions") -> frozenset[Decision]:
        """The decisions that are not the same in ``other``."""
        return frozenset(
            decision
            for decision, names in _FIELDS.items()
            if any(getattr(self, name) != getattr(other, name) for name in names)
        )

    def is_other_audience(self, other: "Decisions") -> bool:
        """Whether an approval of these is none of ``other``, because another mail or other readers are meant.
        By which name a segment was chosen is no part of that."""
        binding = self.list_changes(other) & BINDING_DECISIONS
        same = {Decision.segment} if self.segment == other.segment else set()
        return bool(binding - same)

    def take(self, other: "Decisions", decisions: frozenset[Decision]) -> "Decisions":
        """These, with ``decisions`` as ``other`` has them."""
        names = [name for decision in decisions for name in _FIELDS[decision]]
        return replace(self, **{name: getattr(other, name) for name in names})

    def as_dict(self) -> dict[str, Any]:
        """The decisions in the form of the JSON output."""
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
    """A campaign of ``edition`` as the team has prepared it.

    ``state`` is the campaign's. ``prepared_by`` and ``changed_by`` are the names of the members who began it
    and who changed it last, "" where they are not known. ``version`` counts the changes, from 1.
    """

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
        """The preparation in the form of the JSON output."""
        return {
            **self.decisions.as_dict(),
            "prepared_by": self.prepared_by,
            "prepared_at": self.prepared_at.isoformat(),
            "changed_by": self.changed_by,
            "changed_at": self.changed_at.isoformat(),
        }
