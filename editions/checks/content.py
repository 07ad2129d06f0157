"""Checks of an edition's content: alt texts, links, length, subject and preheader.

They check what was written, not the finished edition, so that a wrong country in a story does not hide
problems in its text.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from editions.cache import BoundedCache
from editions.checks.disabled_checks import CHECKS_KEY, read_disabled_checks
from editions.checks.foreign_markup import check_foreign_markup
from editions.checks.notes import check_notes
from editions.images.used import image_paths
from editions.markdown.links import find_link_fault, uses_link_shortener
from editions.markdown.renderer import BodyLink
from editions.problem import Level, Problem
from editions.source.document import AnyDocument
from editions.source.folder import STORIES_FOLDER
from editions.source.yaml_parser import YamlValue
from locales.phrase import gettext_noop

MERGE_TAG_DELIMITER = "@@"
"""Begins and ends the places of an email that are filled in for each reader; not allowed in text."""

_MAX_STORY_WORDS = 400
_MAX_ALT_LENGTH = 125
_MAX_SUBJECT_WIDTH = 70
_PREHEADER_WIDTHS = (40, 130)
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
# Promises and exclamations that spam filters such as SpamAssassin give points for.
_ADVERTISING = re.compile(r"[!！]{2,}|100\s?% (guaranteed|free)|act now|risk[- ]free", re.IGNORECASE)
_BARE_URL = re.compile(r"(https?://|www\.)\S+", re.IGNORECASE)
_FILE_NAME = re.compile(
    r"\S+\.(jpe?g|png|gif|webp|heic|tiff?|bmp)|(img|dsc[nf]?|image|picture|photo)[ _-]?\d+", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class _LinkInList:
    """A link in a screen reader's list of links: its text, and the same normalised for comparison."""

    text: str
    normalised: str
    url: str
    line: int


@dataclass(frozen=True, kw_only=True)
class _CheckedDocument:
    """The problems of one document, and its links, which are compared with those of others."""

    problems: tuple[Problem, ...]
    links: tuple[_LinkInList, ...]


# Without it, compiling after a change to one story takes a fifth longer.
_checked_documents: BoundedCache[_CheckedDocument] = BoundedCache(5000)


def check_documents(documents: Sequence[AnyDocument]) -> list[Problem]:
    """The problems in the content of ``documents``, the files of one edition."""
    found = [
        (
            document,
            _checked_documents.get_or_create(
                (document.name, document.language, document.text), partial(_check_document, document)
            ),
        )
        for document in documents
    ]
    alone = [problem for _, checked in found for problem in checked.problems]
    return [*alone, *_check_duplicate_link_texts((document, checked.links) for document, checked in found)]


def _check_document(document: AnyDocument) -> _CheckedDocument:
    problems = [*_check_merge_tag_delimiter(document), *_check_images(document), *_check_links(document)]
    problems += [*check_foreign_markup(document), *check_notes(document)]
    for url, line in _urls(document):
        problems += _check_url(document, url, line)
    if document.name.startswith(f"{STORIES_FOLDER}/"):
        problems += _check_body(document)
    elif document.name.startswith("edition."):
        problems += [*_check_letter(document), *_check_inbox(document), *_check_disabled_reasons(document)]
    links = tuple(
        _LinkInList(text=text, normalised=_normalise(text), url=url, line=line)
        for text, url, line in _links_with_text(document)
        if text and url
    )
    return _CheckedDocument(problems=tuple(problems), links=links)


def _check_merge_tag_delimiter(document: AnyDocument) -> Iterator[Problem]:
    lines = []
    if MERGE_TAG_DELIMITER in document.text:
        numbered = enumerate(document.text.split("\n"), start=1)
        lines = [number for number, line in numbered if MERGE_TAG_DELIMITER in line]
    if not lines:
        # Written as &#64;@ or @\\@, so it only shows in the rendered text.
        front_matter = document.front_matter
        rendered = {
            front_matter.line_of("introductions", key): text for key, text in document.introductions.items()
        }
        rendered[front_matter.body_line] = document.body
        lines = [
            line
            for line, text in rendered.items()
            if MERGE_TAG_DELIMITER in text.html or MERGE_TAG_DELIMITER in text.text
        ]
    if not lines and any(MERGE_TAG_DELIMITER in text for text in _texts(document.front_matter.values or {})):
        lines = [1]
    for line in lines:
        yield _error(
            document,
            line,
            "reserved-sign",
            gettext_noop(
                "%(sign)s marks a place that is filled in for each reader, so it cannot "
                "appear in the text. Write a single @."
            )
            % {"sign": MERGE_TAG_DELIMITER},
        )


