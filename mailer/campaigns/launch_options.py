"""How a campaign is sent: what people choose, and what the settings say of the rest."""

from dataclasses import dataclass, replace
from typing import Any, Self

from locales.phrase import gettext_noop
from mailer.database.models import InDoubtPolicy
from mailer.fields import ask
from mailer.settings.campaigns import CampaignSettings


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """How a campaign is sent. For an option that is None, the settings apply.

    ``canary`` 0 is for no canary, whatever the settings say. ``rate`` is in messages per second. ``by`` is
    the name of the person who launches it, ``confirmed_by`` that of the second one, where ``[campaigns]
    launch_by`` asks for two.
    """

    canary: int | None = ask(
        gettext_noop("Partners who get it first"),
        gettext_noop("A few, to see that all is well. Nothing for all at once."),
        fault=gettext_noop("Write a number of partners, such as 50, or nothing to send to all at once."),
        empty=0,
        least=0,
        most=1_000_000,
        max_length=8,
    )
    canary_minutes: float | None = ask(
        gettext_noop("Minutes until the others"),
        gettext_noop("Nothing to wait until somebody says so."),
        fault=gettext_noop("Write a number of minutes, such as 30, or nothing to wait for a person."),
        above=0,
        most=7 * 24 * 60,
        max_length=8,
    )
    count_clicks: bool | None = ask(
        gettext_noop("Clicks"),
        choices={
            "true": (
                gettext_noop("Count them"),
                gettext_noop("By country and sector, without names. An approval is for this."),
            ),
            "false": (gettext_noop("Do not count them"), ""),
        },
    )
    archived: bool | None = ask(
        gettext_noop("Public archive"),
        choices={
            "true": (gettext_noop("Put it in when it is sent"), ""),
            "false": (gettext_noop("Leave it out"), gettext_noop("It can be put in afterwards.")),
        },
    )
    in_doubt: InDoubtPolicy | None = ask(
        gettext_noop("Deliveries in doubt"),
        choices={
            "hold": (
                gettext_noop("Leave them for a person to decide"),
                gettext_noop("Nobody gets it twice."),
            ),
            "resend": (
                gettext_noop("Send them again"),
                gettext_noop("When the campaign is resumed. Some may get it twice."),
            ),
        },
    )
    rate: float | None = None
    by: str = ""
    confirmed_by: str = ""

    def resolve(self, settings: CampaignSettings) -> Self:
        """Return these with what the settings say where nothing was chosen."""
        usual: dict[str, Any] = {
            "canary": settings.canary or 0,
            "canary_minutes": settings.canary_minutes,
            "count_clicks": settings.count_clicks,
            "archived": settings.archive,
            "in_doubt": InDoubtPolicy(settings.in_doubt),
            "rate": settings.rate,
        }
        chosen = replace(self, **{name: usual[name] for name in usual if getattr(self, name) is None})
        return chosen if chosen.canary else replace(chosen, canary_minutes=None)

    def column_values(self, settings: CampaignSettings) -> dict[str, Any]:
        chosen = self.resolve(settings)
        return {
            "rate": chosen.rate,
            "in_doubt_policy": InDoubtPolicy(chosen.in_doubt or settings.in_doubt),
            "canary": chosen.canary or None,
            "canary_minutes": chosen.canary_minutes,
            "archived": chosen.archived,
        }


DEFAULT_OPTIONS = LaunchOptions()
"""Options that all come from the settings."""
