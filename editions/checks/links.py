"""Checks of links: whether their texts say where they lead, and whether their addresses could be better."""

import re
from collections.abc import Iterable, Iterator, Sequence

from editions.checks.inbox import make_comparable
from editions.errors import Problem
from editions.markdown.links import find_link_fault, uses_link_shortener
from editions.markdown.renderer import TextLink
from editions.source.document import AnyDocument, make_warning
from locales.phrase import gettext_noop

# Screen readers list links without the text around them, where these mean nothing in any of our languages.
_VAGUE_LINK_TEXTS = frozenset(
    word
    for language in (
        "click here|here|read more|read more here|more|learn more|see more|find out more|this|this link|link",
        "cliquez ici|ici|lire la suite|en savoir plus|plus|lien",
        "点击这里|点击此处|这里|此处|更多|阅读更多|查看更多|了解更多|详情|链接",
        "こちら|ここ|続きを読む|詳細|詳しくはこちら|もっと見る",
        "여기|더 보기|더보기|자세히|자세히 보기|링크",
        "энд|энд дарна уу|дэлгэрэнгүй|цааш унших|холбоос",
    )
    for word in language.split("|")
)
_BARE_URL = re.compile(r"(https?://|www\.)\S+", re.IGNORECASE)


def check_links(document: AnyDocument) -> Iterator[Problem]:
    yield from _check_link_texts(document)
    for url, line in _list_addresses(document):
        yield from _check_url(document, url, line)


def _check_link_texts(document: AnyDocument) -> Iterator[Problem]:
    for link in list_text_links(document):
        text = link.text
        if is_vague_link_text(text):
            yield make_warning(
                document,
                link.line,
                "vague-link",
                gettext_noop(
                    "“%(text)s” does not say where the link goes, and screen readers list links on their "
                    "own. Describe what the link leads to."
                ),
                text=text,
            )
        elif _BARE_URL.fullmatch(text):
            yield make_warning(
                document,
                link.line,
                "bare-link",
                gettext_noop(
                    "screen readers read the address %(text)s out letter by letter. Write [text](%(text)s), "
                    "with text that says what it is."
                ),
                text=text,
            )


def _check_url(document: AnyDocument, url: str, line: int) -> Iterator[Problem]:
    if find_link_fault(url):
        return
    if uses_link_shortener(url):
        yield make_warning(
            document,
            line,
            "short-link",
            gettext_noop(
                "%(url)s is a shortened link: readers cannot see where it leads, and spam filters count "
                "it against the email. Use the address of the page itself."
            ),
            url=url,
        )
    elif url.lower().startswith("http://"):
        yield make_warning(
            document,
            line,
            "plain-http",
            gettext_noop(
                "the link %(url)s is not encrypted, and browsers warn about such pages. Try it with "
                "https://, and use that if the page opens."
            ),
            url=url,
        )


def check_duplicate_link_texts(found: Iterable[tuple[AnyDocument, Sequence[TextLink]]]) -> Iterator[Problem]:
    """Check that links with the same text lead to the same page, in all files of a language."""
    seen: dict[tuple[str, str], tuple[TextLink, str]] = {}
    for document, links in found:
        for link in links:
            if not (link.text and link.url):
                continue
            key = (document.language, make_comparable(link.text))
            first, where = seen.setdefault(key, (link, document.name))
            if first.url != link.url:
                yield make_warning(
                    document,
                    link.line,
                    "same-link-words",
                    gettext_noop(
                        "“%(text)s” leads to a different page here than in %(where)s:%(line)s, and screen "
                        "readers read both links out the same. Say in each what it leads to."
                    ),
                    text=link.text,
                    where=where,
                    line=first.line,
                )


def list_text_links(document: AnyDocument) -> tuple[TextLink, ...]:
    """Return every link of a file that has words, in its body and below it."""
    front_matter = document.front_matter
    links = [*_list_body_links(document)]
    for key_path in (*front_matter.item_paths("read_more"), ("button",), ("video",)):
        if what := front_matter.text(*key_path, "what"):
            line = front_matter.line_of(*key_path, "what")
            links.append(TextLink(text=what, url=front_matter.text(*key_path, "url"), line=line))
    return tuple(links)


def _list_addresses(document: AnyDocument) -> list[tuple[str, int]]:
    """Return address and line of every link, including the accounts to follow."""
    front_matter = document.front_matter
    addresses = [(link.url, link.line) for link in _list_body_links(document)]
    listed = (*front_matter.item_paths("read_more"), *front_matter.item_paths("follow"))
    for key_path in (*listed, ("button",), ("video",)):
        if url := front_matter.text(*key_path, "url"):
            addresses.append((url, front_matter.line_of(*key_path, "url")))
    return addresses


def _list_body_links(document: AnyDocument) -> Iterator[TextLink]:
    for rendered in (document.body, *document.introductions.values()):
        yield from rendered.links


def is_vague_link_text(text: str) -> bool:
    """Return whether ``text`` means nothing as a link text, in any of our languages."""
    return make_comparable(text) in _VAGUE_LINK_TEXTS
