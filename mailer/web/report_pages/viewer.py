"""Who looks at a report: whether they may see people, and where the pages of campaigns are for them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who looks at a report.

    ``campaign_path`` is the path of a campaign's report, with ``{number}`` for its number. Who does not see
    people gets no names, and no figure that is of one or two of them. Who has no terminal is told of the
    files that the page offers, in place of commands.
    """

    campaign_path: str = "/campaigns/{number}"
    sees_people: bool = True
    has_terminal: bool = True

    def make_path(self, campaign_id: int) -> str:
        """The path of the report on a campaign."""
        return self.campaign_path.format(number=campaign_id)


ON_OWN_MACHINE = Viewer()
"""Whoever started the report on their own machine."""
