"""A folder becomes an edition, or a list of everything that is wrong with it."""

import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from editions.errors import EditionError, Problem, ProblemLevel
from editions.model import StoryKind
from editions.reader import inspect_edition, read_edition
from editions.source.text_file import text_digest
from tests.factories.draft_edition import EDITION, SECTORS, STORY, STORY_ZH, Draft
from tests.paths import ROOT

FIRST = "stories/010-youth-forum.md"
NAUGHTY = ROOT.parent / "shared" / "corpora" / "naughty-strings" / "blns.json"


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    return Draft(tmp_path / "2021-2")


# --- an edition without a fault -----------------------------------------------------------------------------


def test_an_edition_is_read_as_it_was_written(draft: Draft) -> None:
    edition = read_edition(draft.folder, sectors=SECTORS)
    assert (edition.slug, edition.title, edition.number) == ("2021-2", "Our newsletter", "2021-2")
    assert edition.date == datetime.date(2021, 12, 31)
    assert (edition.language, edition.languages) == ("en", ("en",))
    assert (edition.template, edition.sender_name) == ("periodical", "")
    assert edition.letter is not None
    assert edition.letter.titles == ("Director", "Representative")
    assert edition.letter.texts["en"].html == "<p>Dear colleagues, this was our autumn.</p>"


def test_a_story_is_read_as_it_was_written(draft: Draft) -> None:
    (story,) = read_edition(draft.folder, sectors=SECTORS).stories
    assert (story.slug, story.source, story.kind) == ("youth-forum", FIRST, StoryKind.story)
    assert (story.sector, story.countries, story.everyone) == ("culture", ("CN", "MN"), False)
    assert story.image is not None
    assert (story.image.path.name, story.image.width, story.image.height) == ("forum.jpg", 1184, 700)
    assert [(link.what, link.url) for link in story.read_more] == [
        ("the forum in Xi’an", "https://example.org/forum")
    ]
    text = story.texts["en"]
    assert (text.title, text.text, text.words) == ("A forum for youth", "The forum met in October.", 5)
    assert (text.alt, text.caption) == ("Young people around a table", "The forum in Xi’an")


def test_stories_stand_in_the_order_of_their_numbers(draft: Draft) -> None:
    for name in ("030-c", "020-z", "025-a"):
        draft.write(f"stories/{name}.md", STORY.replace("A forum", f"Forum {name}"))
    edition = read_edition(draft.folder, sectors=SECTORS)
    assert [story.slug for story in edition.stories] == ["youth-forum", "z", "a", "c"]


def test_norway_stays_norway_and_a_number_stays_as_written(draft: Draft) -> None:
    draft.change("edition.md", "number: 2021-2", "number: 1.10")
    draft.change(FIRST, "[CN, MN]", "[NO, SE]")
    edition = read_edition(draft.folder, sectors=SECTORS)
    assert edition.number == "1.10"
    assert edition.stories[0].countries == ("NO", "SE")


def test_one_link_may_be_written_without_a_list(draft: Draft) -> None:
    draft.change(FIRST, "  - what: the", "  what: the")
    draft.change(FIRST, "    url:", "  url:")
    assert (
        read_edition(draft.folder, sectors=SECTORS).stories[0].read_more[0].url == "https://example.org/forum"
    )


def test_an_empty_value_counts_as_not_given(draft: Draft) -> None:
    draft.change(FIRST, "sector: culture", "sector:\neveryone:\nkind: ''")
    story = read_edition(draft.folder, sectors=SECTORS).stories[0]
    assert (story.sector, story.everyone, story.kind) == (None, False, StoryKind.story)


@pytest.mark.parametrize("written", ["yes", "true", "on"])
def test_a_story_may_be_for_everyone(draft: Draft, written: str) -> None:
    draft.change(FIRST, "sector: culture", f"sector: culture\neveryone: {written}")
    assert read_edition(draft.folder, sectors=SECTORS).stories[0].everyone is True


@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(lambda text: text.replace("\n", "\r").encode(), id="CR"),
        pytest.param(lambda text: b"\xef\xbb\xbf" + text.encode(), id="BOM"),
        pytest.param(lambda text: text.rstrip("\n").encode(), id="no last line end"),
        pytest.param(lambda text: text.replace("---\n", "--- \t\n").encode(), id="spaces after the fence"),
    ],
)
def test_every_editor_s_way_of_saving_is_accepted(draft: Draft, encode: Callable[[str], bytes]) -> None:
    plain = draft.inspect()
    draft.write("edition.md", encode(EDITION))
    draft.write(FIRST, encode(STORY))
    assert draft.problems() == ()
    assert draft.inspect().edition == plain.edition


