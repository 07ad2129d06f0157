"""Texts as people write them, and versions of them as people change them."""

from hypothesis import strategies as st

_WORDS = st.sampled_from(
    ["water", "is", "clean", "很好", "水", "**bold**", "2021.", "the", "a", "of", "–", "「引」"]
)
_SENTENCES = st.lists(_WORDS, min_size=1, max_size=8).map(" ".join)
_LINES = st.one_of(
    _SENTENCES,
    _SENTENCES.map("- {}".format),
    _SENTENCES.map("## {}".format),
    _SENTENCES.map("> {}".format),
    _SENTENCES.map("title: {}".format),
    st.sampled_from(["", "", "---", "```", "~~~~", "   indented", "1. one", "| a | b |", "# comment", " "]),
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=80),
    st.lists(_LINES, max_size=14).map("\n".join),
    st.lists(_LINES, max_size=14).map(lambda lines: "---\ntitle: A\n---\n" + "\n\n".join(lines) + "\n"),
)


@st.composite
def versions(draw: st.DrawFn, number: int) -> tuple[str, ...]:
    """A text and ``number`` others that were made from it by changing a few lines."""
    base = draw(TEXTS)
    return (base, *(_change(draw, base) for _ in range(number)))


def _change(draw: st.DrawFn, base: str) -> str:
    lines = base.split("\n")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines)))
        removed = draw(st.integers(0, 2))
        lines[at : at + removed] = draw(st.lists(_LINES, max_size=2))
    return "\n".join(lines)
