"""Changing keys of a text of TOML: they have the new values, and every other byte is as it was."""

import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer.settings.changes.toml_splicer import TomlChangeError, change_toml, find_value

TEXT = """\
# The settings of this newsletter.

[sender]
name = 'The office'   # as readers see it
address = "news@example.org"
# reply_to = "desk@example.org"
# The language.

[smtp]   # the relay
url = "smtp://127.0.0.1:25"
# rate = 14

[campaigns]
report_to = [
  "ann@example.org",  # she asks for it
  # who follows her
  "ben@example.org"
]
window_days = ["mon", 'tue']

# The sectors.
[sectors]
education = "Education"
# the second
culture = "Culture"  # with heritage
"natural sciences" = "Natural Sciences"

# Two relays.
[[smtp.relays]]
name = "one"
url = "smtp://one"

[[smtp.relays]]
name = "two"
url = "smtp://two"
oauth = { provider = "google", client_id = "x" }

# The end.
"""


def replace(old: str, new: str) -> str:
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("sender", "name"), 'A "new" one', "'The office'", "'A \"new\" one'"),
        (("sender", "name"), "It's", "'The office'", '"It\'s"'),
        (("sender", "address"), "ü\t\x7f@x", '"news@example.org"', '"ü\\t\\u007f@x"'),
        (("sender", "name"), None, "name = 'The office'   # as readers see it\n", ""),
        (("smtp", "url"), "smtps://x", '"smtp://127.0.0.1:25"', '"smtps://x"'),
        (("smtp", "relays", 1, "url"), "smtp://2", '"smtp://two"', '"smtp://2"'),
        (("sectors", "natural sciences"), "Nature", '"Natural Sciences"', '"Nature"'),
        (("campaigns", "window_days"), ["tue", "wed"], "[\"mon\", 'tue']", "['tue', \"wed\"]"),
    ],
)
def test_a_value_is_changed_in_its_place(path: tuple[Any, ...], value: Any, old: str, new: str) -> None:
    assert change_toml(TEXT, {path: value}) == replace(old, new)


def test_a_new_key_goes_below_the_comment_that_shows_it_or_to_the_end_of_its_table() -> None:
    assert change_toml(TEXT, {("smtp", "rate"): 7}) == replace("# rate = 14\n", "# rate = 14\nrate = 7\n")
    assert change_toml(TEXT, {("sender", "reply_to"): "d@x"}) == replace(
        '# reply_to = "desk@example.org"\n', '# reply_to = "desk@example.org"\nreply_to = "d@x"\n'
    )
    assert change_toml(TEXT, {("sender", "list_id"): "l"}) == replace(
        'address = "news@example.org"\n', 'address = "news@example.org"\nlist_id = "l"\n'
    )


def test_a_new_table_goes_to_its_like_and_others_to_the_end() -> None:
    assert change_toml(TEXT, {("law", "opt_in"): ["JP"]}) == f'{TEXT}\n[law]\nopt_in = ["JP"]\n'
    since = date(2026, 3, 2)
    assert change_toml(TEXT, {("smtp", "relays", 0, "warm_up", "since"): since}) == replace(
        'url = "smtp://one"\n\n', 'url = "smtp://one"\n\n[smtp.relays.warm_up]\nsince = 2026-03-02\n\n'
    )
    assert change_toml(TEXT, {("sectors_more", "a"): "A"}).endswith('# The end.\n\n[sectors_more]\na = "A"\n')
    assert change_toml(TEXT, {("smtp", "oauth", "provider"): "google"}) == replace(
        "[campaigns]\n", '[smtp.oauth]\nprovider = "google"\n\n[campaigns]\n'
    )


