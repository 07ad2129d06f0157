"""The letter that asks whether somebody still wants the newsletter, as an edition of one story.

So it takes the way of every edition: the theme, the footer, the checks, the ledger. It is written in every
language of the readers' pages, and its button opens the reader's own page.
"""

from datetime import date
from pathlib import Path
from types import MappingProxyType

from markupsafe import Markup, escape

from editions.model import Edition, EditionText, ReadMore, Story, StoryKind, StoryText
from editions.source.schema import EditionHeader
from mailer.i18n import LANGUAGES, SOURCE_LANGUAGE, Translator, gettext_noop, load_translator, match_language
from mailer.settings import Settings

STORY = "reconfirmation"
"""The slug of its only story."""

_SUBJECT = gettext_noop("Do you still want our newsletter?")
_PREHEADER = gettext_noop("Tell us if you would like to keep it. Without an answer, we pause it.")
_PARAGRAPHS = (
    gettext_noop("You get the newsletter of %(organisation)s. Do you still want it?"),
    gettext_noop(
        "To keep getting it, open your page with the button below and press the button there. You can also "
        "choose there what you get."
    ),
    gettext_noop(
        "If we do not hear from you by %(day)s, we pause it. You can start it again at any time, from the "
        "same page."
    ),
)
_BUTTON = gettext_noop("Yes, keep sending it to me")


def make_letter(settings: Settings, *, name: str, today: date, last_day: date, folder: Path) -> Edition:
    """The letter as the edition ``name``, for answers until ``last_day``; its own language is the sender's,
    if we know it, or else English. ``folder`` is only a name for what has no files.
    """
    own = match_language([settings.sender.language]) or SOURCE_LANGUAGE
    languages = (own, *(tag for tag in LANGUAGES if tag != own))
    translators = {tag: load_translator(tag) for tag in languages}
    texts = {tag: _write_edition_text(settings, translators[tag]) for tag in languages}
    story = Story(
        slug=STORY,
        source="letter",
        kind=StoryKind.feature,
        sector=None,
        countries=(),
        date="",
        texts=MappingProxyType(
            {tag: _write_story_text(settings, translators[tag], last_day) for tag in languages}
        ),
        image=None,
        read_more=(),
        everyone=True,
    )
    template: str = EditionHeader.model_fields["template"].default
    return Edition(
        folder=folder,
        slug=name,
        title=texts[own].title,
        number="",
        period="",
        date=today,
        language=own,
        languages=languages,
        subject=texts[own].subject,
        preheader=texts[own].preheader,
        template=template,
        sender_name=settings.sender.name,
        letter=None,
        stories=(story,),
        lists_contents=False,
        texts=MappingProxyType(texts),
    )


def _write_edition_text(settings: Settings, translator: Translator) -> EditionText:
    return EditionText(
        language=translator.tag,
        title=settings.sender.name,
        period="",
        subject=translator.translate(_SUBJECT),
        preheader=translator.translate(_PREHEADER),
        introductions=MappingProxyType({}),
    )


def _write_story_text(settings: Settings, translator: Translator, last_day: date) -> StoryText:
    values = {"organisation": settings.sender.organisation, "day": translator.format_day(last_day)}
    paragraphs = [translator.translate(words, **values) for words in _PARAGRAPHS]
    html = Markup("").join(Markup("<p>{}</p>").format(escape(words)) for words in paragraphs)
    text = "\n\n".join(paragraphs)
    return StoryText(
        language=translator.tag,
        title=translator.translate(_SUBJECT),
        html=str(html),
        text=text,
        words=len(text.split()),
        caption="",
        alt="",
        button=ReadMore(what=translator.translate(_BUTTON), url=f"{settings.web.base_url}/link"),
        leads_to_preferences=True,
    )
