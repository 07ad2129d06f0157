"""Words in a chart are shortened and wrapped on the server."""

from hypothesis import given
from hypothesis import strategies as st

from mailer.web.report_pages.charts.svg import measure_label, shorten_label, wrap_label

TEXT = st.text(max_size=120)


@given(TEXT, st.integers(2, 60))
def test_a_shortened_label_fits_and_begins_as_it_did(text: str, width: int) -> None:
    shown = shorten_label(text, width)
    assert measure_label(shown) <= max(width, 3)
    assert " ".join(text.split()).startswith(shown.removesuffix("…").rstrip())


@given(TEXT, st.integers(4, 40), st.integers(1, 3))
def test_wrapped_lines_fit_and_lose_nothing_without_saying_so(text: str, width: int, lines: int) -> None:
    broken = wrap_label(text, width, lines=lines)
    assert len(broken) <= lines
    assert all(measure_label(line) <= width for line in broken)
    kept, whole = "".join("".join(broken).split()), "".join(text.split())
    assert kept == whole or (kept.endswith("…") and whole.startswith(kept[:-1]))


def test_a_long_name_is_broken_between_words() -> None:
    name = "Democratic People’s Republic of Korea"
    assert wrap_label(name, 20, lines=2) == ("Democratic People’s", "Republic of Korea")
    assert wrap_label(name, 14, lines=2) == ("Democratic", "People’s Repu…")


def test_a_chinese_character_is_as_wide_as_two_letters() -> None:
    assert measure_label("中国 CN") == 7
    assert shorten_label("中国联合国教科文组织", 9) == "中国联合…"
