"""Front matter is changed key by key; nothing else of the file is touched."""

import difflib
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editions.changes.front_matter_change import FieldChanges, change_front_matter, read_fields
from editions.errors import FrontMatterError
from editions.source.yaml_parser import YamlValue
from editions.unsafe_characters import remove_unsafe_characters
from tests.paths import ROOT

SAMPLE = ROOT / "editions" / "samples"
TEXT = """\
---
# Made from a document.
title: A year of water  # As in the masthead.
number: 2021-2
period: 'It''s autumn'
subject:   # To do: what inboxes show.
preheader: >-
    Rivers, lakes
    and wells

  # It must not be longer.
countries: [ JP,KR ]
letter:
  title: Dear partners
  # Who signs it.
  name: >
    Ann
    Author
follow:
  - name: WeChat
    handle: water
    # Here may be a url.
  - name: Weibo
    handle: "@water"
#form: digest
plain: this
  goes on  # here
---

The body: `title: no`.
---
"""


def list_changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that a change took out and those that it put in."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [line[2:] for line in lines if line[0] == "-"], [line[2:] for line in lines if line[0] == "+"]


@pytest.mark.parametrize(
    ("changes", "gone", "new"),
    [
        (
            {"title": "Wells"},
            ["title: A year of water  # As in the masthead."],
            ["title: Wells  # As in the masthead."],
        ),
        ({"period": "It's May"}, ["period: 'It''s autumn'"], ["period: 'It''s May'"]),
        ({"number": "1.10"}, ["number: 2021-2"], ['number: "1.10"']),
        (
            {"subject": "Water"},
            ["subject:   # To do: what inboxes show."],
            ["subject: Water  # To do: what inboxes show."],
        ),
        ({"subject": None}, [], []),
        (
            {"title": None},
            ["title: A year of water  # As in the masthead."],
            ["title:  # As in the masthead."],
        ),
        ({"number": ""}, ["number: 2021-2"], []),
        ({"countries": ["NO", "MN"]}, ["countries: [ JP,KR ]"], ["countries: [NO, MN]"]),
        ({"letter.title": "Friends"}, ["  title: Dear partners"], ["  title: Friends"]),
        ({"letter.titles": ["Director"]}, [], ["  titles: [Director]"]),
        ({"follow.0.handle": "@wells"}, ["    handle: water"], ['    handle: "@wells"']),
        ({"follow.1.url": "https://e.org/#w"}, [], ["    url: https://e.org/#w"]),
        ({"date": "2026-01-02", "language": "mn"}, [], ["date: 2026-01-02", "language: mn"]),
        ({"form": "digest"}, [], ["form: digest"]),
        (
            {"preheader": "One\nTwo"},
            ["preheader: >-", "    Rivers, lakes", "    and wells"],
            ["preheader: |-", "    One", "    Two"],
        ),
        ({"plain": "yes: no"}, ["plain: this", "  goes on  # here"], ['plain: "yes: no"  # here']),
        (
            {"introductions.culture": "First.\n\n*Second.*"},
            [],
            ["introductions:", "  culture: |-", "    First.", "", "    *Second.*"],
        ),
    ],
)
def test_only_the_lines_of_a_changed_key_change(
    changes: FieldChanges, gone: list[str], new: list[str]
) -> None:
    assert list_changed(TEXT, change_front_matter(TEXT, changes)) == (gone, new)


def test_new_keys_stand_where_the_schema_has_them() -> None:
    changed = change_front_matter(TEXT, {"date": "2026-01-02", "checks.long-story": "why", "other": "x"})
    keys = [line.split(":")[0] for line in changed.splitlines() if line[:1].isalpha()]
    assert keys == [
        "title", "number", "period", "date", "subject", "preheader", "countries", "letter", "follow",
        "checks", "plain", "other", "The body",
    ]  # fmt: skip


