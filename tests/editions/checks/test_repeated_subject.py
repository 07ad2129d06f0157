"""A subject is compared with that of the edition before, by date and then by number, in each language."""

from pathlib import Path

import pytest

from editions.checks.inbox import compare_subjects, find_repeated_subjects
from editions.errors import ProblemLevel

EDITION = "---\ntitle: News\nnumber: {number}\ndate: {date}\nlanguage: {language}\nsubject: {subject}\n---\n"


def write(
    editions: Path, slug: str, date: str, subject: str, *, number: str = "1", language: str = "en"
) -> None:
    (editions / slug).mkdir()
    text = EDITION.format(number=number, date=date, language=language, subject=subject)
    (editions / slug / "edition.md").write_text(text, encoding="utf-8")


def translate(editions: Path, slug: str, language: str, subject: str) -> None:
    path = editions / slug / f"edition.{language}.md"
    path.write_text(f"---\ntitle: News\nsubject: {subject}\n---\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("News from Beijing", "News from Beijing", "the same as"),
        ("News from Beijing, no. 12", "News from Beijing, no. 13", "nearly the same as"),
        ("NEWS FROM BEIJING!", "News from Beijing", "nearly the same as"),
        ("What we did in May", "What we did in July", "nearly the same as"),
        ("Our news of spring 2026", "Our news of autumn 2026", "nearly the same as"),
        ("今年春天我们做了什么事情", "今年秋天我们做了什么事情", "nearly the same as"),
        ("12/2025", "12/2025", "the same as"),
        ("1/2026", "12/2025", ""),
        ("A museum opens at night", "Teachers meet in Ulaanbaatar", ""),
        ("A forum for youth in Xi’an and a new chair", "A prize for teachers and a museum at night", ""),
        ("青年论坛在西安举行", "教师在乌兰巴托会面", ""),
    ],
)
def test_two_subjects_are_compared_as_a_reader_who_skims_does(one: str, other: str, how: str) -> None:
    assert compare_subjects(one, other) == how
    assert compare_subjects(other, one) == how


def test_the_edition_before_is_found_by_date_and_then_by_number(tmp_path: Path) -> None:
    write(tmp_path, "a", "2026-01-01", "News from Beijing", number="1")
    write(tmp_path, "b", "2026-04-01", "Teachers meet in Ulaanbaatar", number="9")
    write(tmp_path, "c", "2026-04-01", "News from Beijing", number="10")
    write(tmp_path, "d", "2026-07-01", "News from Beijing", number="11")
    told = {slug: find_repeated_subjects(tmp_path, slug) for slug in "abcd"}
    assert {slug: len(problems) for slug, problems in told.items()} == {"a": 0, "b": 0, "c": 0, "d": 1}
    (problem,) = told["d"]
    assert (problem.path, problem.line, problem.level) == ("edition.md", 6, ProblemLevel.warning)
    assert "the subject is the same as that of the edition before, c: “News from Beijing”" in problem.message


def test_each_language_is_compared_with_its_own(tmp_path: Path) -> None:
    write(tmp_path, "a", "2026-01-01", "来自北京的消息", language="zh-Hans")
    translate(tmp_path, "a", "fr", "Nouvelles de Pékin")
    write(tmp_path, "b", "2026-04-01", "Teachers meet in Ulaanbaatar")
    translate(tmp_path, "b", "zh-hans", "来自北京的消息")
    translate(tmp_path, "b", "fr", "Des professeurs à Oulan-Bator")
    translate(tmp_path, "b", "ja", "来自北京的消息")
    assert [(each.path, each.line) for each in find_repeated_subjects(tmp_path, "b")] == [
        ("edition.zh-hans.md", 3)
    ]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a", "2026-01-01", "News from Beijing")
    write(tmp_path, "b", "2026-04-01", "News from Beijing")
    (tmp_path / "c").mkdir()
    (tmp_path / "d.md").write_text("---\n")
    write(tmp_path, "e", "someday", "News from Beijing")
    write(tmp_path, "f", "2026-03-01", "[not: YAML")
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "edition.md").write_bytes(b"\xff\xfe")
    # The one before is f, whose subject nobody can read.
    assert find_repeated_subjects(tmp_path, "b") == []
    assert find_repeated_subjects(tmp_path, "gone") == []
    assert find_repeated_subjects(tmp_path / "nowhere", "b") == []
