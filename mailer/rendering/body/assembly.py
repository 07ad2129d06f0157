"""Encoding the pieces of a body for the transfer, and putting a reader's body together from them."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, zip_longest
from typing import NamedTuple, Self

from mailer.rendering.body.fragments import (
    Fragment,
    FragmentGroup,
    FragmentKind,
    LinkTag,
    MergeTag,
    Parts,
    StoryCount,
    T,
    map_texts,
    walk_texts,
)
from mailer.rendering.body.variants import StoryFacts, Variant

MAX_LINE = 76
"""Characters allowed in a line, without its line end (RFC 2045, sections 6.7 and 6.8)."""

# Values that quoted-printable leaves unchanged: visible ASCII without "=".
_PLAIN = re.compile(rb"(?!\.|From )[!-<>-~](?:[ -<>-~]{0,70}[!-<>-~])?")
_RISKY_START = re.compile(rb"^(?:\.|From )", re.MULTILINE)
SOFT_BREAK = b"=\r\n"
"""Ends a line of quoted-printable without ending a line of the text."""

# Bytes that quoted-printable leaves unchanged: all visible ASCII but "=", and space, tab and line ends.
_UNQUOTED = bytes(byte for byte in range(32, 127) if byte != ord("=")) + b"\t\r\n"


def prefers_base64(text: str) -> bool:
    """Return whether ``text`` is smaller in base64, as Chinese, Japanese and Korean are. Quoted-printable
    takes three characters for an escaped byte, base64 four for any three: with one byte in six escaped, they
    are equal."""
    data = text.encode()
    return len(data.translate(None, _UNQUOTED)) * 6 > len(data)


def encode_crlf(text: str) -> bytes:
    """Return ``text`` as UTF-8 with CRLF line ends. Raise ValueError if it contains a NUL."""
    if "\0" in text:
        raise ValueError("the body contains a NUL character")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\n", "\r\n").encode()


def encode_quoted_printable(data: bytes) -> bytes:
    """Return ``data`` (line ends CRLF) in quoted-printable, ending with a line end or a soft break."""
    if not data:
        return b""
    if _PLAIN.fullmatch(data):
        return data + SOFT_BREAK
    quoted = binascii.b2a_qp(data, istext=True)
    # b2a_qp ends soft breaks in the same way as the first line of the data: with LF if there is none.
    quoted = quoted.replace(b"\r\n", b"\n")
    if _RISKY_START.search(quoted):
        quoted = b"\n".join(map(_escape_line_start, quoted.split(b"\n")))
    if not quoted.endswith(b"\n"):
        body, end, last = quoted.rpartition(b"\n")
        quoted = body + end + _break_line(last, MAX_LINE - 1) + b"=\n"
    return quoted.replace(b"\n", b"\r\n")


def _escape_line_start(line: bytes) -> bytes:
    """Return ``line`` with its first character escaped where it must not begin a line."""
    if not _RISKY_START.match(line):
        return line
    return _break_line(b"=%02X" % line[0] + line[1:], MAX_LINE)


def _break_line(line: bytes, longest: int) -> bytes:
    """Return ``line`` with a soft break if it is too long: not in an escape, nor before what must not start
    one."""
    if len(line) <= longest:
        return line
    cut = next(
        place
        for place in range(MAX_LINE - 4, 0, -1)
        if b"=" not in line[place - 2 : place] and not _RISKY_START.match(line[place:])
    )
    return line[:cut] + b"=\n" + line[cut:]


def encode_base64(data: bytes) -> bytes:
    """Return ``data`` in base64, in lines of 76 characters that each end with CRLF."""
    whole = binascii.b2a_base64(data, newline=False)
    return b"".join(whole[start : start + MAX_LINE] + b"\r\n" for start in range(0, len(whole), MAX_LINE))


class Base64Piece:
    """A piece of a base64 body. Its position determines how its bytes fall into groups of three, so there are
    three encodings of it, each made when first needed."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._shifted: list[tuple[bytes, bytes, bytes] | None] = [None, None, None]

    def encode_after(self, carried: int) -> tuple[bytes, bytes, bytes]:
        """Return what completes a group of ``carried`` bytes, the encoded middle, and the rest."""
        found = self._shifted[carried]
        if found is None:
            head = -carried % 3
            tail = len(self.data) - (len(self.data) - head) % 3
            found = self.data[:head], encode_base64(self.data[head:tail]), self.data[tail:]
            self._shifted[carried] = found
        return found


