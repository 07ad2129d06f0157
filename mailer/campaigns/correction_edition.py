"""The mail of a correction: an edition of one story, made from a note, with the look of the edition.

So it takes the way of every edition: the same theme, footer, checks and messages.
"""

import re
from dataclasses import dataclass
from datetime import date
from html import unescape
from pathlib import Path
from types import MappingProxyType

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from markupsafe import Markup, escape

from editions.correction_note import CorrectionNote, NoteText
from editions.model import Edition, EditionText, Personalisation, ReadMore, Story, StoryKind, StoryText
from editions.source.schema import EditionHeader
from mailer.campaigns.correction_record import CorrectionRecord, CorrectionText
from mailer.rendering.archive_urls import archive_url, story_url, version_query
from mailer.rendering.body.fragments import FragmentKind, find_fragment
from mailer.rendering.body.variants import choose_language
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.template_context.language_markup import embed_html, mark_text
from mailer.rendering.themes.phrases import Phrases, load_phrases

SECTION = "correction"
"""The key of its section, whose heading is a phrase."""

_MAX_PREHEADER = 130
_HEADING = re.compile(r"<h([1-6])\b[^>]*>(.*?)</h\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, kw_only=True)
class CorrectedEdition:
    """What is known of the edition whose story is corrected.

    ``contents`` is the newest frozen content with the story, by language, the edition's own first;
    ``source`` is its folder's content, None if that no longer exists or cannot be read.
    """

    contents: dict[str, CompiledEdition]
    source: Edition | None

    @property
    def language(self) -> str:
        return next(iter(self.contents))

    def content_for(self, language: str) -> CompiledEdition:
        """The content that a reader of ``language`` got."""
        return self.contents[choose_language(language, tuple(self.contents))]


def describe_correction(
    note: CorrectionNote,
    edition: CorrectedEdition,
    *,
    name: str,
    slug: str,
    story: str,
    number: int,
    digest: str,
    today: date,
) -> CorrectionRecord:
    """The correction that ``note`` makes of ``story``, dated ``today`` if the note does not say."""
    texts = {
        tag: CorrectionText(
            title=text.title or find_story_title(edition.content_for(tag), story),
            was=text.was,
            right=text.right,
            html=text.html,
            text=text.text,
        )
        for tag, text in note.texts.items()
    }
    return CorrectionRecord(
        name=name,
        edition=slug,
        story=story,
        number=number,
        digest=digest,
        language=note.language,
        day=note.day or today,
        texts=MappingProxyType(texts),
    )


def find_story_title(content: CompiledEdition, story: str) -> str:
    """The title of a story as it was sent: its first heading. Its name if it has none."""
    place = find_fragment(content.html, FragmentKind.story, story, markup=True)
    heading = _HEADING.search(content.html[slice(*place)]) if place else None
    title = " ".join(unescape(_TAG.sub("", heading[2])).split()) if heading else ""
    return title or story


def make_correction_edition(
    record: CorrectionRecord,
    note: CorrectionNote,
    edition: CorrectedEdition,
    *,
    folder: Path,
    base_url: str,
    overrides: Path | None,
) -> Edition:
    """The edition that is sent: one story, without a letter, in every language of the note."""
    source, language = edition.source, note.language
    texts, stories = {}, {}
    for tag, text in note.texts.items():
        phrases, known = load_phrases(tag, overrides), record.texts[tag]
        texts[tag] = _make_edition_text(tag, text, known, edition, phrases)
        stories[tag] = _make_story_text(tag, text, record, edition, phrases, base_url)
    own = texts[language]
    default: str = EditionHeader.model_fields["template"].default
    story = Story(
        slug=record.story,
        source=note.file,
        kind=StoryKind.story,
        sector=SECTION,
        countries=(),
        date="",
        texts=MappingProxyType(stories),
        image=None,
        read_more=stories[language].read_more,
        everyone=True,
    )
    return Edition(
        folder=folder,
        slug=record.name,
        title=own.title,
        number=source.number if source else "",
        period=own.period,
        date=record.day,
        language=language,
        languages=tuple(note.texts),
        subject=own.subject,
        preheader=own.preheader,
        template=source.template if source else default,
        sender_name=edition.content_for(language).sender_name,
        letter=None,
        stories=(story,),
        personalise=Personalisation.off,
        lists_contents=False,
        texts=MappingProxyType(texts),
        authors=source.authors if source else (),
    )


def _make_edition_text(
    tag: str, text: NoteText, known: CorrectionText, edition: CorrectedEdition, phrases: Phrases
) -> EditionText:
    content, source = edition.content_for(tag), edition.source
    masthead = source.texts.get(content.language) if source else None
    subject = text.subject or known.title
    head = phrases.correction.format(what="").strip()
    return EditionText(
        language=tag,
        title=content.title,
        period=masthead.period if masthead else "",
        subject=subject if subject.startswith(head) else phrases.correction.format(what=subject),
        preheader=_shorten(f"{phrases.correction_is}: {text.right}"),
        introductions=MappingProxyType({}),
    )


def _make_story_text(
    tag: str,
    text: NoteText,
    record: CorrectionRecord,
    edition: CorrectedEdition,
    phrases: Phrases,
    base_url: str,
) -> StoryText:
    title, content = record.texts[tag].title, edition.content_for(tag)
    page = _find_page(content, record.story, base_url)
    words = f"{phrases.correction_was}\n\n> {text.was}\n\n{phrases.correction_is}\n\n{text.right}"
    return StoryText(
        language=tag,
        title=title,
        html=_write_html(tag, text, phrases) + text.html,
        text="\n\n".join(filter(None, (words, text.text))),
        words=len(words.split()),
        caption="",
        alt="",
        date=format_day(record.day, tag),
        read_more=(ReadMore(what=title, url=f"{page}#{anchor_correction(record)}"),),
    )


def _find_page(content: CompiledEdition, story: str, base_url: str) -> str:
    """The address of the story's page; that of the edition if it was sent before stories had pages."""
    if content.web is None:
        return archive_url(base_url, content.slug, content.language, content.digest)
    return story_url(base_url, content.slug, content.language, story, version_query(content.digest))


def anchor_correction(record: CorrectionRecord) -> str:
    """The anchor of a correction beside its story in the web edition."""
    return f"correction-{record.number}"


def _write_html(tag: str, text: NoteText, phrases: Phrases) -> str:
    def label(words: str) -> Markup:
        spoken = phrases.language
        same = spoken.partition("-")[0] == tag.partition("-")[0]
        return embed_html(escape(words), tag if same else spoken, tag)

    # A plain string: added to markup, the sanitised explanation would be escaped again.
    words = Markup("<h4>{}</h4><blockquote><p>{}</p></blockquote><h4>{}</h4><p>{}</p>").format(
        label(phrases.correction_was),
        mark_text(text.was, tag),
        label(phrases.correction_is),
        mark_text(text.right, tag),
    )
    return str(words)


def format_day(day: date, language: str) -> str:
    """``day`` in the long form of ``language``; in the international form where CLDR does not know it."""
    if language == "en":
        return f"{day.day} {day:%B %Y}"
    try:
        return format_date(day, "long", locale=Locale.parse(language, sep="-"))
    except (UnknownLocaleError, ValueError):
        return day.isoformat()


def _shorten(text: str) -> str:
    """``text`` in at most as many characters as inboxes show, cut between words."""
    if len(text) <= _MAX_PREHEADER:
        return text
    cut = text[: _MAX_PREHEADER - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"
