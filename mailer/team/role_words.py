"""Each role in words: its name, and what a member of it may do."""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.database.team_models import Role
from mailer.i18n import gettext_noop

ROLE_NAMES: Mapping[Role, str] = MappingProxyType(
    {
        Role.guest: gettext_noop("Guest"),
        Role.author: gettext_noop("Author"),
        Role.approver: gettext_noop("Approver"),
        Role.manager: gettext_noop("Manager"),
    }
)
"""What a role is called."""

ROLE_HINTS: Mapping[Role, str] = MappingProxyType(
    {
        Role.guest: gettext_noop("Reads everything that is written, and comments."),
        Role.author: gettext_noop("Also writes editions, sees and changes partners, and prepares campaigns."),
        Role.approver: gettext_noop("Also approves, launches and cancels campaigns."),
        Role.manager: gettext_noop(
            "Also decides about the team and the settings, takes the list away, and sees the log."
        ),
    }
)
"""What it lets a member do, beside the roles before it."""
