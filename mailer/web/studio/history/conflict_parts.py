"""The parts of a conflict as its page shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from editions.text_diff.merge import MergeChoice, MergeKind, MergePart
from editions.text_diff.words import WordChange, compare_words
from mailer.web.forms import Form
from mailer.web.plain_number import read_number

_CHOICE = "choice-"


@dataclass(frozen=True, kw_only=True)
class ShownPart:
    """A part of both texts. ``number`` is its place; ``mine`` and ``theirs`` are its words as they differ
    from what both began from. ``choice`` is what has been chosen of a conflict, "" for nothing yet."""

    number: int
    kind: MergeKind
    key: str
    mine: tuple[WordChange, ...]
    theirs: tuple[WordChange, ...]
    has_mine: bool
    has_theirs: bool
    choice: str


@dataclass(frozen=True, kw_only=True)
class PartGroup:
    """Parts that follow each other and are the same in both texts, or differ."""

    is_same: bool
    parts: tuple[ShownPart, ...]


def read_choices(form: Form, parts: Sequence[MergePart]) -> dict[int, MergeChoice]:
    """Read which text was chosen for each conflict; what is no choice is left out."""
    choices = {}
    for name, value in form.fields:
        number = read_number(name.removeprefix(_CHOICE)) if name.startswith(_CHOICE) else None
        if number is None or value not in list(MergeChoice):
            continue
        if number < len(parts) and parts[number].kind is MergeKind.conflict:
            choices[number] = MergeChoice(value)
    return choices


def show_parts(
    parts: Sequence[MergePart], choices: Mapping[int, MergeChoice], *, is_base_known: bool
) -> list[PartGroup]:
    """The parts for the page, those that are the same in both texts in groups that can be folded."""
    shown = [_show(number, part, choices, is_base_known=is_base_known) for number, part in enumerate(parts)]
    grouped = groupby(shown, key=lambda part: part.kind is MergeKind.same)
    return [PartGroup(is_same=is_same, parts=tuple(group)) for is_same, group in grouped]


def _show(
    number: int, part: MergePart, choices: Mapping[int, MergeChoice], *, is_base_known: bool
) -> ShownPart:
    base, mine, theirs = part.base_text.strip(), part.my_text.strip(), part.their_text.strip()
    choice = choices.get(number)
    return ShownPart(
        number=number,
        kind=part.kind,
        key=part.key,
        # Where nothing is known of what both began from, all words would be new ones.
        mine=compare_words(base if is_base_known else mine, mine),
        theirs=compare_words(base if is_base_known else theirs, theirs),
        has_mine=bool(mine),
        has_theirs=bool(theirs),
        choice=choice.value if choice is not None else "",
    )
