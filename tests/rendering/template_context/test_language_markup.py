"""Words of one language among those of another say which they are; all others stay as they are."""

from datetime import datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from lxml import html as lxml_html

from editions.reader import read_edition
from mailer.database.models import TransactionalMailKind
from mailer.i18n import load_translator
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.template_context.page_builder import embed_sender_text, embed_text
from mailer.selfservice.transactional_mails import MAIL_TEXTS, build_letter
from mailer.settings import Settings
from tests.factories.sample_edition import sample_settings
from tests.factories.small_edition import write_edition


def settings_in(language: str) -> Settings:
    """Those of an office that wrote its name and address in that language; empty for not saying which."""
    settings = sample_settings(organisation="Office of Beijing")
    return settings.model_copy(update={"sender": settings.sender.model_copy(update={"language": language})})


def find_language(html: str, words: str) -> str:
    """The language in which a screen reader says ``words``."""
    document = lxml_html.document_fromstring(html)
    found = document.xpath("//body//text()[contains(., $words)]/ancestor::*[@lang][1]/@lang", words=words)
    assert found, f"{words} is nowhere"
    (language,) = set(map(str, found))
    return language


@pytest.mark.parametrize(
    ("text", "language", "around", "marked"),
    [
        ("A & B", "en", "en", "A &amp; B"),
        ("A & B", "en", "mn", '<span lang="en">A &amp; B</span>'),
        ("Pékin", "fr", "ar", '<span lang="fr" dir="ltr">Pékin</span>'),
        ("UNESCO 北京", "en", "en", 'UNESCO <span lang="zh-Hans">北京</span>'),
        ("", "en", "mn", ""),
    ],
)
def test_only_text_in_another_language_is_marked(text: str, language: str, around: str, marked: str) -> None:
    assert embed_text(text, language, around) == marked


@pytest.mark.parametrize(
    ("own", "around", "marked"),
    [
        ("", "en", "Beijing"),
        ("", "mn", '<span lang="en">Beijing</span>'),
        ("fr", "fr", "Beijing"),
        ("fr", "en", '<span lang="fr">Beijing</span>'),
        ("zh", "zh-Hans", "Beijing"),
        ("zh-Hant", "zh-Hans", '<span lang="zh-Hant">Beijing</span>'),
    ],
)
def test_the_office_sets_the_language_of_its_name_and_english_is_the_default(
    own: str, around: str, marked: str
) -> None:
    assert embed_sender_text("Beijing", settings_in(own).sender, around) == marked


@pytest.mark.parametrize(("own", "said"), [("", "en"), ("fr", "fr"), ("zh", "zh")])
def test_the_footer_of_a_translated_mail_marks_the_language_of_the_address(
    tmp_path: Path, own: str, said: str
) -> None:
    settings = settings_in(own)
    edition = read_edition(write_edition(tmp_path), sectors=settings.sectors)
    compiled = compile_edition(edition, settings, language="zh")
    html = compiled.assemble(compiled.full_variant).html
    for words in ("5-15-3 Waijiaogongyu", "Beijing 100600", "Office of Beijing"):
        assert find_language(html, words) == said
    assert find_language(html, "感谢你们的工作") == "zh"


def test_the_footer_of_a_mail_in_the_offices_own_language_is_not_marked(tmp_path: Path) -> None:
    settings = settings_in("")
    edition = read_edition(write_edition(tmp_path), sectors=settings.sectors)
    compiled = compile_edition(edition, settings)
    html = compiled.assemble(compiled.full_variant).html
    assert "<span lang=" not in html
    assert find_language(html, "5-15-3 Waijiaogongyu") == "en"


@pytest.mark.parametrize(("tag", "said"), [("mn", "en"), ("en", "en")])
def test_a_transactional_mail_marks_the_language_of_the_office_and_its_address(
    tag: str, said: str, now: datetime
) -> None:
    mail = message_from_bytes(
        build_letter(
            MAIL_TEXTS[TransactionalMailKind.confirm],
            TransactionalMailKind.confirm,
            envelope="bat@example.org",
            url="https://news.example.org/confirm/x",
            translator=load_translator(tag),
            settings=settings_in(""),
            mail_id=1,
            requested_at=now,
            now=now,
        ),
        policy=policy.default,
    )
    html, text = (mail.get_body((kind,)).get_content() for kind in ("html", "plain"))
    for words in ("5-15-3 Waijiaogongyu", "Office of Beijing", "UNESCO Beijing"):
        assert find_language(html, words) == said
    assert "Office of Beijing\n5-15-3 Waijiaogongyu" in text.replace("\r\n", "\n")
    assert "<" not in text
    assert html.count("<span") == (0 if tag == said else 4)