def test_a_new_key_stands_at_its_example_after_a_number_sign() -> None:
    lines = change_front_matter(TEXT, {"form": "digest"}).splitlines()
    assert lines[lines.index("#form: digest") - 1] == "form: digest"


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    windows = "\ufeff" + TEXT.replace("\n", "\r\n")
    changed = change_front_matter(windows, {"title": "Wells", "preheader": "One\nTwo", "date": "2026-01-02"})
    assert changed.startswith("\ufeff---\r\n")
    assert changed.count("\n") == changed.count("\r\n")
    assert changed.replace("\r\n", "\n")[1:] == change_front_matter(
        TEXT, {"title": "Wells", "preheader": "One\nTwo", "date": "2026-01-02"}
    )


def test_a_control_character_elsewhere_stays_and_one_in_a_value_goes() -> None:
    written = TEXT.replace("autumn", "au\x07tumn").replace("Weibo", "Wei\u2028bo")
    changed = change_front_matter(written, {"title": "We\x00lls\u202e"})
    assert changed == written.replace("A year of water", "Wells")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("# Title\n\nBody", "no-front-matter"),
        ("", "no-front-matter"),
        ("---\ntitle: x\n", "open-front-matter"),
        ("---\ntitle: [x\n---\n", "yaml-syntax"),
        ("---\ntitle: &a x\nother: *a\n---\n", "yaml-anchor"),
        ("---\n- x\n---\n", "no-keys"),
    ],
)
def test_front_matter_that_cannot_be_read_is_refused_with_its_line(text: str, code: str) -> None:
    with pytest.raises(FrontMatterError) as raised:
        change_front_matter(text, {"title": "y"})
    assert raised.value.code == code
    assert str(raised.value).startswith("Line ")


def test_a_text_is_not_lost_for_keys_that_should_be_below_it() -> None:
    with pytest.raises(FrontMatterError, match="indented keys"):
        change_front_matter("---\nimage: a.jpg\n---\n", {"image.alt": "A picture"})


@pytest.mark.parametrize(
    "text", ["---\n---\nBody", "---\n# A note\n\n---\nBody", "---\n{title: x, sector: y}\n---\nBody"]
)
def test_front_matter_without_lines_of_keys_gets_them(text: str) -> None:
    changed = change_front_matter(text, {"title": "New", "image.file": "a.jpg"})
    assert read_fields(changed) == {**read_fields(text), "title": "New", "image": {"file": "a.jpg"}}
    assert changed.endswith("---\nBody")
    assert ("# A note" in text) == ("# A note" in changed)


def test_a_key_that_is_given_twice_is_refused_when_it_would_not_read_back() -> None:
    text = "---\ntitle: One\nimage: {file: a, file: b}\ntitle: Two\n---\n"
    assert read_fields(change_front_matter(text, {"title": "Three"})) == {
        "title": "Three",
        "image": {"file": "a"},
    }


TEXTS = st.one_of(
    st.sampled_from(
        [
            "yes",
            "NO",
            "null",
            "~",
            "1.10",
            "0x1F",
            "2021-12-31",
            "- x",
            "? x",
            "a: b",
            "a #b",
            "#",
            "@x",
            "`x",
            "%x",
            "&a",
            "*a",
            "!x",
            "|",
            ">-",
            "[x",
            "{x",
            "x]",
            "'",
            '"',
            "\\",
            "a\\nb",
            "---",
            "...",
            "“引号”",
            " x ",
            "x\ny",
            "x\n\ny\n",
            "\nx",
            "x\n",
            "  x\ny",
            "x\t",
            "\tx\ny",
            "x:\ny",
            "é\u00a0!",
            "\ufeffx",
            "🎉",
            "key: |\n  a",
            "x\n# y",
            "x\n---\ny",
        ]
    ),
    st.text(max_size=60),
    st.text(alphabet="ab :#-'\"\n\t|>[]{},&*!%@`\\?\r\u00a0", max_size=30),
)
KEYS = st.sampled_from(["title", "sector", "a b", "yes", "1", "x: y", "#k", "long-story", "“”"])
VALUES: st.SearchStrategy[YamlValue] = st.one_of(
    TEXTS,
    st.lists(TEXTS, max_size=4),
    st.dictionaries(KEYS, TEXTS, max_size=3),
    st.lists(st.dictionaries(KEYS, TEXTS, max_size=3), max_size=3),
)
CHOSEN_KEYS = """
    title number period subject preheader countries letter follow plain letter.title letter.name letter.titles
    follow.0.name follow.1.handle follow.1.url image image.alt introductions.culture everyone new
"""
CHOSEN = st.sampled_from(CHOSEN_KEYS.split())


