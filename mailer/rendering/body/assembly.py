"""Assembling: from the slices of a compiled mail to the mail of one variant, by joining.

The same walk serves text, for whoever looks at a mail, and transfer-encoded bytes, for the wire.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, zip_longest

from mailer.rendering.body.fragments import Parts, Run, Slice, SliceKind, T, map_texts, walk_texts
from mailer.rendering.body.merge_tags import Count, Hole
from mailer.rendering.body.transfer_encoding import (
    Base64Piece,
    canonical_lines,
    join_base64,
    prefers_base64,
    quote_piece,
)
from mailer.rendering.body.variants import StoryFacts, Variant


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a variant takes of a mail: the places of its stories and sections, and what it counts.

    ``numbers`` has the stories of each section as digits and as words; a section that is not in it is gone.
    """

    stories: Mapping[str, int]
    sections: Mapping[str, int]
    all_sections: frozenset[str]
    numbers: Mapping[str, tuple[str, str]]
    named: bool

    def arrange(self, slices: Sequence[Slice[T]]) -> list[Slice[T]]:
        """Those of ``slices``, a run, that the variant has, in its order."""
        kind = slices[0].kind
        if kind is SliceKind.story:
            return _arrange(slices, self.stories)
        if kind is SliceKind.section:
            return _arrange(slices, self.sections)
        return self._arrange_entries(slices)

    def _arrange_entries(self, slices: Sequence[Slice[T]]) -> list[Slice[T]]:
        """The contents: entries of no section (the letter's) stay in front, the middle goes to the middle."""
        middle = [one for one in slices if one.kind is SliceKind.middle]
        entries = [one for one in slices if one.kind is SliceKind.entry]
        fixed = [one for one in entries if one.key not in self.all_sections]
        shown = fixed + _arrange(entries, self.sections)
        half = (len(shown) + 1) // 2
        return shown[:half] + middle + shown[half:]

    def count(self, count: Count, section: str) -> str:
        digits, words = self.numbers.get(section, ("0", ""))
        return digits if count is Count.number else words


def _arrange(slices: Sequence[Slice[T]], places: Mapping[str, int]) -> list[Slice[T]]:
    return sorted((one for one in slices if one.key in places), key=lambda one: places[one.key])


def select(variant: Variant, facts: Sequence[StoryFacts], *, one_story: str, many_stories: str) -> Selection:
    """The selection of ``variant`` from an edition with these stories; the phrases count them."""
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


@dataclass(frozen=True)
class Counted:
    """A number of the variant, in words or digits, where the mail says it."""

    text: str


def walk_selected(parts: Parts[T], selection: Selection, section: str = "") -> Iterator[T | Hole | Counted]:
    """The texts and holes of ``parts`` that the selection takes, in its order."""
    for part in parts:
        if isinstance(part, Run):
            for one in selection.arrange(part.slices):
                inner = section if one.kind is SliceKind.story else one.key
                yield from walk_selected(one.parts, selection, inner)
        elif isinstance(part, Slice):
            if selection.named:
                yield from walk_selected(part.parts, selection, section)
        elif isinstance(part, Count):
            yield Counted(selection.count(part, section))
        else:
            yield part


def join_text(parts: Parts[str], selection: Selection, *, markup: bool) -> str:
    """The mail of the selection as text, its holes as marks."""
    return "".join(_as_text(leaf, markup=markup) for leaf in walk_selected(parts, selection))


def _as_text(leaf: str | Hole | Counted, *, markup: bool) -> str:
    if isinstance(leaf, Hole):
        return leaf.mark
    if isinstance(leaf, Counted):
        return escape(leaf.text) if markup else leaf.text
    return leaf


class EncodedBody:
    """One part of a mail (HTML or plain text), its slices transfer-encoded once.

    Quoted-printable pieces are joined as they are. Base64, for mainly Chinese, Japanese or Korean parts,
    does not allow that: there the pieces stay bytes, and what stands between two holes is encoded once per
    variant.
    """

    def __init__(self, parts: Parts[str], *, markup: bool) -> None:
        self._markup = markup
        self._is_base64 = prefers_base64("".join(walk_texts(parts)))
        self._parts: Parts[bytes] = map_texts(parts, self._encode)

    @property
    def encoding(self) -> str:
        """The Content-Transfer-Encoding."""
        return "base64" if self._is_base64 else "quoted-printable"

    def _encode(self, text: str) -> bytes:
        data = canonical_lines(text)
        return data if self._is_base64 else quote_piece(data)

    def encode_value(self, value: str) -> bytes:
        """A value for a hole, escaped for this part and encoded.

        Raises:
            ValueError: it holds a NUL.
        """
        return self._encode(escape(value) if self._markup else value)

    def lay_out(self, selection: Selection, fixed: Mapping[Hole, str], varying: Sequence[Hole]) -> "Sheet":
        """The body of a variant. Holes in ``fixed`` are the same for all its readers and filled now; those in
        ``varying`` are filled for each, by values in this order."""
        pieces: list[list[bytes]] = [[]]
        places: list[int] = []
        for leaf in walk_selected(self._parts, selection):
            if isinstance(leaf, bytes):
                pieces[-1].append(leaf)
            elif isinstance(leaf, Counted):
                pieces[-1].append(self.encode_value(leaf.text))
            elif leaf in fixed:
                pieces[-1].append(self.encode_value(fixed[leaf]))
            else:
                places.append(varying.index(leaf))
                pieces.append([])
        sheet = Base64Sheet if self._is_base64 else Sheet
        return sheet([b"".join(run) for run in pieces], places)


class Sheet:
    """One part of a variant's mail, encoded, with holes for its readers.

    ``pieces`` stand around the holes, one more of them; ``places`` say for each hole which of a reader's
    values fills it.
    """

    def __init__(self, pieces: Sequence[bytes], places: Sequence[int]) -> None:
        self._places = tuple(places)
        # Pieces at even places, their values' places between them.
        self._frame = [b""] * (2 * len(pieces) - 1)
        self._frame[::2] = pieces

    def fill(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """The encoded body of one reader, in pieces to join; the values as :meth:`EncodedBody.encode_value`
        makes them."""
        filled = self._frame.copy()
        filled[1::2] = [values[place] for place in self._places]
        return filled


class Base64Sheet(Sheet):
    """A sheet in base64, where a value shifts all that comes after it by up to two bytes."""

    def __init__(self, pieces: Sequence[bytes], places: Sequence[int]) -> None:
        super().__init__(pieces, places)
        self._pieces = tuple(map(Base64Piece, pieces))

    def fill(self, values: Sequence[bytes]) -> Sequence[bytes]:
        filled = [values[place] for place in self._places]
        pairs = zip_longest(self._pieces, filled, fillvalue=b"")
        return (join_base64(tuple(chain.from_iterable(pairs))),)
