"""The links of an email whose clicks can be counted, and the email with their addresses replaced.

A reader's message then has ``BASE_URL/c/TOKEN/NUMBER`` in the place of an address. The token is the reader's,
so it is a tag; the number is the same for everybody and stays text. Only the HTML part is changed: in plain
text the address is what the reader reads, and must be the one that it leads to.

Links to our own pages stay as they are, except to the stories of a digest, which are what its readers choose
from. So does a link whose words are themselves an address: mail programs warn of fraud where the words name
one place and the link leads to another.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import unescape
from typing import NamedTuple, TypeAlias

from mailer.rendering.body.fragments import (
    ANY_TAG,
    TAG_PATTERN,
    Fragment,
    FragmentGroup,
    FragmentKind,
    LinkTag,
    MergeTag,
    Part,
    Parts,
    StoryCount,
)

_LABEL_CHARACTERS = 300
TYPICAL_TOKEN = 22
"""Characters of a token (:mod:`subscribers.click_tokens`) of a campaign with some sectors."""

# The elements that readers click, also those of Outlook's buttons in conditional comments. An attribute's
# value may contain any character but its own quotation mark.
_LINK = re.compile(
    r"""<(?P<element>a|area|v:\w+)(?=\s)(?:[^"'<>]|"[^"]*"|'[^']*')*?\shref="(?P<url>[^"]*)\""""
    r"""(?:[^"'<>]|"[^"]*"|'[^']*')*>"""
)
_END_OF_LINK = re.compile(r"</a\s*>")
_ALTERNATIVE = re.compile(r"""<img\b(?:[^"'<>]|"[^"]*"|'[^']*')*?\salt="([^"]*)\"""")
_MARKUP = re.compile(r"""<!--.*?-->|<(?:[^"'<>]|"[^"]*"|'[^']*')*>""", re.DOTALL)
_LINE_BREAK = re.compile(r"</?(?:br|div|h\d|img|li|p|span|table|t[dhr])\b", re.IGNORECASE)
# "Read on at https://…", "www.unesco.org/beijing" and "unesco.org", as the words of a link.
_ADDRESS = re.compile(
    r".*?(?:https?://|\bwww\.).*|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?:[/?#:]\S*)?\W*", re.IGNORECASE
)
_WEB = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)

_TAGS: Mapping[str, MergeTag | StoryCount | LinkTag] = {tag.value: tag for kind in ANY_TAG for tag in kind}

_Leaf: TypeAlias = str | MergeTag | StoryCount | LinkTag


class LinkKey(NamedTuple):
    """What makes two links of an email the same: the address (with placeholders) and the story's slug."""

    url: str
    story: str


class _Place(NamedTuple):
    """Where the address of a link stands in a piece of markup, the link, and what it says."""

    start: int
    end: int
    key: LinkKey
    label: str


def find_links(parts: Parts[str], base_url: str) -> Iterator[tuple[LinkKey, str]]:
    """Yield the links of an HTML part that do not lead to ``base_url``, each with what it says, in order."""
    for run, story in _walk_runs(parts, ""):
        for place in _find_places(_join(run), story):
            if _is_counted(place.key.url, base_url):
                yield place.key, place.label


def measure_growth(html: str, base_url: str) -> int:
    """Return how many bytes an HTML part grows by when its links are counted; negative if it shrinks."""
    token, number = "x" * TYPICAL_TOKEN, "00"
    counted = len(f"{base_url}/c/{token}/{number}")
    return sum(
        counted - len(html[place.start : place.end].encode())
        for place in _find_places(html, "")
        if _is_counted(place.key.url, base_url)
    )


def replace_links(parts: Parts[str], numbers: Mapping[LinkKey, int]) -> Parts[str]:
    """Return the HTML part with a numbered :class:`LinkTag` for each address in ``numbers``."""
    return _replace(parts, numbers, "")