def clean(value: YamlValue) -> YamlValue:
    """``value`` as it should be read back: without what is empty and what no email may have."""
    if isinstance(value, str):
        return remove_unsafe_characters(
            value.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        )
    if isinstance(value, list):
        return [item for item in map(clean, value) if is_written(item)]
    cleaned = {key: clean(inner) for key, inner in value.items()}
    return {key: inner for key, inner in cleaned.items() if is_written(inner)}


INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"


def is_written(value: YamlValue) -> bool:
    if isinstance(value, str):
        return any(not sign.isspace() and sign not in INVISIBLE for sign in value)
    return bool(value)


def find_value(values: YamlValue, path: str) -> YamlValue:
    for part in path.split("."):
        if isinstance(values, list):
            values = values[int(part)]
        else:
            values = values.get(part, "") if isinstance(values, dict) else ""
    return values


@settings(deadline=None, max_examples=200)
@given(path=CHOSEN, value=VALUES)
def test_what_is_written_is_read_back_and_the_rest_stays(path: str, value: YamlValue) -> None:
    changed = change_front_matter(TEXT, {path: value})
    expected = clean(value)
    if is_written(expected) or not isinstance(expected, str):
        assert find_value(read_fields(changed), path) == (expected or "")
    top = path.partition(".")[0]
    before, after = read_fields(TEXT), read_fields(changed)
    assert {key: it for key, it in before.items() if key != top} == {
        key: it for key, it in after.items() if key != top
    }
    assert change_front_matter(changed, {path: value}) == changed
    gone, _ = list_changed(TEXT, changed)
    assert all(is_of_key(line, top) for line in gone), gone
    assert changed.endswith("---\n\nThe body: `title: no`.\n---\n")


def is_of_key(line: str, top: str) -> bool:
    """Whether a line of the text belongs to the key ``top``."""
    lines = TEXT.splitlines()
    owners: dict[str, str] = {}
    owner = ""
    for each in lines:
        owner = each.split(":")[0] if each[:1].isalpha() else owner
        owners[each] = owner
    return owners[line] == top


@pytest.mark.parametrize("path", sorted(SAMPLE.rglob("*.md")), ids=lambda path: path.name)
def test_every_file_of_the_sample_keeps_its_bytes_but_those_of_the_title(path: Path) -> None:
    text = path.read_bytes().decode()
    title = read_fields(text)["title"]
    assert change_front_matter(text, {"title": title}) == text
    gone, new = list_changed(text, change_front_matter(text, {"title": "A new title"}))
    assert (len(gone), [line.replace('"', "") for line in new]) == (1, ["title: A new title"])


def test_the_folded_text_of_a_value_is_folded_again() -> None:
    text = "---\nintroductions:\n  culture: >-\n    One two\n    three.\n---\n"
    words = "Each newsletter should make some of them better known; here are two. " * 4
    changed = change_front_matter(text, {"introductions.culture": words.strip()})
    assert max(map(len, changed.splitlines())) <= 120
    assert textwrap.dedent(changed).count(">-") == 1
    assert read_fields(changed) == {"introductions": {"culture": words.strip()}}
