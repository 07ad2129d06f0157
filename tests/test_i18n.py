"""The languages of the pages: which one a reader gets, and that nothing in any of them is missing."""

import ast
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import date

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo, write_mo

import templates
from locales.phrase import Phrase
from mailer.i18n import LANGUAGES, NATIVE_NAMES, SOURCE_LANGUAGE, load_translator, match_language
from mailer.rendering.themes.template_files import load_phrases
from scripts.translations import (
    ROOT,
    find_file,
    find_gaps,
    list_forms,
    read_catalogue,
    update_catalogue,
)

FOREIGN = [tag for tag in LANGUAGES if tag != SOURCE_LANGUAGE]
_FIELD = re.compile(r"%\(\w+\)s|\{\w+\}")
_SCRIPTS = {"zh-Hans": "CJK", "ja": "CJK|HIRAGANA|KATAKANA", "ko": "HANGUL", "mn": "CYRILLIC"}


def test_phrases_are_said_in_a_language_and_other_words_as_they_are() -> None:
    french = load_translator("fr")
    assert french.say(Phrase("Home")) == french.translate("Home") != "Home"
    assert french.say("Home") == "Home"
    assert load_translator("en").say(Phrase("%(name)s, %(day)s", name="Ann", day="1 March")) == "Ann, 1 March"


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("zh-CN", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("zh-Hans-SG", "zh-Hans"),
        ("zh_CN", "zh-Hans"),
        ("zh-TW", None),
        ("zh-Hant", None),
        ("fr-CA", "fr"),
        ("mn-MN", "mn"),
        ("mn-Mong", None),
        ("ja-JP", "ja"),
        ("KO", "ko"),
        ("en-GB", "en"),
        ("de", None),
        ("*", None),
        ("", None),
        ("../../etc", None),
        ("a" * 500, None),
    ],
)
def test_a_language_is_given_by_its_likely_script(asked: str, given: str | None) -> None:
    assert match_language([asked]) == given


def test_the_first_language_that_we_speak_is_taken() -> None:
    assert match_language(["de", "zh-TW", "fr-BE", "en"]) == "fr"
    assert match_language(["zh-CN"], ["en", "zh"]) == "zh"


def test_the_gate_sees_every_kind_of_gap() -> None:
    catalogue = Catalog(locale="fr")
    catalogue.add("Undo", "Annuler")
    catalogue.add("Save", "")
    catalogue.add("Name", "Nom", flags=["fuzzy"])
    assert find_gaps(catalogue) == ["Save", "Name"]


@pytest.mark.parametrize("tag", FOREIGN)
def test_every_sentence_of_the_pages_is_translated(messages: Catalog, tag: str) -> None:
    catalogue = read_catalogue(tag)
    said = {message.id for message in messages if message.id}
    translated = {message.id for message in catalogue if message.id}
    assert said - translated == set(), "run `make translations` and translate them"
    assert translated - said == set(), "nobody says these any more: run `make translations`"
    assert find_gaps(catalogue) == []


@pytest.mark.parametrize("tag", FOREIGN)
def test_a_translation_fills_in_what_the_original_does(tag: str) -> None:
    for message in read_catalogue(tag):
        if not message.id:
            continue
        # Of two, one for a single thing and one for several, the second names the number.
        original = message.id[-1] if message.pluralizable else message.id
        for said in list_forms(message):
            fields = Counter(_FIELD.findall(original))
            if message.pluralizable:
                assert Counter(_FIELD.findall(said)) <= fields, message.id
            else:
                assert Counter(_FIELD.findall(said)) == fields, message.id
            assert said != original or original in _THE_SAME, f"{original} is still English"
            assert said.strip() == said or original.strip() != original


@pytest.mark.parametrize(("tag", "scripts"), _SCRIPTS.items())
def test_a_sentence_is_written_in_the_script_of_its_language(tag: str, scripts: str) -> None:
    strange = [
        said
        for message in read_catalogue(tag)
        if isinstance(message.id, str) and len(re.findall(r"[a-z]{3,}", _leave_words(message.id))) > 1
        for said in list_forms(message)
        if (letters := [unicodedata.name(one) for one in _leave_words(said) if one.isalpha()])
        and not any(re.match(scripts, letter) for letter in letters)
    ]
    assert not strange