def test_introductions_and_places_to_follow_are_read(draft: Draft) -> None:
    draft.change(
        "edition.md",
        "letter:",
        "introductions:\n  culture: |\n    Words *before* 中文.\nfollow:\n"
        "  - {name: WeChat, handle: UNESCO_China}\n"
        "  - {name: Website, handle: example.org, url: 'https://example.org/'}\nletter:",
    )
    edition = read_edition(draft.folder, sectors=SECTORS)
    assert edition.introductions["culture"].html == (
        '<p>Words <em>before</em> <span lang="zh-Hans">中文</span>.</p>'
    )
    assert [(place.name, place.handle, place.url) for place in edition.follow] == [
        ("WeChat", "UNESCO_China", ""),
        ("Website", "example.org", "https://example.org/"),
    ]
    assert edition.texts["en"].introductions == edition.introductions


def test_a_value_over_several_lines_is_one_line(draft: Draft) -> None:
    draft.change(FIRST, "title: A forum for youth", "title: >\n  A forum\n  for youth\n")
    assert read_edition(draft.folder, sectors=SECTORS).stories[0].texts["en"].title == "A forum for youth"


# --- the front matter: what is wrong, and where -------------------------------------------------------------


def case(name: str, old: str, new: str, line: int, code: str, words: str, id_: str) -> object:
    return pytest.param(name, old, new, line, code, words, id=id_)


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "code", "words"),
    [
        case(
            FIRST,
            "sector: culture",
            "title: Again",
            3,
            "duplicate-key",
            r"`title` is given twice \(first on line 2\)",
            "a key given twice",
        ),
        case(
            FIRST,
            "  credit: Illustration",
            "  alt: Again",
            9,
            "duplicate-key",
            r"`alt` is given twice \(first on line 7\)",
            "a nested key given twice",
        ),
        case(
            FIRST,
            "title:",
            "titel:",
            2,
            "unknown-key",
            "`titel` is not a key of this file, so it would be ignored. Did you mean `title`?",
            "a mistyped key",
        ),
        case(
            FIRST,
            "  credit:",
            "  creditt:",
            9,
            "unknown-key",
            "`image.creditt` .* Did you mean `credit`?",
            "a mistyped nested key",
        ),
        case(
            FIRST,
            "    url:",
            "    link:",
            12,
            "unknown-key",
            r"`read_more\[1\].link` .* Use one of: what, url",
            "a mistyped key in a list",
        ),
        case(
            FIRST,
            "sector: culture",
            "colour: red",
            3,
            "unknown-key",
            "`colour` .* Use one of: title, sector, countries",
            "a foreign key",
        ),
        case(
            FIRST,
            "title: A forum for youth\n",
            "",
            1,
            "missing-key",
            "`title` is missing or empty. The story's heading. Add a line `title: …`",
            "no title",
        ),
        case(
            FIRST,
            "title: A forum for youth",
            "title: '  '",
            2,
            "missing-key",
            "`title` is missing",
            "an empty title",
        ),
        case(
            FIRST,
            "title: A forum for youth",
            "title: '\u200b\u00ad'",
            2,
            "missing-key",
            "`title` is missing",
            "a title that shows nothing",
        ),
        case(
            FIRST,
            "  alt: Young people around a table\n",
            "",
            5,
            "missing-key",
            "`image.alt` is missing or empty. A description of the picture",
            "no alt text",
        ),
        case(
            FIRST,
            "  alt: Young people around a table",
            "  alt: ''",
            7,
            "missing-key",
            "`image.alt`",
            "an empty alt text",
        ),
        case(
            FIRST,
            "    url: https://example.org/forum\n",
            "",
            11,
            "missing-key",
            r"`read_more\[1\].url` is missing .* beginning with https://",
            "a link without an address",
        ),
        case(
            FIRST,
            "[CN, MN]",
            "CN",
            4,
            "wrong-type",
            r"`countries` must be a list, such as \[one, two\]. It is the text 'CN'",
            "text where a list belongs",
        ),
        case(
            FIRST,
            "read_more:\n  - what: the forum in Xi’an\n    url: https://example.org/forum",
            "read_more: https://example.org/forum",
            10,
            "wrong-type",
            "`read_more` must be followed by indented keys, one on each line: `what`, `url`. It is the text",
            "text where links belong",
        ),
        case(
            FIRST,
            "title: A forum for youth",
            "title: [A, B]",
            2,
            "wrong-type",
            "`title` must be text. It is a list",
            "a list where text belongs",
        ),
        case(
            FIRST,
            "sector: culture",
            "everyone: perhaps",
            3,
            "wrong-type",
            "`everyone` must be yes or no. It is the text 'perhaps'",
            "neither yes nor no",
        ),
        case(
            FIRST,
            "title: A forum for youth",
            "title: {a: b}",
            2,
            "wrong-type",
            "It is followed by keys",
            "keys for text",
        ),
        case(
            FIRST,
            "[CN, MN]",
            "[CN, UK]",
            4,
            "unknown-country",
            r"`countries\[2\]`: 'UK' is not a country code, .* Did you mean GB \(United Kingdom\)?",
            "UK",
        ),
        case(
            FIRST,
            "[CN, MN]",
            "\n  - CN\n  - Mongolia",
            6,
            "unknown-country",
            r"Did you mean MN \(Mongolia\)?",
            "a country by its name, on its own line",
        ),
        case(
            FIRST,
            "[CN, MN]",
            "[XX]",
            4,
            "unknown-country",
            "Use the two letters of ISO 3166-1",
            "no country at all",
        ),
        case(
            FIRST,
            "[CN, MN]",
            "[mn]",
            4,
            "country-case",
            r"'mn' must be written in capitals. Write MN \(Mongolia\)",
            "small letters",
        ),
        case(
            FIRST,
            "sector: culture",
            "sector: cultures",
            3,
            "unknown-sector",
            "'cultures' is not one of the sectors in mailer.toml. Did you mean `culture`?",
            "a mistyped sector",
        ),
        case(
            FIRST,
            "sector: culture",
            "sector: sport",
            3,
            "unknown-sector",
            "Choose one of: culture, education, natural-sciences",
            "a foreign sector",
        ),
        case(
            FIRST,
            "sector: culture",
            "kind: featured",
            3,
            "unknown-kind",
            "'featured' is not a kind of story. Did you mean `feature`?",
            "a mistyped kind",
        ),
        case(
            FIRST,
            "https://example.org/forum",
            "/forum",
            12,
            "relative-link",
            r"`read_more\[1\].url`: the link '/forum' is relative",
            "a relative link",
        ),
        case(
            FIRST,
            "https://example.org/forum",
            "javascript:alert(1)",
            12,
            "link-scheme",
            "links that begin with javascript:",
            "a script for a link",
        ),
        case(
            "edition.md",
            "2021-12-31",
            "31/12/2021",
            5,
            "bad-date",
            "`date`: '31/12/2021' is not a valid date. Write year-month-day",
            "a date in another order",
        ),
        case(
            "edition.md",
            "2021-12-31",
            "2021-02-30",
            5,
            "bad-date",
            "'2021-02-30' is not a valid date",
            "30 February",
        ),
        case(
            "edition.md",
            "2021-12-31",
            "20211231",
            5,
            "bad-date",
            "as in 2021-12-31",
            "a date without hyphens",
        ),
        case(
            "edition.md",
            "language: en",
            "language: xx",
            6,
            "unknown-language",
            "'xx' is not a known language tag. Write en, zh-Hans",
            "not a known language tag",
        ),
        case(
            "edition.md",
            "letter:",
            "template: Big One\nletter:",
            9,
            "bad-template",
            "'Big One' is not a valid template name",
            "not a valid template name",
        ),
        case(
            "edition.md",
            "letter:",
            "introductions: {sport: Words.}\nletter:",
            9,
            "unknown-section",
            "`introductions.sport`: 'sport' is not a section, so readers would not see this text. Choose one",
            "no section",
        ),
        case(
            "edition.md",
            "  name: Shahbaz Khan\n",
            "",
            9,
            "missing-key",
            "`letter.name` is missing or empty. Who signs the letter",
            "a letter without a name",
        ),
        case(
            "edition.md",
            "subject: What we did this autumn\n",
            "",
            1,
            "missing-key",
            "`subject` is missing",
            "no subject",
        ),
    ],
)
def test_a_wrong_key_is_named_with_its_line(
    draft: Draft, name: str, old: str, new: str, line: int, code: str, words: str
) -> None:
    draft.change(name, old, new)
    found = [problem for problem in draft.problems() if problem.code == code]
    assert [(problem.path, problem.line, problem.level) for problem in found] == [
        (name, line, ProblemLevel.error)
    ]
    with pytest.raises(EditionError, match=words):
        read_edition(draft.folder, sectors=SECTORS)