def test_an_item_is_added_to_an_array_of_tables_and_taken_out() -> None:
    added = change_toml(TEXT, {("smtp", "relays", 2): {"name": "three", "url": "smtp://3", "weight": 2}})
    block = '\n[[smtp.relays]]\nname = "three"\nurl = "smtp://3"\nweight = 2\n'
    assert added == f"{TEXT}{block}"
    assert change_toml(added, {("smtp", "relays", 2): None}) == TEXT
    assert change_toml(TEXT, {("smtp", "relays", 0): None}) == replace(
        '[[smtp.relays]]\nname = "one"\nurl = "smtp://one"\n\n', ""
    )


def test_items_of_an_array_on_several_lines_keep_their_lines() -> None:
    with_three = ["ann@example.org", "ben@example.org", "cem@example.org"]
    assert change_toml(TEXT, {("campaigns", "report_to"): with_three}) == replace(
        '"ben@example.org"\n]', '"ben@example.org",\n  "cem@example.org",\n]'
    )
    without = change_toml(TEXT, {("campaigns", "report_to"): ["ben@example.org"]})
    assert "she asks" not in without
    assert "  # who follows her\n" in without


def test_an_inline_table_is_written_anew_and_nothing_else() -> None:
    assert change_toml(TEXT, {("smtp", "relays", 1, "oauth", "client_id"): "y"}) == replace(
        '{ provider = "google", client_id = "x" }', '{ provider = "google", client_id = "y" }'
    )


def test_keys_with_dots_stay_so() -> None:
    text = 'sender.name = "N"\nsender.address = "a@b"\n\n[smtp]\nwarm_up.since = 2026-01-02\n'
    assert change_toml(text, {("sender", "list_id"): "l"}) == text.replace(
        '"a@b"\n', '"a@b"\nsender.list_id = "l"\n'
    )
    assert change_toml(text, {("smtp", "warm_up", "growth"): 1.5}) == f"{text}warm_up.growth = 1.5\n"
    assert change_toml(text, {("smtp", "warm_up"): None}) == text.replace("warm_up.since = 2026-01-02\n", "")


def test_the_keys_of_a_table_change_places_with_their_comments() -> None:
    orders = {("sectors",): ["natural sciences", "culture", "education"]}
    before = 'education = "Education"\n# the second\nculture = "Culture"  # with heritage\n'
    assert change_toml(TEXT, {}, orders=orders) == replace(
        f'{before}"natural sciences" = "Natural Sciences"\n',
        '"natural sciences" = "Natural Sciences"\n# the second\nculture = "Culture"  # with heritage\n'
        'education = "Education"\n',
    )
    assert change_toml("[a]\nx = 1\ny = 2", {}, orders={("a",): ["y"]}) == "[a]\ny = 2\nx = 1\n"


def test_line_ends_stay_those_of_the_file() -> None:
    text = TEXT.replace("\n", "\r\n")
    changed = change_toml(text, {("smtp", "rate"): 7, ("law", "opt_in"): ["JP"], ("sender", "name"): "N"})
    assert changed.count("\n") == changed.count("\r\n") == text.count("\n") + 4


def test_what_cannot_be_changed_alone_is_refused() -> None:
    with pytest.raises(TomlChangeError, match="Change the file itself"):
        change_toml("a = 1\n", {("a", "b"): 2})


