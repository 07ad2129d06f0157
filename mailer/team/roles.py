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

    approve = "approve"
    """Approve an edition for sending."""

    manage = "manage"
    """Decide who belongs to the team, and see the log of what everybody did."""


PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.guest: frozenset({Permission.read, Permission.comment}),
        Role.author: frozenset({Permission.read, Permission.comment, Permission.write}),
        Role.approver: frozenset({Permission.read, Permission.comment, Permission.write, Permission.approve}),
        Role.manager: frozenset(Permission),
    }
)
"""What a member of each role may do."""


def is_allowed(role: Role, permission: Permission) -> bool:
    """Whether a member of ``role`` may do what ``permission`` names."""
    return permission in PERMISSIONS[role]