def join_base64(pieces: Sequence[Base64Piece | bytes]) -> bytes:
    """Return the base64 of all ``pieces`` together; those that are bytes are encoded here."""
    written: list[bytes] = []
    carried = b""
    for piece in pieces:
        if isinstance(piece, bytes) or len(piece.data) < 3:
            carried += piece if isinstance(piece, bytes) else piece.data
            whole = len(carried) - len(carried) % 3
            if whole:
                written.append(encode_base64(carried[:whole]))
                carried = carried[whole:]
            continue
        head, middle, tail = piece.encode_after(len(carried))
        if carried:
            written.append(base64.b64encode(carried + head) + b"\r\n")
        written.append(middle)
        carried = tail
    if carried:
        written.append(base64.b64encode(carried) + b"\r\n")
    return b"".join(written)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a variant contains: its stories and sections with their positions. ``numbers`` has the number of
    stories in each section, as digits and as words; a section that is not in it is left out."""

    stories: Mapping[str, int]
    sections: Mapping[str, int]
    all_sections: frozenset[str]
    numbers: Mapping[str, tuple[str, str]]
    named: bool

    def arrange_fragments(self, fragments: Sequence[Fragment[T]]) -> list[Fragment[T]]:
        """Return the ``fragments`` of a group that the variant contains, in its order."""
        kind = fragments[0].kind
        if kind is FragmentKind.story:
            return _arrange(fragments, self.stories)
        if kind is FragmentKind.section:
            return _arrange(fragments, self.sections)
        return self._arrange_entries(fragments)

    def _arrange_entries(self, fragments: Sequence[Fragment[T]]) -> list[Fragment[T]]:
        """Return the contents: those without a section stay first, the column break goes in the middle."""
        middle = [fragment for fragment in fragments if fragment.kind is FragmentKind.middle]
        entries = [fragment for fragment in fragments if fragment.kind is FragmentKind.entry]
        fixed = [fragment for fragment in entries if fragment.key not in self.all_sections]
        shown = fixed + _arrange(entries, self.sections)
        half = (len(shown) + 1) // 2
        return shown[:half] + middle + shown[half:]

    def format_count(self, count: StoryCount, section: str) -> str:
        digits, words = self.numbers.get(section, ("0", ""))
        return digits if count is StoryCount.number else words


def _arrange(fragments: Sequence[Fragment[T]], places: Mapping[str, int]) -> list[Fragment[T]]:
    return sorted(
        (fragment for fragment in fragments if fragment.key in places),
        key=lambda fragment: places[fragment.key],
    )


def select_fragments(
    variant: Variant, facts: Sequence[StoryFacts], *, one_story: str, many_stories: str
) -> Selection:
    """Return the selection for ``variant`` from these stories; the phrases are for counting them."""
    section_of = {story.slug: story.section for story in facts}
    found: dict[str, int] = {}
    for slug in variant.stories:
        found[section_of[slug]] = found.get(section_of[slug], 0) + 1
    return Selection(
        stories={slug: place for place, slug in enumerate(variant.stories)},
        sections={key: place for place, key in enumerate(found)},
        all_sections=frozenset(section_of.values()),
        numbers={
            key: (str(number), one_story if number == 1 else many_stories.format(count=number))
            for key, number in found.items()
        },
        named=variant.named,
    )


def walk_selected(
    parts: Parts[T], selection: Selection, write: Callable[[str], T], section: str = ""
) -> Iterator[T | MergeTag | LinkTag]:
    """Yield the texts and merge tags of the selection in its order, and what ``write`` makes of numbers."""
    for part in parts:
        if isinstance(part, FragmentGroup):
            for fragment in selection.arrange_fragments(part.fragments):
                inner = section if fragment.kind is FragmentKind.story else fragment.key
                yield from walk_selected(fragment.parts, selection, write, inner)
        elif isinstance(part, Fragment):
            if selection.named:
                yield from walk_selected(part.parts, selection, write, section)
        elif isinstance(part, StoryCount):
            yield write(selection.format_count(part, section))
        else:
            yield part


def join_text(parts: Parts[str], selection: Selection, *, markup: bool, section: str = "") -> str:
    """Return the selection as text with placeholders; ``parts`` are inside ``section`` if that is given."""
    leaves = walk_selected(parts, selection, escape if markup else str, section)
    return "".join(leaf.placeholder if isinstance(leaf, MergeTag | LinkTag) else leaf for leaf in leaves)


class StorySpan(NamedTuple):
    """Where the story ``slug`` starts and ends in a joined email, counted in characters."""

    start: int
    end: int
    slug: str


def locate_stories(parts: Parts[str], selection: Selection, *, markup: bool) -> tuple[StorySpan, ...]:
    """Return where each story is in what :func:`join_text` makes of the same arguments, in order."""
    spans: list[StorySpan] = []
    _measure(parts, selection, "", 0, spans, markup=markup)
    return tuple(spans)


def _measure(
    parts: Parts[str], selection: Selection, section: str, place: int, spans: list[StorySpan], *, markup: bool
) -> int:
    """Add the stories of ``parts``, which begin at ``place``, to ``spans``; return where they end."""
    for part in parts:
        if isinstance(part, FragmentGroup):
            for fragment in selection.arrange_fragments(part.fragments):
                start = place
                inner = section if fragment.kind is FragmentKind.story else fragment.key
                place = _measure(fragment.parts, selection, inner, place, spans, markup=markup)
                if fragment.kind is FragmentKind.story:
                    spans.append(StorySpan(start, place, fragment.key))
        else:
            place += len(join_text((part,), selection, markup=markup, section=section))
    return place


class EncodedBody:
    """One part of an email (HTML or plain text), with its fragments transfer-encoded once. Quoted-printable
    pieces can be joined as they are. Base64 does not allow that: its pieces are kept as bytes, and the text
    between two merge tags is encoded once per variant."""

    def __init__(self, parts: Parts[str], *, markup: bool) -> None:
        self._markup = markup
        self._is_base64 = prefers_base64("".join(walk_texts(parts)))
        self._parts: Parts[bytes] = map_texts(parts, self._encode)

    @property
    def encoding(self) -> str:
        return "base64" if self._is_base64 else "quoted-printable"

    def _encode(self, text: str) -> bytes:
        data = encode_crlf(text)
        return data if self._is_base64 else encode_quoted_printable(data)

    def encode_value(self, value: str) -> bytes:
        """Return a merge tag's value, escaped and encoded. Raise ValueError if it contains a NUL."""
        return self._encode(escape(value) if self._markup else value)

    def make_template(
        self, selection: Selection, fixed: Mapping[MergeTag, str], varying: Sequence[MergeTag | LinkTag]
    ) -> "BodyTemplate":
        """Return the body of a variant. Merge tags in ``fixed`` are the same for all its readers and are
        filled in now; those in ``varying`` are filled in for each reader, by values in this order."""
        pieces: list[list[bytes]] = [[]]
        places: list[int] = []
        for leaf in walk_selected(self._parts, selection, self.encode_value):
            if isinstance(leaf, bytes):
                pieces[-1].append(leaf)
            elif isinstance(leaf, MergeTag) and leaf in fixed:
                pieces[-1].append(self.encode_value(fixed[leaf]))
            else:
                places.append(varying.index(leaf))
                pieces.append([])
        sheet = Base64BodyTemplate if self._is_base64 else BodyTemplate
        return sheet([b"".join(run) for run in pieces], places)


