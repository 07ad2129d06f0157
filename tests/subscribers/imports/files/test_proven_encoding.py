"""Umlauts and kana prove an encoding; accents that may be letters of another language do not."""

from pathlib import Path

import pytest

from subscribers.imports.files.file_source import make_file_source
from subscribers.imports.files.text_encoding import detect_encoding

GERMAN = "E-Mail;Name\na@example.org;Jürgen Groß\nb@example.org;Österreich-Büro\n"
JAPANESE = "メールアドレス,氏名\na@example.org,佐藤\n"


@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [
        (GERMAN, "cp1252", ("cp1252", True)),
        (GERMAN, "cp1250", ("cp1252", True)),
        ("E-post;Namn\na@example.org;Åsa Sjöström\n", "cp1252", ("cp1252", True)),
        (JAPANESE, "cp932", ("cp932", True)),
        ("Email,Name\na@example.org,ﾀﾛｳ カタカナ\n", "cp932", (None, False)),
        ("Email;Nom\na@example.org;Hélène Sèvre\n", "cp1252", (None, False)),
        ("Email;Jméno\na@example.org;Jiří Dvořák\n", "cp1250", (None, False)),
        ("Email;Имя\na@example.org;Анна Иванова\n", "cp1251", (None, False)),
        ("邮箱,姓名\na@example.org,陈晓明\nb@example.org,李雷\n", "gb18030", (None, False)),
        ("이메일,이름\na@example.org,김철수\n", "cp949", (None, False)),
        ("E-posta;Ad\na@example.org;Şükrü Işık\n", "cp1254", (None, False)),
        ("E-Mail;Name\na@example.org;Jürgen\n", "mac_roman", (None, False)),
    ],
)
def test_an_encoding_is_certain_where_letters_prove_it(
    tmp_path: Path, text: str, written: str, expected: tuple[str | None, bool]
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(text.encode(written))
    encoding, is_certain = detect_encoding(make_file_source(path))
    assert is_certain is expected[1]
    if expected[0]:
        assert encoding == expected[0]
        assert path.read_bytes().decode(encoding) == text