@pytest.mark.parametrize(
    ("new", "line", "code", "words"),
    [
        pytest.param(
            "title: A forum: for youth",
            2,
            "yaml-syntax",
            "not valid YAML: .* Put quotes around .* neighbouring",
            id="colon",
        ),
        pytest.param(
            "title: 'A forum\nkind: story",
            2,
            "yaml-syntax",
            "opened but not closed",
            id="open quotation mark",
        ),
        pytest.param(
            "image:\n\tfile: y", 3, "yaml-syntax", "Indent with spaces: YAML does not allow tabs", id="tab"
        ),
        pytest.param(
            "title: @unesco",
            2,
            "yaml-syntax",
            "Put quotes around a value that begins with @, %, `",
            id="at sign",
        ),
        pytest.param("title: [a\nkind: story", 2, "yaml-syntax", "with a closing bracket", id="open bracket"),
        pytest.param('title: "a\\qb"', 2, "yaml-syntax", "Double a backslash", id="backslash"),
        pytest.param('title: "\\U99999999"', 2, "yaml-syntax", "is not a character", id="no such character"),
        pytest.param(
            'title: "\\ud800"',
            2,
            "unsafe-character",
            r"U\+D800 is an invisible control",
            id="half a character",
        ),
        pytest.param(
            "title: &a x", 2, "yaml-anchor", r"anchors \(&\) and aliases \(\*\) are not allowed", id="anchor"
        ),
        pytest.param("title: *a", 2, "yaml-anchor", "can fill the memory", id="alias"),
        pytest.param("title: !!python/name:os x", 2, "yaml-tag", r"tags \(!\) are not allowed", id="tag"),
        pytest.param(
            "title: [[[[[[[[x]]]]]]]]", 2, "yaml-too-deep", "nested more than 6 levels deep", id="too deep"
        ),
        pytest.param("? [a, b]\n: c", 2, "yaml-syntax", "a key must be one word", id="a list for a key"),
        pytest.param(
            "title: x\n...\nkind: story", 4, "yaml-syntax", "continues after a line", id="end marker"
        ),
        pytest.param("- title", 2, "no-keys", "the front matter has no keys", id="a list"),
        pytest.param(
            'title: "a\\u2028b"',
            2,
            "unsafe-character",
            r"U\+2028 is an invisible control character",
            id="hidden line end",
        ),
        pytest.param('title: "a\\u0007b"', 2, "unsafe-character", r"U\+0007 .* Delete it", id="hidden bell"),
    ],
)
def test_bad_yaml_is_named_with_its_line(draft: Draft, new: str, line: int, code: str, words: str) -> None:
    draft.write(FIRST, f"---\n{new}\n---\n\nWords.\n")
    found = [problem for problem in draft.problems() if problem.code == code]
    assert [(problem.path, problem.line, problem.level) for problem in found] == [
        (FIRST, line, ProblemLevel.error)
    ]
    with pytest.raises(EditionError, match=words):
        read_edition(draft.folder, sectors=SECTORS)