def _is_counted(url: str, base_url: str) -> bool:
    if url.startswith(f"{base_url}/e/") and url.endswith(MergeTag.version.placeholder):
        return True
    is_own = url == base_url or url.startswith((f"{base_url}/", f"{base_url}?", f"{base_url}#"))
    return _WEB.match(url) is not None and not is_own and TAG_PATTERN.search(url) is None


def _walk_runs(parts: Parts[str], story: str) -> Iterator[tuple[Sequence[_Leaf], str]]:
    """Yield the texts and tags between fragments, with the story that they belong to."""
    run: list[_Leaf] = []
    for part in parts:
        inner = _list_fragments(part)
        if inner is None:
            run.append(part)  # type: ignore[arg-type] # no fragment, so a leaf
            continue
        yield run, story
        run = []
        for fragment in inner:
            yield from _walk_runs(fragment.parts, _story_in(fragment, story))
    yield run, story


def _replace(parts: Parts[str], numbers: Mapping[LinkKey, int], story: str) -> Parts[str]:
    replaced: list[Part[str]] = []
    run: list[_Leaf] = []
    for part in parts:
        inner = _list_fragments(part)
        if inner is None:
            run.append(part)  # type: ignore[arg-type] # no fragment, so a leaf
            continue
        replaced += _replace_in_run(run, numbers, story)
        run = []
        changed = tuple(
            Fragment(
                fragment.kind, fragment.key, _replace(fragment.parts, numbers, _story_in(fragment, story))
            )
            for fragment in inner
        )
        replaced.append(changed[0] if isinstance(part, Fragment) else FragmentGroup(changed))
    return (*replaced, *_replace_in_run(run, numbers, story))


def _list_fragments(part: Part[str]) -> Sequence[Fragment[str]] | None:
    if isinstance(part, Fragment):
        return (part,)
    return part.fragments if isinstance(part, FragmentGroup) else None


def _story_in(fragment: Fragment[str], story: str) -> str:
    return fragment.key if fragment.kind is FragmentKind.story else story


def _replace_in_run(run: Sequence[_Leaf], numbers: Mapping[LinkKey, int], story: str) -> Sequence[_Leaf]:
    markup = _join(run)
    pieces: list[str] = []
    end = 0
    for place in _find_places(markup, story):
        number = numbers.get(place.key)
        if number is not None:
            pieces += (markup[end : place.start], LinkTag.click_url.placeholder, f"/{number}")
            end = place.end
    return run if not pieces else _split("".join((*pieces, markup[end:])))


def _find_places(markup: str, story: str) -> Iterator[_Place]:
    for match in _LINK.finditer(markup):
        label = ""
        if match["element"] == "a":
            closing = _END_OF_LINK.search(markup, match.end())
            label = _read_label(markup[match.end() : closing.start() if closing else match.end()])
            if _ADDRESS.fullmatch(label):
                continue
        url = unescape(match["url"])
        yield _Place(match.start("url"), match.end("url"), LinkKey(url, story), label)


def _read_label(markup: str) -> str:
    """Return what a link says: its text, or else the description of its picture."""
    words = _squeeze(_MARKUP.sub(lambda tag: " " if _LINE_BREAK.match(tag[0]) else "", markup))
    if not words and (picture := _ALTERNATIVE.search(markup)):
        words = _squeeze(picture[1])
    return words[:_LABEL_CHARACTERS]


def _squeeze(markup: str) -> str:
    return " ".join(unescape(markup).split())


def _join(run: Iterable[_Leaf]) -> str:
    return "".join(leaf.placeholder if isinstance(leaf, ANY_TAG) else leaf for leaf in run)


def _split(markup: str) -> Sequence[_Leaf]:
    """Undo :func:`_join`."""
    leaves: list[_Leaf] = []
    end = 0
    for match in TAG_PATTERN.finditer(markup):
        leaves += (markup[end : match.start()], _TAGS[match[1]])
        end = match.end()
    leaves.append(markup[end:])
    return [leaf for leaf in leaves if leaf]
