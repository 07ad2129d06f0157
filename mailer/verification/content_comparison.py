"""The words and links of an edition and of a mail, and where they differ.

Two mails say the same if their words and links are the same, however programs have wrapped, quoted and
dressed them. Every reader's mail has other stories in another order, and whoever passes a mail on adds words
and loses pictures. So what is compared are runs of three words: one that the edition has nowhere is not ours.
Everything here takes time in proportion to the text, whatever it is.
"""

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from urllib.parse import parse_qs, unquote, urlsplit

from mailer.rendering.archive_urls import verify_place
from mailer.rendering.body.fragments import TAG_PATTERN, MergeTag
from mailer.rendering.compiled_edition import CompiledEdition

_MAX_UNWRAPPED = 4
# Browsers leave these out, and take a backslash for a slash.
_LEFT_OUT = re.compile(r"[\x00-\x20\x7f]+")
_SCHEME = re.compile(r"(https?|ftp):[/\\]*(.*)", re.IGNORECASE | re.DOTALL)
# The names of vocabularies are written like links, and lead nowhere.
_VOCABULARIES = frozenset({"www.w3.org", "schemas.microsoft.com", "schemas.openxmlformats.org"})
_SCRIPTS = ("javascript:", "vbscript:", "data:text/html")
_URL = re.compile(r"(?:https?|ftp):[/\\][^\s<>\"'）」】]{1,4000}", re.IGNORECASE)
# Letters and digits that belong together; Chinese, Japanese and Thai have no spaces, so each sign is a word.
_WORD = re.compile(
    r"[\u0e00-\u0eff\u2e80-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|"
    r"[^\W_\u0e00-\u0eff\u2e80-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_ATTRIBUTE = re.compile(
    r"(?:^|[\s\"'/])(?:xlink:)?(href|src|srcset|action|formaction|background|poster|data|content|style|alt)"
    r"\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)",
    re.IGNORECASE,
)
_STYLE_URL = re.compile(r"url\(\s*[\"']?([^\"')]{1,4000})", re.IGNORECASE)
_REFRESH = re.compile(r"^\s*\d+\s*[;,]\s*(?:url\s*=\s*)?[\"']?(.{1,4000})", re.IGNORECASE | re.DOTALL)
_UNSHOWN = ("style", "script", "title")
_PICTURES = frozenset({"src", "srcset", "background", "poster", "style"})
_ANYTHING = "zzanythingzz"
"""Stands for what differs between readers: a name, a code, a number of stories."""
_LONGEST_VALUE = 12
_MARK = re.compile("\x1e[^\x1f]*\x1f")
_MIN_STRETCH = 5
"""So many words of ours in a row are where our mail begins, or ends, in one that was passed on."""
_MIN_COMPARED = 20
_LONG_RUN = 3
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class LinkTarget:
    """A link: the ``host`` it leads to, in small letters, and the path there, "" for none. The host of a link
    that runs a program is ``script``."""

    host: str
    path: str
    is_picture: bool = False


def read_link(url: str, *, is_picture: bool = False) -> LinkTarget | None:
    """Read where ``url`` leads; None if nowhere else than in the mail itself, or to an address of mail."""
    text = _LEFT_OUT.sub("", url)
    if text.lower().startswith(_SCRIPTS):
        return LinkTarget("script", "", is_picture)
    for _ in range(_MAX_UNWRAPPED):
        split = _split(text)
        if split is None:
            return None
        host, path, query, fragment = split
        inner = _unwrap(host, path, query, fragment)
        if inner is None:
            break
        text = _LEFT_OUT.sub("", inner)
    if host in _VOCABULARIES:
        return None
    return LinkTarget(host, path.rstrip("/"), is_picture)


def _split(text: str) -> tuple[str, str, str, str] | None:
    match = _SCHEME.match(text)
    if match:
        rest = match[2].replace("\\", "/")
    elif text.replace("\\", "/").startswith("//"):
        rest = text.replace("\\", "/").lstrip("/")
    else:
        return None
    try:
        parts = urlsplit(f"https://{rest}")
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return "unreadable", "", "", ""
    if not host:
        return None
    try:
        host = host.encode("idna").decode("ascii")
    except UnicodeError:
        host = host[:253]
    return host, unquote(parts.path), parts.query, parts.fragment