def test_a_file_without_front_matter_says_how_to_begin(draft: Draft) -> None:
    draft.write(FIRST, "The forum met in October.\n")
    problem = next(problem for problem in draft.problems() if problem.code == "no-front-matter")
    assert (problem.path, problem.line) == (FIRST, 1)
    assert "Begin with a line ---, then `title: …`" in problem.message


def test_front_matter_that_never_ends_is_named(draft: Draft) -> None:
    draft.write(FIRST, "---\ntitle: A forum\n\nThe forum met.\n")
    problem = next(problem for problem in draft.problems() if problem.code == "open-front-matter")
    assert (problem.path, problem.line) == (FIRST, 1)
    assert "Add a line --- after the last key" in problem.message


def test_a_billion_laughs_are_refused_at_once(draft: Draft) -> None:
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    draft.write(FIRST, f"---\n{laughs}---\n\nWords.\n")
    problem = next(problem for problem in draft.problems() if problem.path == FIRST)
    assert (problem.line, problem.code) == (2, "yaml-anchor")


def test_front_matter_of_a_hundred_thousand_signs_is_refused(draft: Draft) -> None:
    draft.write(FIRST, f"---\ntitle: {'x' * 100_001}\n---\n\nWords.\n")
    problem = next(problem for problem in draft.problems() if problem.path == FIRST)
    assert (problem.line, problem.code) == (2, "front-matter-too-large")
    assert "more than 100,000 characters. Put long texts into the body" in problem.message