def _leave_words(text: str) -> str:
    """The text without what no language changes: fields, code and tags."""
    return re.sub(r"%\(\w+\)s|`[^`]*`|<[^>]+>", "", text)


def test_a_sentence_in_the_program_is_given_the_values_that_it_names() -> None:
    checked = 0
    for folder in ("editions", "mailer", "subscribers"):
        for file in (ROOT / folder).rglob("*.py"):
            source = file.read_text(encoding="utf-8")
            for message, names in list_filled_messages(source):
                checked += 1
                assert names == {field[2:-2] for field in _FIELD.findall(message) if field[0] == "%"}, file
                assert message % dict.fromkeys(names, "")
    assert checked > 600


def test_sentences_that_count_are_asked_for_by_the_name_that_the_catalogues_look_for() -> None:
    """By another name, they would be in no catalogue, and so in English everywhere."""
    renamed = {"counted = translator.translations.ngettext", "a, counted = 1, page.translations.ngettext"}
    assert all(list(list_renamed_counts(source)) == ["counted"] for source in renamed)
    for folder in ("editions", "mailer", "subscribers"):
        for file in (ROOT / folder).rglob("*.py"):
            assert not list(list_renamed_counts(file.read_text(encoding="utf-8"))), file


def list_renamed_counts(source: str) -> Iterator[str]:
    """The names other than its own to which a module assigns ``ngettext``."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                pairs = zip(names, values, strict=True)
            case ast.Assign(targets=[name], value=value):
                pairs = zip([name], [value], strict=True)
            case _:
                continue
        for name, value in pairs:
            if isinstance(value, ast.Attribute) and value.attr == "ngettext":
                called = ast.unparse(name)
                if called != "ngettext":
                    yield called


def list_filled_messages(source: str) -> Iterator[tuple[str, set[str]]]:
    """The messages to which a module gives values where it writes them, and the names of those values."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.BinOp(
                left=ast.Call(func=ast.Name("gettext_noop"), args=[ast.Constant(str(message))]),
                op=ast.Mod(),
                right=ast.Dict(keys=keys),
            ):
                yield message, {str(key.value) for key in keys if isinstance(key, ast.Constant)}
            case ast.Call(
                func=ast.Name("Phrase"),
                args=[
                    ast.Constant(str(message))
                    | ast.Call(func=ast.Name("gettext_noop"), args=[ast.Constant(str(message))])
                ],
                keywords=[_, *_] as values,
            ) if all(value.arg for value in values):
                yield message, {str(value.arg) for value in values}
            case ast.Call(args=arguments, keywords=[_, *_] as values):
                given = {str(value.arg) for value in values}
                for message in map(read_marked, arguments):
                    if named := {field[2:-2] for field in _FIELD.findall(message) if field[0] == "%"}:
                        yield message, given - (_NO_VALUES - named)


def read_marked(argument: ast.expr) -> str:
    """The message that an argument marks for the catalogues where it stands; "" if it does not."""
    match argument:
        case ast.Call(func=ast.Name("gettext_noop"), args=[ast.Constant(str(message))]):
            return message
    return ""


_NO_VALUES = frozenset({"cause", "key", "place", "weight"})
"""What those who are given a message and its values are told besides."""


