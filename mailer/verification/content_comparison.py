"""Compares the words and links of a mail with those of an edition that was sent.

Every reader's mail has other stories in another order, and whoever passes a mail on adds words and loses
pictures. So what is compared are runs of three words: one that the edition has nowhere is not ours.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from mailer.rendering.archive_urls import verify_place
from mailer.rendering.body.merge_tags import TAG_PATTERN, MergeTag
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.verification.link_target import LinkTarget
from mailer.verification.word_stream import Token, read_html_tokens, read_text_tokens

_ANYTHING = "zzanythingzz"
"""Stands for what differs between readers: a name, a code, a number of stories."""

_LONGEST_VALUE = 12
_MARK = re.compile("\x1e[^\x1f]*\x1f")
_MIN_STRETCH = 5
"""So many words of ours in a row are where our mail begins, or ends, in one that was passed on."""

_MIN_COMPARED = 20
_LONG_RUN = 3
_DIGIT = re.compile(r"\d")


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
        """Compare one text of a mail with the edition.

        What stands around ours in a mail that ``is_passed_on`` belongs to whoever passed it on, and programs
        leave small traces in it, so only runs of three words, and numbers, count as other words there.
        """
        places = [place for place, token in enumerate(tokens) if token.word]
        words = [tokens[place].word for place in places]
        covered = self._cover(words)
        share = sum(covered) / len(words) if words else 0.0
        first, last = _find_stretches(covered) if is_passed_on else (0, len(words))
        runs = _list_runs(covered, first, last)
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
        """Whether a run stands where every reader's mail has something else."""
        if end - start > _LONGEST_VALUE:
            return False
        before, after = tuple(words[max(0, start - 2) : start]), tuple(words[end : end + 2])
        around = ((*before, _ANYTHING), (_ANYTHING, *after), (*before[-1:], _ANYTHING, *after[:1]))
        return any(triple in self.triples for triple in around)


def _find_stretches(covered: Sequence[bool]) -> tuple[int, int]:
    """Return where the first long run of our words begins, and where the last one ends."""
    runs = [run for run in _list_covered(covered) if run[1] - run[0] >= _MIN_STRETCH]
    return (runs[0][0], runs[-1][1]) if runs else (0, len(covered))


def _list_covered(covered: Sequence[bool]) -> list[tuple[int, int]]:
    return _list_runs([not one for one in covered], 0, len(covered))


def _list_runs(covered: Sequence[bool], first: int, last: int) -> list[tuple[int, int]]:
    """Return where the runs of words begin and end that are not covered, between ``first`` and ``last``."""
    runs, start = [], None
    for place in range(first, last):
        if covered[place]:
            if start is not None:
                runs.append((start, place))
            start = None
        elif start is None:
            start = place
    if start is not None:
        runs.append((start, last))
    return runs


def is_comparable(tokens: Sequence[Token], *, is_passed_on: bool) -> bool:
    """Whether a text says enough to be compared; a program may leave a short one beside the real one."""
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