# --- the file itself ----------------------------------------------------------------------------------------


def test_a_file_that_is_not_utf_8_is_named_with_the_byte_s_line(draft: Draft) -> None:
    draft.write(FIRST, STORY.replace("Xi’an", "Xian").encode() + "Café\n".encode("latin-1"))
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST, 16, "not-utf-8")
    assert "the file is not UTF-8: byte 0xE9" in problem.message
    assert "Save it again as UTF-8" in problem.message


def test_the_line_of_a_bad_byte_is_right_with_windows_line_ends(draft: Draft) -> None:
    draft.write(FIRST, b"---\r\ntitle: x\r\n\xff\r\n---\r\n")
    assert (draft.problem().line, draft.problem().code) == (3, "not-utf-8")


def test_utf_16_is_named(draft: Draft) -> None:
    draft.write(FIRST, STORY.encode("utf-16"))
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST, 1, "not-utf-8")
    assert "the file is UTF-16, not UTF-8" in problem.message


def test_a_file_of_more_than_a_megabyte_is_refused(draft: Draft) -> None:
    draft.write(FIRST, STORY + "x" * 1_000_000)
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST, 1, "file-too-large")
    assert "larger than 1 MB, too large for a story" in problem.message


def test_a_body_longer_than_any_mail_is_refused(draft: Draft) -> None:
    draft.write(FIRST, STORY + "word " * 50_000)
    problem = next(problem for problem in draft.problems() if problem.level == ProblemLevel.error)
    assert (problem.path, problem.line, problem.code) == (FIRST, 14, "body-too-long")


def test_control_characters_are_named_with_their_lines(draft: Draft) -> None:
    draft.change(FIRST, "A forum for youth", "A forum\x00 for youth")
    draft.change(FIRST, "The forum met", "The forum\u2028 met")
    found = [(problem.path, problem.line, problem.code) for problem in draft.problems()]
    assert found == [(FIRST, 2, "unsafe-character"), (FIRST, 15, "unsafe-character")]
    with pytest.raises(EditionError, match=r"U\+0000 is an invisible control character"):
        read_edition(draft.folder, sectors=SECTORS)


def test_a_binary_file_is_not_answered_with_a_thousand_lines(draft: Draft) -> None:
    draft.write(FIRST, "\x00\n" * 5_000)
    assert len(draft.problems()) < 30


def test_a_file_that_is_a_folder_is_a_problem(draft: Draft) -> None:
    (draft.folder / FIRST).unlink()
    (draft.folder / FIRST).mkdir()
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST, 1, "unreadable-file")
    assert "not an ordinary file" in problem.message


def test_a_link_out_of_the_folder_is_refused(draft: Draft, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text(STORY)
    (draft.folder / FIRST).unlink()
    (draft.folder / FIRST).symlink_to(tmp_path / "secret.md")
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST, 1, "outside-folder")
    assert "a link to a file outside the edition's folder. Replace it with a copy" in problem.message


def test_links_in_a_circle_are_a_problem(draft: Draft) -> None:
    (draft.folder / FIRST).unlink()
    (draft.folder / FIRST).symlink_to(draft.folder / FIRST)
    assert draft.problem().code == "unreadable-file"


# --- all of it in one run -----------------------------------------------------------------------------------


def test_every_problem_of_every_file_is_found_in_one_run_and_in_order(draft: Draft) -> None:
    draft.change("edition.md", "2021-12-31", "soon")
    draft.change(FIRST, "[CN, MN]", "[UK, XX]")
    draft.change(FIRST, "alt: Young people around a table", "alt: forum.jpg")
    draft.change(FIRST, "The forum met in October.", "The <b>forum</b> met [here](https://example.org/x).")
    draft.write("stories/020-second.md", STORY.replace("title:", "titel:").replace("forum.jpg", "absent.jpg"))
    found = [(problem.path, problem.line, problem.code) for problem in draft.problems()]
    assert found == [
        ("edition.md", 5, "bad-date"),
        (FIRST, 4, "unknown-country"),
        (FIRST, 4, "unknown-country"),
        (FIRST, 7, "alt-is-file-name"),
        (FIRST, 15, "raw-html"),
        (FIRST, 15, "vague-link"),
        ("stories/020-second.md", 1, "missing-key"),
        ("stories/020-second.md", 2, "unknown-key"),
        ("stories/020-second.md", 6, "missing-image"),
    ]
    assert list(draft.problems()) == sorted(draft.problems())


