"""The first words of an email, of which iOS and Gmail make the summary that they show instead of the
preheader."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from locales.phrase import gettext_noop
from mailer.checks.finding import Finding, excerpt, finding
from mailer.checks.mail.dom import Node
from mailer.checks.mail.parsed_mail import ParsedMail
from mailer.rendering.body.merge_tags import TAG_PATTERN, MergeTag

_FIRST = 200
_LEAST = 60
# A longer block is not a line about the email, but has one somewhere in it.
_MAX_BLOCK = 300


class _Piece(NamedTuple):
    """A piece of text, and whether it says what is in this edition."""

    text: str
    is_content: bool


def check_first_words(mail: ParsedMail) -> Iterator[Finding]:
    """The first characters of both parts are about what is in the email, not about the email itself."""
    for part, pieces in (("HTML", _list_html_pieces(mail)), ("text", _list_text_pieces(mail))):
        read = content = 0
        first: list[str] = []
        for piece in pieces:
            letters = min(sum(map(str.isalnum, piece.text)), _FIRST - read)
            read += letters
            content += letters * piece.is_content
            first.append(piece.text)
            if read >= _FIRST:
                break
        if read == _FIRST and content < _LEAST:
            yield finding(
                "late-content",
                gettext_noop(
                    "of the first %(first)s letters of the %(part)s part, %(content)s say what is in this "
                    "edition: “%(words)s”. iOS and Gmail summarise an email by its first words. Move "
                    "addresses, explanations and links about the email itself to the end of the template."
                )
                % {
                    "first": _FIRST,
                    "part": part,
                    "content": content,
                    "words": excerpt(" ".join(first), 80),
                },
                key=part,
                weight=_LEAST - content,
            )


def _list_html_pieces(mail: ParsedMail) -> Iterator[_Piece]:
    service = {
        element
        for link in mail.find_all("a")
        if mail.source.is_own(link.get("href") or "")
        for element in _find_block(link).element.iter()
    }
    titles = [heading.text for heading in mail.find_all("h1")]
    for run in mail.text_runs:
        text = TAG_PATTERN.sub("", run.text)
        is_content = run.node.element not in service and not _is_about_us(mail, text, titles)
        yield _Piece(text, is_content)


def _find_block(link: Node) -> Node:
    """The paragraph or cell around ``link``, or the link alone in a larger block."""
    block = link.closest("p", "td", "li", "div", "body") or link
    return block if len(block.text) <= _MAX_BLOCK else link


def _list_text_pieces(mail: ParsedMail) -> Iterator[_Piece]:
    own = [tag.placeholder for tag in MergeTag if tag is not MergeTag.greeting]
    own += [mail.source.unsubscribe_url, mail.source.preferences_url, f"{mail.source.base_url}/"]
    titles = [heading.text for heading in mail.find_all("h1")]
    for paragraph in mail.source.text.split("\n\n"):
        is_service = any(url in paragraph for url in own)
        for line in TAG_PATTERN.sub("", paragraph).splitlines():
            yield _Piece(line, not is_service and not _is_about_us(mail, line, titles))


def _is_about_us(mail: ParsedMail, text: str, titles: Iterable[str]) -> bool:
    """Whether ``text`` is the sender's name or address, or the title, which are the same every time."""
    squeezed = "".join(text.split())
    same = (mail.source.organisation, mail.source.postal_address, *titles)
    return any(squeezed in "".join(words.split()) for words in same)
