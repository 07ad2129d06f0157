"""What the kinds of entries are called."""

from collections.abc import Mapping
from types import MappingProxyType

from mailer.database.edition_models import RevisionKind
from mailer.i18n import gettext_noop

KIND_WORDS: Mapping[RevisionKind, str] = MappingProxyType(
    {
        RevisionKind.found: gettext_noop("As Studio found it"),
        RevisionKind.written: gettext_noop("Written"),
        RevisionKind.outside: gettext_noop("Changed outside Studio"),
        RevisionKind.merged: gettext_noop("Put together from two texts"),
        RevisionKind.set_aside: gettext_noop("Set aside: never in the edition"),
        RevisionKind.restored: gettext_noop("Restored"),
        RevisionKind.added: gettext_noop("Added"),
        RevisionKind.removed: gettext_noop("Removed"),
        RevisionKind.moved: gettext_noop("Moved to another place"),
        RevisionKind.imported: gettext_noop("Came back from a translator"),
    }
)
"""A test demands that every kind has words."""
