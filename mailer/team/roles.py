"""What each role may do in Studio."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from mailer.database.team_models import Role


class Permission(StrEnum):
    """An act that not everybody may do."""

    read = "read"
    """See editions, their preview, history and checks."""

    comment = "comment"
    """Comment on what is written."""

    write = "write"
    """Write and change editions, stories, pictures and translations."""

    see_partners = "see_partners"
    """See the partners: their addresses, what they chose, and what they were sent."""

    change_partners = "change_partners"
    """Add, change and import partners, and save segments."""

    prepare = "prepare"
    """Prepare a campaign: who gets it, tests, when; ask for its approval; pause it."""

    approve = "approve"
    """Approve an edition for sending."""

    launch = "launch"
    """Launch, resume and cancel campaigns, and settle deliveries in doubt."""

    manage = "manage"
    """Decide who belongs to the team, change the settings, take the list away, erase people, and see the
    log."""


_READS = frozenset({Permission.read, Permission.comment})
_WRITES = _READS | {
    *(Permission.write, Permission.see_partners, Permission.change_partners, Permission.prepare),
}
_APPROVES = _WRITES | {Permission.approve, Permission.launch}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.guest: _READS,
        Role.author: _WRITES,
        Role.approver: _APPROVES,
        Role.manager: frozenset(Permission),
    }
)
"""What a member of each role may do."""


def is_allowed(role: Role, permission: Permission) -> bool:
    """Whether a member of ``role`` may do what ``permission`` names."""
    return permission in PERMISSIONS[role]
