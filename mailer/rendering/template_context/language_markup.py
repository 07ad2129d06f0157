"""Words of one language among those of another, marked so that a screen reader changes its voice.

WCAG 2.2, success criterion 3.1.2 asks for it; mail programs and browsers also choose the font by it.
"""

from typing import Literal

from markupsafe import Markup

from editions.languages import mark_runs
from mailer.i18n import SOURCE
from mailer.settings import SenderSettings

_RIGHT_TO_LEFT = frozenset({"ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})


def direction_of(language: str) -> Literal["ltr", "rtl"]:
    """The direction of lines in a language, a BCP 47 tag."""
    return "rtl" if language.split("-")[0] in _RIGHT_TO_LEFT else "ltr"


def quote(text: str, language: str, around: str) -> Markup:
    """Plain ``text`` of ``language`` as markup, marked where the words ``around`` it are of another."""
    return embed(mark_text(text, language), language, around)


def quote_sender(text: str, sender: SenderSettings, around: str) -> Markup:
    """``text`` of the office about itself among words of ``around``, on a page that belongs to no edition."""
    own = sender.language or SOURCE
    # "zh" says as much as a page's own "zh-Hans".
    return quote(text, around if around.partition("-")[0] == own else own, around)


def mark_text(text: str, language: str) -> Markup:
    """Plain ``text`` of ``language`` as markup, its words in other scripts marked."""
    return Markup(mark_runs(text, language=language))  # noqa: S704 - it escapes


def embed(html: Markup, language: str, around: str) -> Markup:
    """``html`` of ``language`` among words of ``around``, marked where that is another."""
    marks = mark_element(language, around)
    return Markup("<span{}>{}</span>").format(marks, html) if marks and html else html


def mark_element(language: str, around: str) -> Markup:
    """The attributes of an element of ``language`` among words of ``around``; none where that is the same."""
    if language == around:
        return Markup()
    direction = direction_of(language)
    turned = Markup(' dir="{}"').format(direction) if direction != direction_of(around) else ""
    return Markup(' lang="{}"{}').format(language, turned)
