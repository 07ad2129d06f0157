"""Check 10: body text is set so that people can read it."""

from collections.abc import Iterator

from locales.phrase import Phrase, gettext_noop
from mailer.checks.finding import Finding, excerpt, finding
from mailer.checks.mail.computed_style import ComputedStyle
from mailer.checks.mail.dom import Node
from mailer.checks.mail.parsed_mail import ParsedMail
from mailer.checks.mail.place import Place

_MIN_SIZE = 12
_MIN_PARAGRAPH_SIZE = 14
_MIN_LINE_HEIGHT = 1.4
# From this number of characters on, text is a paragraph to be read line by line.
_PARAGRAPH_LENGTH = 100
_NOT_LEFT_ALIGNED = frozenset({"center", "justify"})


_CENTRED = gettext_noop(
    "“%(text)s” is centred, so readers have to search for the start of every line. Align it to the start of "
    "the line."
)
_JUSTIFIED = gettext_noop(
    "“%(text)s” is justified, so readers have to search for the start of every line. Align it to the "
    "start of "
    "the line."
)


def check_legibility(mail: ParsedMail) -> Iterator[Finding]:
    """10: font sizes, line heights and alignment of paragraphs, and links that look like links."""
    for node in mail.find_all("p", "li", "blockquote"):
        words = node.text
        if (
            len(words) >= _PARAGRAPH_LENGTH
            and node in mail.light_styles
            and not mail.light_styles[node].is_hidden
        ):
            yield from _check_paragraph(words, mail.light_styles[node], mail.place_of(node))
    for run in mail.text_runs:
        size = mail.light_styles[run.node].font_size
        if 0 < size < _MIN_SIZE and run.text.strip():
            yield finding(
                "small-text",
                Phrase(
                    gettext_noop(
                        "“%(text)s” is set at %(size)s pixels, too small for many readers. Use at least "
                        "%(least)s."
                    ),
                    text=excerpt(run.text),
                    size=f"{size:g}",
                    least=_MIN_SIZE,
                ),
                place=mail.place_of(run.node, run.text),
            )
    yield from _check_links(mail)


def _check_paragraph(words: str, style: ComputedStyle, place: Place) -> Iterator[Finding]:
    if _MIN_SIZE <= style.font_size < _MIN_PARAGRAPH_SIZE:
        yield finding(
            "small-text",
            Phrase(
                gettext_noop(
                    "the paragraph “%(text)s” is set at %(font_size)s pixels, and iOS enlarges such "
                    "small text unpredictably. Use at least %(least)s."
                ),
                text=excerpt(words),
                font_size=f"{style.font_size:g}",
                least=_MIN_PARAGRAPH_SIZE,
            ),
            place=place,
        )
    if style.line_height is not None and style.line_height < _MIN_LINE_HEIGHT:
        yield finding(
            "tight-lines",
            Phrase(
                gettext_noop(
                    "the line height of “%(text)s” is %(line_height)s times the font size, too tight for "
                    "many readers. Use at least %(least)s."
                ),
                text=excerpt(words),
                line_height=f"{style.line_height:.2f}",
                least=_MIN_LINE_HEIGHT,
            ),
            place=place,
        )
    if style.text_align in _NOT_LEFT_ALIGNED:
        yield finding(
            "centred-text",
            Phrase(_CENTRED if style.text_align == "center" else _JUSTIFIED, text=excerpt(words)),
            place=place,
        )


def _check_links(mail: ParsedMail) -> Iterator[Finding]:
    plain = [
        link
        for link in mail.find_all("a")
        if link.get("href")
        and link.text
        and link in mail.light_styles
        and _shows_by_colour_only(link, mail.light_styles[link], mail)
    ]
    if plain:
        yield finding(
            "plain-link",
            Phrase(
                gettext_noop(
                    "%(number)s links are not underlined, the first of them “%(text)s”, and not everyone "
                    "can tell a link by its colour alone. Underline them."
                ),
                number=len(plain),
                text=excerpt(plain[0].text),
            ),
            key="",
            weight=len(plain),
            place=mail.place_of(plain[0]),
        )


def _shows_by_colour_only(link: Node, style: ComputedStyle, mail: ParsedMail) -> bool:
    """Whether only its colour shows that this is a link: it is neither underlined nor a button."""
    around = mail.light_styles[link.parent].background if link.parent is not None else style.background
    return not (
        style.is_underlined or style.is_hidden or style.background != around or "border" in link.style
    )
