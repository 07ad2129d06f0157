"""The kinds of stories, in the words of who chooses one."""

from collections.abc import Mapping
from types import MappingProxyType

from editions.model import StoryKind
from mailer.i18n import gettext_noop

KIND_WORDS: Mapping[StoryKind, tuple[str, str]] = MappingProxyType(
    {
        StoryKind.story: (
            gettext_noop("Story"),
            gettext_noop("Its picture stands beside the text."),
        ),
        StoryKind.feature: (
            gettext_noop("Lead story"),
            gettext_noop("It comes first, with a picture as wide as the mail."),
        ),
        StoryKind.list: (
            gettext_noop("Round-up"),
            gettext_noop("Its text is mostly a list."),
        ),
        StoryKind.centre: (
            gettext_noop("Category 2 centre"),
            gettext_noop("A portrait of one, in a section of its own."),
        ),
        StoryKind.chair: (
            gettext_noop("UNESCO Chair"),
            gettext_noop("A portrait of one, in a section of its own."),
        ),
        StoryKind.campaign: (
            gettext_noop("Public campaign"),
            gettext_noop("A joint campaign for the public, with its day."),
        ),
        StoryKind.notice: (
            gettext_noop("Office news"),
            gettext_noop("News about the office itself, without a sector."),
        ),
    }
)
"""The name and the use of each kind that a writer chooses; a letter is written on its own page."""
