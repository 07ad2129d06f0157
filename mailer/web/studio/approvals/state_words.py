"""What the state of a round is called, and its tone."""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.database.approval_models import RoundState
from mailer.i18n import gettext_noop

ROUND_WORDS: Mapping[RoundState, tuple[str, str]] = MappingProxyType(
    {
        RoundState.open: (gettext_noop("Waits for answers"), "careful"),
        RoundState.approved: (gettext_noop("Approved"), "right"),
        RoundState.changes_requested: (gettext_noop("Changes are asked for"), "wrong"),
        RoundState.withdrawn: (gettext_noop("Taken back"), "quiet"),
        RoundState.replaced: (gettext_noop("Asked for again"), "quiet"),
    }
)
"""A test demands that each has words."""