def test_an_error_leaves_no_edition_and_a_warning_leaves_one(draft: Draft) -> None:
    draft.write("notes.txt", "Call the printer.")
    inspection = draft.inspect()
    assert [problem.level for problem in inspection.problems] == [ProblemLevel.warning]
    assert inspection.edition is not None
    draft.change("edition.md", "2021-12-31", "soon")
    assert draft.inspect().edition is None


def test_the_error_lists_every_problem(draft: Draft) -> None:
    draft.write("notes.txt", "Call the printer.")
    draft.change(FIRST, "[CN, MN]", "[UK]")
    with pytest.raises(EditionError) as caught:
        read_edition(draft.folder, sectors=SECTORS)
    assert [problem.code for problem in caught.value.problems] == ["stray-file", "unknown-country"]
    assert str(caught.value).startswith("notes.txt:1: ")


@pytest.mark.parametrize("name", ["edition.md", FIRST, "stories/010-youth-forum.zh.md"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
@example(data=b"")
@example(data=b"---")
@example(data=b"---\n---")
@example(data=b"---\n---\n")
@example(data=b"---\n\xef\xbb\xbf---\n")
@example(data=b"---\n? \n---\n")
@example(data=b"---\n: :\n---\n")
@example(data=b"---\n<<: *a\n---\n")
@example(data=b"---\nimage: {file: {a: b}, alt: [x]}\nread_more: [[x]]\nintroductions: [a]\n---\n<b")
@example(data=b"---\nimage: [a]\nletter: x\nintroductions: {culture: [x]}\n---\n")
@example(data=b"---\nread_more:\n- x\n- {what: [a]}\n---\n")
def test_reading_never_raises(draft: Draft, name: str, data: bytes) -> None:
    draft.translate()
    draft.write(name, data)
    assert all(isinstance(problem, Problem) and problem.line >= 1 for problem in draft.problems())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    front=st.text(alphabet=st.sampled_from("abk:{}[],&*!|>'\"%@`#?-~\\ \n\tе中\u2028"), max_size=80),
    body=st.text(max_size=80),
)
def test_reading_never_raises_for_anything_like_a_story(draft: Draft, front: str, body: str) -> None:
    draft.write(FIRST, f"---\n{front}\n---\n{body}".encode("utf-8", "surrogatepass"))
    lines = len(re.split("\r\n|\r|\n", f"---\n{front}\n---\n{body}"))
    found = [problem for problem in draft.problems() if problem.path == FIRST]
    assert found
    assert all(1 <= problem.line <= lines for problem in found)


@pytest.mark.skipif(not NAUGHTY.exists(), reason="the list of naughty strings is not here")
def test_naughty_strings_break_nothing(draft: Draft) -> None:
    for text in json.loads(NAUGHTY.read_text(encoding="utf-8")):
        draft.write(FIRST, f"---\ntitle: {json.dumps(text, ensure_ascii=False)}\n---\n\n{text}\n")
        draft.problems()


# --- not an edition ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["nothing", "file", "empty folder"])
def test_a_folder_that_is_not_an_edition_is_a_problem(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "x"
    if what == "file":
        folder.write_text("x")
    elif what == "empty folder":
        folder.mkdir()
    inspection = inspect_edition(folder, sectors=SECTORS)
    assert inspection.edition is None
    assert [(problem.path, problem.line, problem.code) for problem in inspection.problems] == [
        (".", 1, "not-an-edition")
    ]
    assert str(folder) in inspection.problems[0].message


def test_a_digest_is_the_same_for_every_kind_of_line_end() -> None:
    digests = {
        text_digest(text) for text in (STORY, STORY.replace("\n", "\r\n"), "\ufeff" + STORY, STORY + "\n")
    }
    assert len(digests) == 1
    assert digests != {text_digest(STORY_ZH)}