def _unwrap(host: str, path: str, query: str, fragment: str) -> str | None:
    """Return the link that a gateway has put inside its own; None if it is no such link."""
    if host.endswith(".safelinks.protection.outlook.com"):
        return _query_value(query, "url")
    if host in ("www.google.com", "google.com") and path == "/url":
        return _query_value(query, "q") or _query_value(query, "url")
    if host.endswith(".googleusercontent.com") and fragment:
        # Gmail keeps a picture's own address behind the #.
        return fragment
    if host == "ecp.yusercontent.com":
        return _query_value(query, "url")
    if host.endswith("urldefense.proofpoint.com") and path.startswith("/v2/"):
        value = _query_value(query, "u")
        return unquote(value.replace("-", "%").replace("_", "/")) if value else None
    if host.endswith("urldefense.com") and path.startswith("/v3/"):
        match = re.match(r"/v3/__(.+?)__;", path)
        return re.sub(r"^(https?:)/+", r"\1//", match[1]) if match and "*" not in match[1] else None
    return None


def _query_value(query: str, name: str) -> str | None:
    try:
        values = parse_qs(query, max_num_fields=50).get(name)
    except ValueError:
        return None
    return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Token:
    """A word in small letters, or where a link leads."""

    word: str = ""
    link: LinkTarget | None = None


def read_text_tokens(text: str) -> Iterator[Token]:
    position = 0
    for match in _URL.finditer(text):
        yield from _list_words(text[position : match.start()])
        if (link := read_link(match[0].rstrip(".,;:!?)]}>*"))) is not None:
            yield Token(link=link)
        position = match.end()
    yield from _list_words(text[position:])


def read_html_tokens(source: str) -> Iterator[Token]:
    """Yield the words and links of an HTML text, also those in comments, which Outlook reads."""
    for kind, piece in _split_markup(source):
        if kind == "text":
            yield from read_text_tokens(html.unescape(piece))
        elif kind == "tag":
            yield from _read_tag(piece)
        else:
            for url in _URL.findall(html.unescape(piece)):
                yield from _make_link(url.rstrip(");,'\""), is_picture=True)


def _list_words(text: str) -> Iterator[Token]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return (Token(word=word) for word in _WORD.findall(folded))


def _split_markup(source: str) -> Iterator[tuple[str, str]]:
    """Yield (``text``, ``tag`` or ``hidden``, piece). What is not closed goes to the end."""
    position, lower = 0, source.lower()
    if len(lower) != len(source):
        lower = "".join(one.lower() if len(one.lower()) == 1 else one for one in source)
    while position < len(source):
        start = source.find("<", position)
        if start < 0:
            yield "text", source[position:]
            return
        if start > position:
            yield "text", source[position:start]
        if source.startswith("<!--", start):
            end = source.find("-->", start + 4)
            end = len(source) if end < 0 else end + 3
            yield "hidden", source[start:end]
        else:
            end = source.find(">", start)
            end = len(source) if end < 0 else end + 1
            name = lower[start + 1 : start + 9]
            unshown = next((word for word in _UNSHOWN if name.startswith(word)), "")
            yield "tag", source[start:end]
            if unshown:
                close = lower.find(f"</{unshown}", end)
                close = len(source) if close < 0 else close
                yield "hidden", source[end:close]
                end = close
        position = end


def _read_tag(tag: str) -> Iterator[Token]:
    is_picture = tag[1:4].lower() == "img"
    is_link = tag[1:2].lower() == "a" and tag[2:3].isspace()
    for match in _ATTRIBUTE.finditer(tag):
        name, value = match[1].lower(), html.unescape(match[2].strip("\"'"))
        if name == "alt":
            yield from _list_words(value)
        elif name == "style":
            for url in _STYLE_URL.findall(value):
                yield from _make_link(url, is_picture=True)
        elif name == "content":
            if refresh := _REFRESH.match(value):
                yield from _make_link(refresh[1], is_picture=False)
        elif name == "srcset":
            for entry in value.split(","):
                yield from _make_link(entry.split()[0] if entry.split() else "", is_picture=True)
        else:
            yield from _make_link(value, is_picture=is_picture or (name in _PICTURES and not is_link))


def _make_link(url: str, *, is_picture: bool) -> Iterator[Token]:
    link = read_link(url, is_picture=is_picture)
    if link is not None:
        yield Token(link=link)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """``share`` is how much of the words is ours, from 0 to 1. ``has_other_words`` and ``hosts`` tell of
    words and links in the midst of it that are not."""

    share: float
    has_other_words: bool = False
    hosts: tuple[str, ...] = ()