SIMPLE = st.one_of(
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.dates(),
)
VALUES = SIMPLE | st.lists(SIMPLE, max_size=3)
KEYS = st.sampled_from(["name", "url", "key with space", "ключ", "a.b", "rate", '"', "x#y"])
SECTIONS = ["sender", "smtp", "sectors", "web"]
COMMENTS = st.sampled_from(["", "  # a comment", ' # "half a string', " # [not.a.table]"])
ABOVE = st.sampled_from(["", "# a comment\n", "\n", "# rate = 5\n", "# [table]\n", "  \t\n"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A file as people write them: comments anywhere, strings of all four kinds, spaces, arrays on lines."""
    parts = []
    for section in draw(st.lists(st.sampled_from(SECTIONS), unique=True, max_size=4)):
        parts.append(f"{draw(ABOVE)}{draw(st.sampled_from(['[', '[ ', '  [']))}{section}]{draw(COMMENTS)}\n")
        for key in draw(st.lists(KEYS, unique=True, max_size=4)):
            value = draw(st.sampled_from(WRITTEN))
            space = draw(st.sampled_from(["", " ", "\t "]))
            parts.append(
                f"{draw(ABOVE)}{space}{write_plain_key(key)}{space}={space}{value}{draw(COMMENTS)}\n"
            )
        for number in range(draw(st.integers(0, 2)) if section == "smtp" else 0):
            parts.append(f'{draw(ABOVE)}[[smtp.relays]]{draw(COMMENTS)}\nname = "{number}"\n')
    text = "".join(parts)
    text = text if draw(st.booleans()) else text.rstrip("\n")
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


WRITTEN = (
    *("1", "0x1F", "1_000", "-0.5e3", "true", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00", "07:32:00"),
    *('"a # b"', "'c:\\new'", '"""a\n"quoted"\n# no comment\\\n  end""""', "'''\n[not]\nx = 1'''", '""'),
    *("[]", "[1, 2]", '[\n  "a",  # one\n  "b",\n]', '[ [ "x]" ], [ "#" ] ]', "[\n1\n,\n2]"),
    *('{ a = 1, "b c" = { d = [1] } }', "{}", "[{a = 1}, {a = 2}]"),
)


def write_plain_key(key: str) -> str:
    return key if key.isascii() and key.isalnum() else "'" + key + "'"


@settings(deadline=None, max_examples=60)
@given(text=documents(), section=st.sampled_from(SECTIONS), key=KEYS, value=VALUES | st.none())
@example(text="[smtp]\nrate = 1 # x", section="smtp", key="rate", value=None)
def test_any_change_says_what_was_asked_and_touches_only_its_own_lines(
    text: str, section: str, key: str, value: Any
) -> None:
    path = (section, key)
    before = tomllib.loads(text)
    changed = change_toml(text, {path: value})
    after = tomllib.loads(changed)
    assert find_value(after, path) == value
    before.setdefault(section, {}).pop(key, None)
    after.setdefault(section, {}).pop(key, None)
    assert after == before
    assert_only_one_place_differs(text, changed, path)


@settings(deadline=None, max_examples=60)
@given(text=documents(), section=st.sampled_from(SECTIONS), key=KEYS, value=VALUES)
def test_a_new_key_that_is_taken_out_again_leaves_the_text_as_it_was(
    text: str, section: str, key: str, value: Any
) -> None:
    values = tomllib.loads(text)
    if key in values.get(section, {}) or section not in values:
        return
    changed = change_toml(change_toml(text, {(section, key): value}), {(section, key): None})
    assert changed.rstrip("\r\n") == text.rstrip("\r\n")


@settings(deadline=None, max_examples=60)
@given(text=documents(), data=st.data())
def test_any_order_of_keys_keeps_every_line(text: str, data: st.DataObject) -> None:
    values = tomllib.loads(text)
    for section in ("sender", "sectors", "web"):
        order = data.draw(st.permutations(list(values.get(section, {}))))
        changed = change_toml(text, {}, orders={(section,): order})
        assert list(tomllib.loads(changed).get(section, {})) == order
        assert sorted(changed.splitlines()) == sorted(text.splitlines())


def assert_only_one_place_differs(text: str, changed: str, path: tuple[str, str]) -> None:
    """A new key is put between, one that goes is taken out, and a value is replaced: nothing else."""
    start = 0
    while start < min(len(text), len(changed)) and text[start] == changed[start]:
        start += 1
    end = 0
    while end < min(len(text), len(changed)) - start and text[-1 - end] == changed[-1 - end]:
        end += 1
    removed, added = text[start : len(text) - end], changed[start : len(changed) - end]
    if find_value(tomllib.loads(text), path) is None:
        assert removed == ""
    elif find_value(tomllib.loads(changed), path) is None:
        assert added == ""
    else:
        assert any(removed in written for one in WRITTEN for written in (one, one.replace("\n", "\r\n")))