_THE_SAME = frozenset(
    {"Studio", "Alt", "Ctrl", "Shift", "HTML", "XLIFF 2.1", ", ", "%(name)s, %(day)s"}
    # French has these words, too.
    | {
        "Description",
        "Document",
        "Import %(number)s",
        "Imports",
        "Invitations",
        "Machines",
        "Menu",
        "Message",
        "Messages",
        "Note",
        "Type",
        "Webhook",
    }
    | {"Organisation", "Organisations", "Original", "Pages", "Passage", "Portrait", "Segment", "Segments"}
    | {"Signatures", "Tests", "Version %(number)s", "Versions", "spam"}
    | {"%(width)s × %(height)s pixels", "%(size)s kB", "%(readers)s: %(parts)s."}
    | {
        "%(change)s (%(languages)s)",
        "%(field)s: %(reason)s",
        "%(place)s: %(words)s",
        "%(first)s %(next)s",
        "%(first)s, %(next)s",
        "%(first)s; %(next)s",
        "%(number)s %(reason)s",
        "%(what)s (%(address)s)",
        "%(what)s “%(quotation)s”",
        "%(what)s: “%(quotation)s”",
        "%(number)s × %(reason)s",
        "%(words)s.",
        "%(partners)s %(clauses)s",
    }
)
"""What a translation may leave as it is: names, keys, and words that a language shares with English."""


def read_compiled(data: bytes) -> dict[str, str]:
    """The messages in a compiled catalogue."""
    return {str(one.id): str(one.string) for one in read_mo(io.BytesIO(data)) if one.id}


@pytest.mark.parametrize("tag", FOREIGN)
def test_what_is_compiled_is_what_was_translated(messages: Catalog, tag: str) -> None:
    wanted = io.BytesIO()
    write_mo(wanted, update_catalogue(tag, messages))
    assert read_compiled(find_file(tag, "mo").read_bytes()) == read_compiled(wanted.getvalue()), (
        "run `make translations`"
    )
    tongue = load_translator(tag)
    assert tongue.translate("Undo") == read_catalogue(tag)["Undo"].string


@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_mail_has_all_its_words_in_every_language_of_the_pages(tag: str) -> None:
    words, english = load_phrases(tag), load_phrases(SOURCE_LANGUAGE)
    assert words.language == tag.partition("-")[0]
    for key, phrase in vars(english).items():
        if isinstance(phrase, str) and key != "language":
            own = getattr(words, key)
            assert own.strip(), key
            assert set(_FIELD.findall(own)) == set(_FIELD.findall(phrase)), key
            assert tag == SOURCE_LANGUAGE or own != phrase, f"{key} is still English"
    assert set(english.sections) <= set(words.sections)
    sectors = {"education", "culture", "natural-sciences", "cross-cutting"}
    assert tag == SOURCE_LANGUAGE or sectors <= set(words.sections)


def test_days_are_written_as_a_letter_writes_them() -> None:
    day = date(2027, 3, 5)
    written = {tag: load_translator(tag).format_day(day).replace("\u202f", " ") for tag in LANGUAGES}
    assert written["en"] == "5 March 2027"
    assert written["zh-Hans"] == "2027年3月5日"
    assert written["ja"] == "2027年3月5日"
    assert written["ko"] == "2027년 3월 5일"
    assert written["fr"] == "5 mars 2027"
    assert written["mn"].startswith("2027")
    assert len(set(written.values())) == 5


def test_countries_are_named_by_cldr_or_as_the_organisation_wants() -> None:
    names = {"en": {"KR": "Republic of Korea"}, "zh": {"KR": "大韩民国"}}
    assert load_translator("en").name_country("KR", names) == "Republic of Korea"
    assert load_translator("zh-Hans").name_country("KR", names) == "大韩民国"
    assert load_translator("zh-Hans").name_country("MN", names) == "蒙古"
    assert load_translator("mn").name_country("MN", names) == "Монгол"
    assert load_translator("fr").name_country("CN", names) == "Chine"


def test_what_is_filled_in_is_escaped_where_it_becomes_markup() -> None:
    said = load_translator("fr").translate_html("%(title)s, sent on %(day)s", title="<b>", day="5 mars")
    assert said == "&lt;b&gt;, envoyé le 5 mars"


def test_every_language_has_its_own_name_and_its_catalogue_in_the_package() -> None:
    assert set(NATIVE_NAMES) == set(LANGUAGES)
    for tag in FOREIGN:
        assert find_file(tag, "mo").is_relative_to(templates.ROOT)
