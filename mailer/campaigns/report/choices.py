"""What readers changed through the links of a campaign."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mailer.campaigns.report.disclosure import Figure


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
