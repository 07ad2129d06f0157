"""Checks of the parts of a body: the plain text, the first words an inbox shows, the links to unsubscribe."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from locales.phrase import gettext_noop
from mailer.checks.mail.computed_style import ComputedStyle
from mailer.checks.mail.dom import Node
from mailer.checks.mail.parsed_mail import MailFinding, ParsedMail, excerpt, finding
from mailer.rendering.body.fragments import TAG_PATTERN, MergeTag

# The text part writes out the addresses of links, which are attributes in the HTML part: in a short mail they
# would be a sixth of its words.
_ADDRESS = re.compile(r"https?://\S+|@@[a-z_]+@@")
_WORD = re.compile(r"[^\W_]+")
_NO_SPACES = re.compile(r"[\u3041-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_MOST_MISSING = 0.1
_FEWEST = 20


_TEXT_LACKS = gettext_noop(
    "the plain-text part lacks %(missing)s of the %(number)s different words in the other part, such as "
    "“%(example)s”; spam filters compare the two. Put the same text in both templates."
)
_HTML_LACKS = gettext_noop(
    "the HTML part lacks %(missing)s of the %(number)s different words in the other part, such as "
    "“%(example)s”; spam filters compare the two. Put the same text in both templates."
)
_FIRST = 200
_LEAST = 60
# A longer block is not a line about the email, but has one somewhere in it.
_MAX_BLOCK = 300


def check_text_part(mail: ParsedMail) -> Iterator[MailFinding]:
    """31: there is a plain-text part, with the same content as the HTML."""
    if not mail.source.text.strip():
        yield finding(
            "no-text", gettext_noop("there is no plain-text part. Give the template a matching .txt.j2 file.")
        )
        return
    shown, written = _words(mail.visible_text), _words(mail.source.text)
    # The preheader is in the HTML part too, but hidden there.
    in_html = shown | _words(mail.source.preheader)
    for one, other, what, message in (
        (shown, written, "plain-text part lacks", _TEXT_LACKS),
        (written, in_html, "HTML part lacks", _HTML_LACKS),
    ):
        missing = one - other
        if len(one) >= _FEWEST and len(missing) > _MOST_MISSING * len(one):
            yield finding(
                "text-differs",
                message,
                missing=len(missing),
                number=len(one),
                example=min(missing),
                key=what,
                weight=len(missing),
            )


def _words(text: str) -> set[str]:
    """Return the words of ``text``; of scripts without spaces, single characters."""
    written = _ADDRESS.sub(" ", text.casefold())
    return set(_WORD.findall(_NO_SPACES.sub(r" \g<0> ", written)))


def check_preheader(mail: ParsedMail) -> Iterator[MailFinding]:
    """29: the preheader is the first text, and is not hidden by its colour."""
    wanted = "".join(mail.source.preheader.split())
    if not wanted:
        return
    holder = _find_first(mail, wanted)
    if holder is None:
        yield finding(
            "no-preheader",
            gettext_noop(
                "the preheader is not the first text of the email, so inboxes show other text instead. "
                "Put the preheader block at the top of the template."
            ),
        )
        return
    style = mail.light_styles[holder]
    if not style.is_hidden and (style.colour == style.background or style.font_size <= 1):
        yield finding(
            "coloured-preheader",
            gettext_noop(
                "the preheader is hidden by its colour or size, which spam filters penalise. Hide it "
                "with display:none and mso-hide:all."
            ),
        )


def _find_first(mail: ParsedMail, wanted: str) -> Node | None:
    """Return the element with the preheader, if no other text comes before it."""
    first = next(
        (node for node in mail.nodes if (node.element.text or "").strip() and node.closest("body")), None
    )
    (body,) = mail.find_all("body")[:1] or (None,)
    begins = body is not None and "".join(body.element.text_content().split()).startswith(wanted)
    return first if begins else None


def check_unsubscribe_links(mail: ParsedMail) -> Iterator[MailFinding]:
    """32: a visible unsubscribe link, a link to the preferences, and the name and address of the sender."""
    targets = (
        ("no-unsubscribe", mail.source.unsubscribe_url, gettext_noop("to unsubscribe")),
        ("no-preferences", mail.source.preferences_url, gettext_noop("to the preferences")),
    )
    for code, url, what in targets:
        links = [link for link in mail.find_all("a") if link.get("href") == url]
        if not any(_is_visible(link, mail.light_styles[link]) for link in links):
            yield finding(
                code,
                gettext_noop("the HTML part has no visible link %(what)s (%(url)s). Add it to the footer."),
                what=what,
                url=url,
                key=f"HTML {what}",
            )
        if url not in mail.source.text and mail.source.text.strip():
            yield finding(
                code,
                gettext_noop("the text part has no link %(what)s (%(url)s). Add it to the footer."),
                what=what,
                url=url,
                key=f"text {what}",
            )
    yield from _check_identity(mail)


def _is_visible(link: Node, style: ComputedStyle) -> bool:
    return bool(link.text) and not style.is_hidden and style.font_size >= 9


def _check_identity(mail: ParsedMail) -> Iterator[MailFinding]:
    for part, content in (("HTML", mail.visible_text), ("text", mail.source.text)):
        squeezed = "".join(content.split())
        if not squeezed:
            continue
        for what, words in (
            ("organisation", mail.source.organisation),
            ("postal address", mail.source.postal_address),
        ):
            if "".join(words.split()) not in squeezed:
                yield finding(
                    "no-postal-address",
                    gettext_noop(
                        "the %(part)s part does not contain your %(what)s, which the law of most countries "
                        "requires. Add it to the footer."
                    ),
                    part=part,
                    what=what,
                )


class _TextPiece(NamedTuple):
    """A piece of text, and whether it says what is in this edition."""

    text: str
    is_content: bool


def check_first_words(mail: ParsedMail) -> Iterator[MailFinding]:
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
                ),
                first=_FIRST,
                part=part,
                content=content,
                words=excerpt(" ".join(first), 80),
                key=part,
                weight=_LEAST - content,
            )


def _list_html_pieces(mail: ParsedMail) -> Iterator[_TextPiece]:
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
        yield _TextPiece(text, is_content)


def _find_block(link: Node) -> Node:
    """Return the paragraph or cell around ``link``, or the link alone in a larger block."""
    block = link.closest("p", "td", "li", "div", "body") or link
    return block if len(block.text) <= _MAX_BLOCK else link


def _list_text_pieces(mail: ParsedMail) -> Iterator[_TextPiece]:
    own = [tag.placeholder for tag in MergeTag if tag is not MergeTag.greeting]
    own += [mail.source.unsubscribe_url, mail.source.preferences_url, f"{mail.source.base_url}/"]
    titles = [heading.text for heading in mail.find_all("h1")]
    for paragraph in mail.source.text.split("\n\n"):
        is_service = any(url in paragraph for url in own)
        for line in TAG_PATTERN.sub("", paragraph).splitlines():
            yield _TextPiece(line, not is_service and not _is_about_us(mail, line, titles))


def _is_about_us(mail: ParsedMail, text: str, titles: Iterable[str]) -> bool:
    """Return whether ``text`` is the sender's name or address, or the title: always the same."""
    squeezed = "".join(text.split())
    same = (mail.source.organisation, mail.source.postal_address, *titles)
    return any(squeezed in "".join(words.split()) for words in same)