class EditionWords:
    """The words and links of one edition in one language."""

    def __init__(self, mail: CompiledEdition, base_url: str) -> None:
        streams = (
            tuple(read_html_tokens(_fill(mail, mail.html, base_url))),
            tuple(read_text_tokens(_fill(mail, _MARK.sub(" ", mail.text), base_url))),
        )
        words = [[token.word for token in stream if token.word] for stream in streams]
        self.triples = {triple for run in words for triple in zip(run, run[1:], run[2:], strict=False)}
        self.pairs = {pair for run in words for pair in pairwise(run)}
        self.single = {word for run in words for word in run}
        self.host = (urlsplit(base_url).hostname or "").lower()
        links = [token.link for stream in streams for token in stream if token.link]
        self.links = {(link.host, link.path) for link in links}
        # The pictures of an edition that was sent from another address stay there.
        self.picture_hosts = {link.host for link in links if link.is_picture}

    def has_link(self, link: LinkTarget) -> bool:
        if link.host == self.host or (link.host, link.path) in self.links:
            return True
        return link.is_picture and link.host in self.picture_hosts and link.path.startswith("/media/")

    def compare(self, tokens: Sequence[Token], *, is_passed_on: bool) -> Comparison:
        """Compare one text of a mail with the edition. What stands around ours in a mail that
        ``is_passed_on`` belongs to whoever passed it on, and programs leave small traces in it, so only runs
        of three words, and numbers, count as other words there.
        """
        places = [place for place, token in enumerate(tokens) if token.word]
        words = [tokens[place].word for place in places]
        covered = self._cover(words)
        share = sum(covered) / len(words) if words else 0.0
        first, last = _find_stretches(covered) if is_passed_on else (0, len(words))
        runs = [(first + a, first + b) for a, b in _list_runs(covered[first:last], is_covered=False)]
        others = [run for run in runs if self._is_other(words, run, is_lenient=is_passed_on)]
        start = places[first] if is_passed_on and first < len(places) else 0
        end = places[last - 1] + 1 if is_passed_on and last else len(tokens)
        hosts = [
            token.link.host for token in tokens[start:end] if token.link and not self.has_link(token.link)
        ]
        return Comparison(
            share=share,
            has_other_words=bool(others),
            hosts=tuple(dict.fromkeys(hosts)),
        )

    def _cover(self, words: Sequence[str]) -> list[bool]:
        """Return for each word whether it is part of three words of ours."""
        covered = [False] * len(words)
        for place, triple in enumerate(zip(words, words[1:], words[2:], strict=False)):
            if triple in self.triples:
                covered[place : place + 3] = (True, True, True)
        return covered

    def _is_other(self, words: Sequence[str], run: tuple[int, int], *, is_lenient: bool) -> bool:
        start, end = run
        inside = words[start:end]
        if self._is_value(words, start, end):
            return False
        has_number = any(map(_DIGIT.search, inside))
        # The title of a section between two stories that meet nowhere else.
        if not has_number and len(inside) == 1 and inside[0] in self.single:
            return False
        if not has_number and len(inside) == 2 and (inside[0], inside[1]) in self.pairs:
            return False
        return has_number or len(inside) >= _LONG_RUN or not is_lenient

    def _is_value(self, words: Sequence[str], start: int, end: int) -> bool:
        """Return whether a run stands where every reader's mail has something else."""
        if end - start > _LONGEST_VALUE:
            return False
        before, after = tuple(words[max(0, start - 2) : start]), tuple(words[end : end + 2])
        around = ((*before, _ANYTHING), (_ANYTHING, *after), (*before[-1:], _ANYTHING, *after[:1]))
        return any(triple in self.triples for triple in around)


def _find_stretches(covered: Sequence[bool]) -> tuple[int, int]:
    """Return where the first long run of our words begins, and where the last one ends."""
    runs = [run for run in _list_runs(covered, is_covered=True) if run[1] - run[0] >= _MIN_STRETCH]
    return (runs[0][0], runs[-1][1]) if runs else (0, len(covered))


def _list_runs(covered: Sequence[bool], *, is_covered: bool) -> Iterator[tuple[int, int]]:
    """Yield where the runs of words begin and end that are covered, or are not."""
    end = 0
    for kind, run in groupby(covered):
        start, end = end, end + len(list(run))
        if kind is is_covered:
            yield start, end


def is_comparable(tokens: Sequence[Token], *, is_passed_on: bool) -> bool:
    """Return whether a text is long enough; a program may leave a short one beside the real one."""
    words = sum(1 for token in tokens if token.word)
    return words >= _MIN_COMPARED or not is_passed_on


def _fill(mail: CompiledEdition, text: str, base_url: str) -> str:
    """Fill in the merge tags of ``text`` with what all readers have, or with what stands for anything."""
    values = {
        MergeTag.greeting.value: mail.greeting.replace("{name}", f" {_ANYTHING} "),
        MergeTag.verify_place.value: verify_place(base_url),
        MergeTag.version.value: "",
    }
    links = {tag.value for tag in MergeTag if tag.value.endswith("_url")}

    def write(match: re.Match[str]) -> str:
        return "" if match[1] in links else values.get(match[1], f" {_ANYTHING} ")

    return TAG_PATTERN.sub(write, text)
