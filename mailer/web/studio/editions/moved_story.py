"""Where a story is after it was moved, in words."""

from collections.abc import Sequence

from mailer.i18n import Translator, gettext_noop
from mailer.web.studio.editions.story_cards import SectionCards

_MOVED = gettext_noop("“%(title)s” is now number %(place)s of %(count)s in “%(section)s”.")


def describe_move(sections: Sequence[SectionCards], slug: str, translator: Translator) -> str:
    """A sentence about where the story ``slug`` is now; empty if there is none."""
    for section in sections:
        for place, card in enumerate(section.cards, start=1):
            if card.slug == slug:
                return translator.translate(
                    _MOVED, title=card.title, place=place, count=len(section.cards), section=section.name
                )
    return ""