def _texts(value: YamlValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        return
    for part in value.values() if isinstance(value, dict) else value:
        yield from _texts(part)


def _check_images(document: AnyDocument) -> Iterator[Problem]:
    for key_path in image_paths(document.front_matter):
        if alt := document.front_matter.text(*key_path, "alt"):
            name, caption = (
                document.front_matter.text(*key_path, "file"),
                document.front_matter.text(*key_path, "caption"),
            )
            yield from _check_alt(
                document, document.front_matter.line_of(*key_path, "alt"), alt, name, caption
            )


def _check_alt(document: AnyDocument, line: int, alt: str, name: str, caption: str) -> Iterator[Problem]:
    if is_file_name(alt) or (
        name and alt.casefold() in {name.casefold(), name.rpartition(".")[0].casefold()}
    ):
        yield _error(
            document,
            line,
            "alt-is-file-name",
            gettext_noop(
                "the alt text %(alt)s is a file name, which screen readers would read out. Describe what "
                "the picture shows."
            )
            % {"alt": f"{alt!r}"},
        )
    if caption and alt.casefold() == caption.casefold():
        yield _error(
            document,
            line,
            "alt-repeats-caption",
            gettext_noop(
                "the alt text repeats the caption, so people using a screen reader would hear it twice. "
                "Describe what the picture shows."
            ),
        )
    if len(alt) > _MAX_ALT_LENGTH:
        yield _warning(
            document,
            line,
            "long-alt",
            gettext_noop(
                "the alt text has %(number)s characters, and a screen reader reads it without a pause. "
                "Keep it to %(most)s, and put the rest in the caption or the body."
            )
            % {"number": len(alt), "most": _MAX_ALT_LENGTH},
        )


def _check_links(document: AnyDocument) -> Iterator[Problem]:
    for text, _, line in _links_with_text(document):
        if is_vague_link_text(text):
            yield _warning(
                document,
                line,
                "vague-link",
                gettext_noop(
                    "“%(text)s” does not say where the link goes, and screen readers list links on their "
                    "own. Describe what the link leads to."
                )
                % {"text": text},
            )
        elif _BARE_URL.fullmatch(text):
            yield _warning(
                document,
                line,
                "bare-link",
                gettext_noop(
                    "screen readers read the address %(text)s out letter by letter. Write [text](%(text)s), "
                    "with text that says what it is."
                )
                % {"text": text},
            )


def _check_url(document: AnyDocument, url: str, line: int) -> Iterator[Problem]:
    """The problems of a link that works."""
    if find_link_fault(url):
        return
    if uses_link_shortener(url):
        yield _warning(
            document,
            line,
            "short-link",
            gettext_noop(
                "%(url)s is a shortened link: readers cannot see where it leads, and spam filters count "
                "it against the email. Use the address of the page itself."
            )
            % {"url": url},
        )
    elif url.lower().startswith("http://"):
        yield _warning(
            document,
            line,
            "plain-http",
            gettext_noop(
                "the link %(url)s is not encrypted, and browsers warn about such pages. Try it with "
                "https://, and use that if the page opens."
            )
            % {"url": url},
        )


def _check_body(document: AnyDocument) -> Iterator[Problem]:
    if not document.has_text:
        yield _error(
            document,
            document.front_matter.body_line,
            "empty-story",
            gettext_noop("the story has no text. Write some, or delete the story."),
        )
    if document.body.word_count > _MAX_STORY_WORDS:
        yield _warning(
            document,
            document.front_matter.body_line,
            "long-story",
            gettext_noop(
                "the story has %(number)s words, and few people read more than %(most)s. "
                "Shorten it, and link to the rest with read_more."
            )
            % {"number": document.body.word_count, "most": _MAX_STORY_WORDS},
        )


def _check_letter(document: AnyDocument) -> Iterator[Problem]:
    """The body is the letter: it needs a heading, and the heading needs a body."""
    if document.front_matter.values is None:
        return
    if "letter" in document.front_matter.values and not document.has_text:
        yield _error(
            document,
            document.front_matter.line_of("letter"),
            "empty-letter",
            gettext_noop("the letter has a heading but no text. Write its text, or delete the heading."),
        )
    if "letter" not in document.front_matter.values and document.has_text:
        yield _error(
            document,
            document.front_matter.body_line,
            "letter-without-heading",
            gettext_noop(
                "the body is the letter, but the letter has no heading. Add `letter` to the front "
                "matter, or delete the body."
            ),
        )


def _check_inbox(document: AnyDocument) -> Iterator[Problem]:
    """Check what an inbox shows: the subject and the preheader, by their width."""
    subject, preheader = document.front_matter.text("subject"), document.front_matter.text("preheader")
    line = document.front_matter.line_of("subject")
    if (columns := _display_width(subject)) > _MAX_SUBJECT_WIDTH:
        yield _warning(
            document,
            line,
            "long-subject",
            gettext_noop(
                "the subject has %(columns)s characters, and inboxes will cut it off. Keep it to %(most)s."
            )
            % {"columns": columns, "most": _MAX_SUBJECT_WIDTH},
        )
    if subject.isupper() and sum(letter.isupper() for letter in subject) >= 8:
        yield _warning(
            document,
            line,
            "shouting-subject",
            gettext_noop(
                "the subject is all in capitals, which spam filters count against the email. Use "
                "lower-case letters too."
            ),
        )
    if _ADVERTISING.search(subject):
        yield _warning(
            document,
            line,
            "loud-subject",
            gettext_noop(
                "the subject sounds like an advertisement, which spam filters count against the email. "
                "Say what is in the email, without exclamation marks or promises."
            ),
        )
    yield from _check_preheader(document, subject, preheader)


def _check_preheader(document: AnyDocument, subject: str, preheader: str) -> Iterator[Problem]:
    line, columns, (fewest, most) = (
        document.front_matter.line_of("preheader"),
        _display_width(preheader),
        _PREHEADER_WIDTHS,
    )
    if not preheader:
        return
    if _normalise(preheader) == _normalise(subject):
        yield _warning(
            document,
            line,
            "preheader-repeats-subject",
            gettext_noop(
                "the preheader repeats the subject, and inboxes show the two side by side. Say what else "
                "is in the email."
            ),
        )
    if not fewest <= columns <= most:
        yield _warning(
            document,
            line,
            "preheader-length",
            gettext_noop(
                "the preheader has %(columns)s characters. With fewer than %(fewest)s, inboxes add the "
                "first words of the email; with more than %(most)s, they cut it off. Write %(fewest)s to "
                "%(most)s."
            )
            % {"columns": columns, "fewest": fewest, "most": most},
        )


def _check_disabled_reasons(document: AnyDocument) -> Iterator[Problem]:
    """Check that every check that is switched off has a reason.

    A blank reason is left out of the values, but its line is known.
    """
    given = {switch.code for switch in read_disabled_checks(document.front_matter)}
    for key_path, line in document.front_matter.lines.items():
        if key_path[0] == CHECKS_KEY and len(key_path) == 2 and key_path[1] not in given:
            yield _error(
                document,
                line,
                "check-without-reason",
                gettext_noop(
                    "`%(code)s` is switched off without a reason, and the person who approves the "
                    "campaign needs one. Write it after the code."
                )
                % {"code": key_path[1]},
            )


def _check_duplicate_link_texts(
    found: Iterable[tuple[AnyDocument, Sequence[_LinkInList]]],
) -> Iterator[Problem]:
    """Check that links with the same text lead to the same page."""
    seen: dict[tuple[str, str], tuple[_LinkInList, str]] = {}
    for document, links in found:
        for link in links:
            first, where = seen.setdefault((document.language, link.normalised), (link, document.name))
            if first.url != link.url:
                yield _warning(
                    document,
                    link.line,
                    "same-link-words",
                    gettext_noop(
                        "“%(text)s” leads to a different page here than in %(where)s:%(line)s, and screen "
                        "readers read both links out the same. Say in each what it leads to."
                    )
                    % {"text": link.text, "where": where, "line": first.line},
                )


def _links_with_text(document: AnyDocument) -> list[tuple[str, str, int]]:
    """Text, address and line of every link of a file, in its body and below it."""
    front_matter = document.front_matter
    links = [(link.text, link.url, link.line) for link in _body_links(document)]
    for key_path in (*front_matter.item_paths("read_more"), ("button",), ("video",)):
        if what := front_matter.text(*key_path, "what"):
            links.append((what, front_matter.text(*key_path, "url"), front_matter.line_of(*key_path, "what")))
    return links


def _urls(document: AnyDocument) -> list[tuple[str, int]]:
    """Address and line of every link, including the accounts to follow."""
    front_matter = document.front_matter
    addresses = [(link.url, link.line) for link in _body_links(document)]
    listed = (*front_matter.item_paths("read_more"), *front_matter.item_paths("follow"))
    for key_path in (*listed, ("button",), ("video",)):
        if url := front_matter.text(*key_path, "url"):
            addresses.append((url, front_matter.line_of(*key_path, "url")))
    return addresses


def _body_links(document: AnyDocument) -> Iterator[BodyLink]:
    for rendered in (document.body, *document.introductions.values()):
        yield from rendered.links


def is_vague_link_text(text: str) -> bool:
    """Whether ``text`` means nothing as a link text, in any of our languages."""
    return _normalise(text) in _VAGUE_LINK_TEXTS


def is_file_name(text: str) -> bool:
    """Whether ``text`` is a file name as cameras and programs give them, not a description."""
    return bool(_FILE_NAME.fullmatch(text))


def _normalise(text: str) -> str:
    """``text`` for comparison: without capitals and without punctuation around it."""
    return unicodedata.normalize("NFKC", text).casefold().strip(" .,:;!?…»›>→()[]。！？：、")


def _display_width(text: str) -> int:
    """How wide ``text`` is shown: a Chinese, Japanese or Korean character counts as two."""
    return sum(2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1 for character in text)


def _error(document: AnyDocument, line: int, code: str, message: str) -> Problem:
    return Problem(path=document.name, line=line, level=Level.error, code=code, message=message)


def _warning(document: AnyDocument, line: int, code: str, message: str) -> Problem:
    return Problem(path=document.name, line=line, level=Level.warning, code=code, message=message)
