"""Check 10: running text is set so that people can read it."""

from collections.abc import Iterator

from mailer.checks.document.computed_style import ComputedStyle
from mailer.checks.document.dom import Node
from mailer.checks.document.parsed_mail import ParsedMail
from mailer.checks.finding import Finding, excerpt, finding

_MIN_SIZE = 12
_MIN_PARAGRAPH_SIZE = 14
_MIN_LINE_HEIGHT = 1.4
# Characters from which words are read line by line, and not at one glance.
_PARAGRAPH_LENGTH = 100
_NOT_LEFT_ALIGNED = frozenset({"center", "justify"})


def check_legibility(mail: ParsedMail) -> Iterator[Finding]:
    """10: sizes, line heights and alignment of paragraphs, and links that show that they are links."""
    for node in mail.find_all("p", "li", "blockquote"):
        words = node.text
        if (
            len(words) >= _PARAGRAPH_LENGTH
            and node in mail.light_styles
            and not mail.light_styles[node].is_hidden
        ):
            yield from _check_paragraph(words, mail.light_styles[node])
    for text in mail.text_runs:
        size = mail.light_styles[text.node].size
        if 0 < size < _MIN_SIZE and text.words.strip():
            yield finding(
                "small-text",
                f"“{excerpt(text.words)}” is {size:g} pixels high, too small for many. Set it in "
                f"{_MIN_SIZE} or more.",
            )
    yield from _check_links(mail)


def _check_paragraph(words: str, look: ComputedStyle) -> Iterator[Finding]:
    if _MIN_SIZE <= look.size < _MIN_PARAGRAPH_SIZE:
        yield finding(
            "small-text",
            f"the paragraph “{excerpt(words)}” is {look.size:g} pixels high, and iOS enlarges such text as "
            f"it likes. Set it in {_MIN_PARAGRAPH_SIZE} or more.",
        )
    if look.line is not None and look.line < _MIN_LINE_HEIGHT:
        yield finding(
            "tight-lines",
            f"the lines of “{excerpt(words)}” are {look.line:.2f} times their size apart, and run into each "
            f"other for many. Set {_MIN_LINE_HEIGHT} or more.",
        )
    if look.align in _NOT_LEFT_ALIGNED:
        yield finding(
            "centred-text",
            f"“{excerpt(words)}” is set {'centred' if look.align == 'center' else 'justified'}, so the eye "
            "looks for the beginning of every line. Let it begin at the margin.",
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
            f"{len(plain)} links are not underlined, the first of them “{excerpt(plain[0].text)}”, and "
            "colour alone does not show to everybody that they are links. Underline them.",
            key="",
            weight=len(plain),
        )


def _shows_by_colour_only(link: Node, look: ComputedStyle, mail: ParsedMail) -> bool:
    """Whether nothing but its colour shows that this is a link: it is neither underlined nor a button."""
    around = mail.light_styles[link.parent].ground if link.parent is not None else look.ground
    return not (look.is_underlined or look.is_hidden or look.ground != around or "border" in link.style)
