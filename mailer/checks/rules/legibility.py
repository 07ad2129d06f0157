"""Checks that a mail can be read: sizes of type, lengths of lines, contrast in light and dark."""

from collections.abc import Iterator

from locales.phrase import gettext_noop
from mailer.checks.mail.computed_style import Appearance, ComputedStyle, is_light
from mailer.checks.mail.dom import Node
from mailer.checks.mail.parsed_mail import MailFinding, ParsedMail, Place, TextRun, excerpt, finding
from mailer.rendering.themes.theme import MIN_TEXT_CONTRAST, measure_contrast

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
_MIN_LARGE_CONTRAST = 3.0
_LARGE = 24
_LARGE_BOLD = 18.66
_KINDS = {
    Appearance.bare: gettext_noop("in programs that drop style sheets"),
    Appearance.light: gettext_noop("on a light background"),
    Appearance.dark: gettext_noop("in dark mode"),
}


def check_legibility(mail: ParsedMail) -> Iterator[MailFinding]:
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
                gettext_noop(
                    "“%(text)s” is set at %(size)s pixels, too small for many readers. Use at least "
                    "%(least)s."
                ),
                text=excerpt(run.text),
                size=f"{size:g}",
                least=_MIN_SIZE,
                place=mail.place_of(run.node, run.text),
            )
    yield from _check_links(mail)


def _check_paragraph(words: str, style: ComputedStyle, place: Place) -> Iterator[MailFinding]:
    if _MIN_SIZE <= style.font_size < _MIN_PARAGRAPH_SIZE:
        yield finding(
            "small-text",
            gettext_noop(
                "the paragraph “%(text)s” is set at %(font_size)s pixels, and iOS enlarges such "
                "small text unpredictably. Use at least %(least)s."
            ),
            text=excerpt(words),
            font_size=f"{style.font_size:g}",
            least=_MIN_PARAGRAPH_SIZE,
            place=place,
        )
    if style.line_height is not None and style.line_height < _MIN_LINE_HEIGHT:
        yield finding(
            "tight-lines",
            gettext_noop(
                "the line height of “%(text)s” is %(line_height)s times the font size, too tight for "
                "many readers. Use at least %(least)s."
            ),
            text=excerpt(words),
            line_height=f"{style.line_height:.2f}",
            least=_MIN_LINE_HEIGHT,
            place=place,
        )
    if style.text_align in _NOT_LEFT_ALIGNED:
        yield finding(
            "centred-text",
            _CENTRED if style.text_align == "center" else _JUSTIFIED,
            text=excerpt(words),
            place=place,
        )


def _check_links(mail: ParsedMail) -> Iterator[MailFinding]:
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
            gettext_noop(
                "%(number)s links are not underlined, the first of them “%(text)s”, and not everyone "
                "can tell a link by its colour alone. Underline them."
            ),
            number=len(plain),
            text=excerpt(plain[0].text),
            key="",
            weight=len(plain),
            place=mail.place_of(plain[0]),
        )


def _shows_by_colour_only(link: Node, style: ComputedStyle, mail: ParsedMail) -> bool:
    """Return whether only its colour shows that this is a link: it is neither underlined nor a button."""
    around = mail.light_styles[link.parent].background if link.parent is not None else style.background
    return not (
        style.is_underlined or style.is_hidden or style.background != around or "border" in link.style
    )


def check_contrast(mail: ParsedMail) -> Iterator[MailFinding]:
    """9 and 18, for all three ways to display an email."""
    told: set[tuple[str, str]] = set()
    for appearance in (Appearance.light, Appearance.dark, Appearance.bare):
        styles = mail.styles_in(appearance)
        worst: dict[tuple[str, str, bool], TextRun] = {}
        for run in mail.text_runs:
            style = styles[run.node]
            large = style.font_size >= (_LARGE_BOLD if style.is_bold else _LARGE)
            key = (style.colour, style.background, large)
            # Light text on a background that stayed light is reported by check_dark_backgrounds.
            if (
                key not in worst
                and not _is_light_on_light(style)
                and not style.has_background_image
                and _has_letters(run.text)
            ):
                worst[key] = run
        for (colour, background, large), run in worst.items():
            ratio, least = (
                measure_contrast(colour, background),
                _MIN_LARGE_CONTRAST if large else MIN_TEXT_CONTRAST,
            )
            if ratio < least and (colour, background) not in told:
                told.add((colour, background))
                yield finding(
                    "low-contrast",
                    gettext_noop(
                        "“%(words)s” is %(colour)s on %(background)s %(where)s: the contrast is %(ratio)s:1, "
                        "and text of this size needs %(least)s:1. Choose colours with more contrast."
                    ),
                    words=excerpt(run.text),
                    colour=colour,
                    background=background,
                    where=_KINDS[appearance],
                    ratio=f"{ratio:.2f}",
                    least=f"{least:g}",
                    key=f"{colour} {background}",
                    place=mail.place_of(run.node, run.text),
                )


def check_dark_backgrounds(mail: ParsedMail) -> Iterator[MailFinding]:
    """18: where a dark mode rule makes text light, light backgrounds behind it have a dark mode rule too."""
    styles = mail.styles_in(Appearance.dark)
    backgrounds: dict[str, TextRun] = {}
    for run in mail.text_runs:
        style = styles[run.node]
        if _is_light_on_light(style) and _has_letters(run.text):
            backgrounds.setdefault(style.light_background, run)
    for background, run in backgrounds.items():
        yield finding(
            "bright-ground",
            gettext_noop(
                "“%(text)s” turns light in dark mode, but its background %(background)s does not "
                "turn dark. Give every background a rule for dark mode."
            ),
            text=excerpt(run.text),
            background=background,
            key=background,
            place=mail.place_of(run.node, run.text),
        )


def _is_light_on_light(style: ComputedStyle) -> bool:
    return bool(style.is_dark_colour and style.light_background and is_light(style.colour))


def _has_letters(words: str) -> bool:
    return any(character.isalnum() for character in words)
