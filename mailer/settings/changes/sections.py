"""The settings in sections, by what they are about, each with its words."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from locales.phrase import gettext_noop
from mailer.settings.changes.setting import Setting, list_settings

_SENDING = (
    *("window", "window_days", "rate", "retry_for_hours"),
    *("canary", "canary_minutes", "halt_at_rejected", "in_doubt"),
)
_OF_SECRETS = frozenset({"password_file", "client_secret_file", "oauth", "webhooks"})
_OF_A_RELAY = frozenset(
    {
        *("url", "password_file", "token_file", "oauth", "warm_up", "starttls", "sending_addresses"),
        *("rate", "messages_per_connection"),
    }
)
_CAMPAIGNS = list_settings("campaigns")


@dataclass(frozen=True, kw_only=True)
class Section:
    """Settings that belong together. ``settings`` is empty for what has pages of its own in Studio.
    ``is_technical`` says that its settings are called as in ``mailer.toml``, and shown with their
    descriptions."""

    name: str
    title: str
    about: str
    settings: tuple[Setting, ...] = ()
    is_technical: bool = False
    also: tuple[str, ...] = ()
    """Other sections that its page leads to."""


def _choose_settings(section: str, *, leave_out: frozenset[str] = frozenset()) -> tuple[Setting, ...]:
    return tuple(one for one in list_settings(section) if str(one.path[1]) not in leave_out)


GROUPS: Mapping[str, tuple[Section, ...]] = MappingProxyType(
    {
        gettext_noop("The newsletter"): (
            Section(
                name="sender",
                title=gettext_noop("Sender"),
                about=gettext_noop("Who the mail is from, and where answers go."),
                settings=list_settings("sender"),
            ),
            Section(
                name="sectors",
                title=gettext_noop("Sectors"),
                about=gettext_noop("What partners can follow, and the parts of an edition."),
            ),
            Section(
                name="countries",
                title=gettext_noop("Countries"),
                about=gettext_noop("How the organisation writes their names, their time zones and labels."),
            ),
            Section(
                name="pages",
                title=gettext_noop("Partners’ pages"),
                about=gettext_noop("The public address, sign-ups, and whether search engines come in."),
                settings=list_settings("web"),
            ),
        ),
        gettext_noop("Sending"): (
            Section(
                name="relays",
                title=gettext_noop("Relays"),
                about=gettext_noop("The mail servers that take our mail: try them, sign in, share the load."),
            ),
            Section(
                name="secrets",
                title=gettext_noop("Passwords and secrets"),
                about=gettext_noop("Whether they are there, and since when: to put in, replace and remove."),
            ),
            Section(
                name="sending",
                title=gettext_noop("Hours and pace"),
                about=gettext_noop("When mail goes out, how fast, and when a campaign stops by itself."),
                settings=tuple(one for key in _SENDING for one in _CAMPAIGNS if one.path[1] == key),
            ),
            Section(
                name="campaigns",
                title=gettext_noop("Campaigns and approval"),
                about=gettext_noop("What a campaign needs before it starts, and what comes after it."),
                settings=tuple(one for one in _CAMPAIGNS if one.path[1] not in _SENDING),
                also=("approval-steps",),
            ),
            Section(
                name="approval-steps",
                title=gettext_noop("Steps of an approval"),
                about=gettext_noop("Who is asked, one after the other, and who of them has to approve."),
            ),
            Section(
                name="limits",
                title=gettext_noop("Limits by receiver"),
                about=gettext_noop("How fast single domains and providers are sent to."),
                settings=(
                    *list_settings("domain_rates"),
                    *list_settings("provider_rates"),
                    *list_settings("provider_daily_limits"),
                ),
            ),
            Section(
                name="returns",
                title=gettext_noop("What comes back"),
                about=gettext_noop("Where bounces and replies arrive, and what is done with them."),
                settings=_choose_settings("feedback", leave_out=_OF_SECRETS),
                is_technical=True,
                also=("secrets",),
            ),
            Section(
                name="signatures",
                title=gettext_noop("Signatures"),
                about=gettext_noop("DKIM, for a relay that does not sign."),
                settings=list_settings("dkim"),
                is_technical=True,
            ),
        ),
        gettext_noop("People and their data"): (
            Section(
                name="law",
                title=gettext_noop("Law and consent"),
                about=gettext_noop("Where partners must have agreed before they get mail."),
                settings=(*list_settings("law"), *list_settings("consent")),
            ),
            Section(
                name="retention",
                title=gettext_noop("How long data is kept"),
                about=gettext_noop("What is deleted by itself, and after how long."),
                settings=list_settings("retention"),
            ),
            Section(
                name="studio",
                title=gettext_noop("Studio"),
                about=gettext_noop("Who reaches these pages, and how the team signs in."),
                settings=tuple(one for one in list_settings("studio") if one.path[-1] not in _OF_SECRETS),
                also=("secrets",),
            ),
        ),
        gettext_noop("The program"): (
            Section(
                name="connections",
                title=gettext_noop("Connections to relays"),
                about=gettext_noop("How many there are at once, and how long each is used."),
                settings=_choose_settings("smtp", leave_out=_OF_A_RELAY),
                is_technical=True,
            ),
            Section(
                name="technical",
                title=gettext_noop("Look-ups and log"),
                about=gettext_noop("Which DNS server is asked, and where the log goes."),
                settings=(*list_settings("dns"), *list_settings("log")),
                is_technical=True,
            ),
        ),
    }
)
"""All sections, by the heading they are under."""

SECTIONS: Mapping[str, Section] = MappingProxyType(
    {section.name: section for sections in GROUPS.values() for section in sections}
)
"""All sections, by name."""
