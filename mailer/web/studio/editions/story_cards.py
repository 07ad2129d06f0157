"""The stories of an edition as cards, in the sections in which readers find them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from editions.model import StoryKind
from editions.problem import Problem
from editions.sections import find_section, order_sections
from editions.source.document import AnyDocument, read_document
from editions.source.folder import FolderContents, StoryFiles
from editions.source.schema import StoryHeader
from mailer.i18n import Translator, gettext_noop
from mailer.settings import Settings
from mailer.web.form_options import list_sectors, own_country_names, own_language_name

FIXED_SECTION_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "feature": gettext_noop("Lead story"),
        "centres-and-chairs": gettext_noop("Centres and Chairs"),
        "campaigns": gettext_noop("Public campaigns"),
        "office": gettext_noop("Office news"),
    }
)
"""The sections that every edition can have, beside those of the sectors."""


@dataclass(frozen=True, kw_only=True)
class StoryCard:
    """A story as a card. ``sector`` is a slug, "" for none; ``countries`` are names. ``image`` is a file in
    ``images/``. ``faults`` are what is wrong with its front matter; ``title`` is then what can be read."""

    slug: str
    title: str
    sector: str
    countries: Sequence[str]
    image: str
    words: int
    languages: Sequence[str]
    faults: Sequence[Problem]


@dataclass(frozen=True, kw_only=True)
class SectionCards:
    """A section with its stories in order. ``sector`` is "" where it is not that of a sector."""

    key: str
    name: str
    sector: str
    cards: Sequence[StoryCard]


def list_story_cards(
    folder: Path, contents: FolderContents, *, language: str, settings: Settings, translator: Translator
) -> list[SectionCards]:
    """The stories of the edition in ``folder``, whose files are ``contents``, by section.

    ``language`` is the edition's own, ``translator`` that of the page.
    """
    names = dict(list_sectors(translator, settings))
    sections: dict[str, list[StoryCard]] = {}
    for story in contents.stories:
        document, problems = read_document(
            folder,
            story.original,
            StoryHeader,
            sectors=settings.sectors,
            language=language,
            stamp=contents.stamps.get(story.original),
        )
        card = _make_card(story, document, problems, contents, settings, translator)
        sections.setdefault(_find_section(document, settings), []).append(card)
    return [
        SectionCards(
            key=key,
            name=names.get(key) or translator.translate(FIXED_SECTION_NAMES.get(key, key)),
            sector=key if key in settings.sectors else "",
            cards=sections[key],
        )
        for key in order_sections(sections, sectors=tuple(settings.sectors))
    ]


def _make_card(
    story: StoryFiles,
    document: AnyDocument | None,
    problems: Sequence[Problem],
    contents: FolderContents,
    settings: Settings,
    translator: Translator,
) -> StoryCard:
    front = document.front_matter if document is not None else None
    written = front.value("countries") if front is not None else ""
    codes = [code for code in written if isinstance(code, str)] if isinstance(written, list) else []
    image = front.text("image", "file") if front is not None else ""
    sector = front.text("sector") if front is not None else ""
    is_faulty = document is None or document.header is None
    return StoryCard(
        slug=story.slug,
        title=(front.text("title") if front is not None else "") or story.slug,
        sector=sector if sector in settings.sectors else "",
        countries=[translator.name_country(code, own_country_names(settings)) for code in codes],
        image=image if image in contents.images else "",
        words=document.body.word_count if document is not None else 0,
        languages=[own_language_name(tag) for tag in sorted(story.translations)],
        faults=tuple(problems) if is_faulty else (),
    )


def _find_section(document: AnyDocument | None, settings: Settings) -> str:
    if document is None:
        return "office"
    sector, kind = document.front_matter.text("sector"), document.front_matter.text("kind")
    return find_section(
        StoryKind(kind) if kind in list(StoryKind) else StoryKind.story,
        sector if sector in settings.sectors else None,
    )
