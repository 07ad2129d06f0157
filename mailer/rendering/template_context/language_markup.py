"""Marks text in one language inside text in another, so that a screen reader changes its voice.

WCAG 2.2, success criterion 3.1.2 requires it; email programs and browsers also choose the font by it.
"""

from markupsafe import Markup

from editions.markdown.lang_spans import mark_languages_in_text
from locales.languages import text_direction
from mailer.i18n import SOURCE_LANGUAGE
from mailer.settings import SenderSettings


def embed_text(text: str, language: str, surrounding: str) -> Markup:
    """Plain ``text`` in ``language`` as markup, marked if the ``surrounding`` text is in another."""
    return embed_html(mark_text(text, language), language, surrounding)


def embed_sender_text(text: str, sender: SenderSettings, surrounding: str) -> Markup:
    """Return ``text`` of the office about itself inside ``surrounding`` text, on a page that belongs to no
    edition."""
    own = sender.language or SOURCE_LANGUAGE
    # "zh" is as good as a page's "zh-Hans".
    return embed_text(text, surrounding if surrounding.partition("-")[0] == own else own, surrounding)


def mark_text(text: str, language: str) -> Markup:
    """Plain ``text`` in ``language`` as markup, with words in other scripts marked."""
    return Markup(mark_languages_in_text(text, language=language))  # noqa: S704 - it escapes


def embed_html(html: Markup, language: str, surrounding: str) -> Markup:
    """Return ``html`` in ``language``, marked if the ``surrounding`` text is in another."""
    marks = language_attributes(language, surrounding)
    return Markup("<span{}>{}</span>").format(marks, html) if marks and html else html


def language_attributes(language: str, surrounding: str) -> Markup:
    """Return the attributes of an element in ``language`` inside ``surrounding`` text; empty if that is the
    same."""
    if language == surrounding:
        return Markup()
    direction = text_direction(language)
    turned = Markup(' dir="{}"').format(direction) if direction != text_direction(surrounding) else ""
    return Markup(' lang="{}"{}').format(language, turned)