class BodyTemplate:
    """One part of a variant's email, encoded, with places for its readers' values: ``pieces`` surround the
    merge tags, and ``places`` are the index of the reader's value for each."""

    def __init__(self, pieces: Sequence[bytes], places: Sequence[int]) -> None:
        self._texts = tuple(pieces)
        self._places = tuple(places)
        # Pieces at even indexes, the places for values between them.
        self._frame = [b""] * (2 * len(pieces) - 1)
        self._frame[::2] = pieces

    def fill(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Return one reader's encoded body in pieces; :meth:`EncodedBody.encode_value` made ``values``."""
        filled = self._frame.copy()
        filled[1::2] = [values[place] for place in self._places]
        return filled

    def fix(self, place: int, value: bytes) -> Self:
        """This template with ``value`` filled in wherever the value of that index goes."""
        runs, places = [[self._texts[0]]], []
        for index, text in zip(self._places, self._texts[1:], strict=True):
            if index == place:
                runs[-1] += (value, text)
            else:
                places.append(index)
                runs.append([text])
        return type(self)([b"".join(run) for run in runs], places)


class Base64BodyTemplate(BodyTemplate):
    """A body template in base64, where a value shifts everything after it by up to two bytes."""

    def __init__(self, pieces: Sequence[bytes], places: Sequence[int]) -> None:
        super().__init__(pieces, places)
        self._pieces = tuple(map(Base64Piece, pieces))

    def fill(self, values: Sequence[bytes]) -> Sequence[bytes]:
        filled = [values[place] for place in self._places]
        pairs = zip_longest(self._pieces, filled, fillvalue=b"")
        return (join_base64(tuple(chain.from_iterable(pairs))),)
