"""Check 10: running text is set so that people can read it."""

from collections.abc import Iterator

from mailer.checks.document.computed_style import Look
from mailer.checks.document.dom import Node
from mailer.checks.document.parsed_mail import ParsedMail
from mailer.checks.finding import Finding, excerpt, found

_SMALLEST = 12
_SMALLEST_RUNNING = 14
_TIGHTEST = 1.4
# Characters from which words are read line by line, and not at one glance.
_RUNNING = 100
_FROM_LEFT_TO_MIDDLE = frozenset({"center", "justify"})


def check_legibility(mail: ParsedMail) -> Iterator[Finding]:
    """10: sizes, line heights and alignment of paragraphs, and links that show that they are links."""
    for node in mail.all("p", "li", "blockquote"):
        words = node.words
        if len(words) >= _RUNNING and node in mail.light and not mail.light[node].is_hidden:
            yield from _check_paragraph(words, mail.light[node])
    for text in mail.texts:
        size = mail.light[text.node].size
        if 0 < size < _SMALLEST and text.words.strip():
            yield found(
                "small-text",
                f"“{excerpt(text.words)}” is {size:g} pixels high, too small for many. Set it in "
                f"{_SMALLEST} or more.",
            )
    yield from _check_links(mail)


def _check_paragraph(words: str, look: Look) -> Iterator[Finding]:
    if _SMALLEST <= look.size < _SMALLEST_RUNNING:
        yield found(
            "small-text",
            f"the paragraph “{excerpt(words)}” is {look.size:g} pixels high, and iOS enlarges such text as "
            f"it likes. Set it in {_SMALLEST_RUNNING} or more.",
        )
    if look.line is not None and look.line < _TIGHTEST:
        yield found(
            "tight-lines",
            f"the lines of “{excerpt(words)}” are {look.line:.2f} times their size apart, and run into each "
            f"other for many. Set {_TIGHTEST} or more.",
        )
    if look.align in _FROM_LEFT_TO_MIDDLE:
        yield found(
            "centred-text",
            f"“{excerpt(words)}” is set {'centred' if look.align == 'center' else 'justified'}, so the eye "
            "looks for the beginning of every line. Let it begin at the margin.",
        )


def _check_links(mail: ParsedMail) -> Iterator[Finding]:
    plain = [
        link
        for link in mail.all("a")
        if link.get("href") and link.words and link in mail.light and _is_plain(link, mail.light[link], mail)
    ]
    if plain:
        yield found(
            "plain-link",
            f"{len(plain)} links are not underlined, the first of them “{excerpt(plain[0].words)}”, and "
            "colour alone does not show to everybody that they are links. Underline them.",
            key="",
            weight=len(plain),
        )


def _is_plain(link: Node, look: Look, mail: ParsedMail) -> bool:
    """Whether nothing but its colour shows that this is a link: it is neither underlined nor a button."""
    around = mail.light[link.parent].ground if link.parent is not None else look.ground
    return not (look.is_underlined or look.is_hidden or look.ground != around or "border" in link.style)
