"""How far translations are, told from files that may be changed anywhere."""

from datetime import datetime

import pytest

from editions.source.text_file import text_digest
from mailer.revisions.edition_file import FilePlace
from mailer.translations import TranslationState, record_base
from tests.factories.draft_edition import STORY as ORIGINAL
from tests.factories.draft_edition import STORY_ZH
from tests.translations.conftest import EDITION, LETTER, STORY, Desk

FILE = "stories/010-youth-forum.md"
TRANSLATION = "stories/010-youth-forum.zh.md"


def confirm(text: str, digest: str) -> str:
    """``text`` as a translation of the original with ``digest``."""
    return text.replace("---\n", f"---\ntranslated_from: {digest}\n", 1)


def test_a_translation_without_a_file_is_missing(desk: Desk) -> None:
    desk.draft.write("edition.zh.md", "---\ntitle: 我们的通讯\n---\n")
    assert desk.status().state is TranslationState.missing
    assert desk.assess().languages == ("zh",)


def test_a_translation_that_nobody_has_confirmed_is_complete_if_it_has_every_text(desk: Desk) -> None:
    desk.draft.translate()
    assert desk.status().state is TranslationState.complete
    assert not desk.status().is_confirmed


def test_what_a_translation_leaves_out_is_named(desk: Desk) -> None:
    desk.draft.translate()
    desk.draft.change(TRANSLATION, "  caption: 西安论坛\n", "")
    status = desk.status()
    assert status.state is TranslationState.draft
    assert [(text.key, text.original) for text in status.open_texts] == [
        ("image.caption", "The forum in Xi’an")
    ]


def test_a_copy_of_the_original_is_not_translated(desk: Desk) -> None:
    desk.draft.write(TRANSLATION, ORIGINAL)
    keys = [text.key for text in desk.status().open_texts]
    assert keys == ["title", "image.alt", "image.caption", "read_more.0.what", "body"]


def test_a_letter_that_is_missing_is_told(desk: Desk) -> None:
    desk.draft.translate()
    desk.draft.change("edition.zh.md", "各位同事：这是我们的秋天。", "")
    assert [text.key for text in desk.status(LETTER).open_texts] == [
        "period",
        "letter.titles",
        "body",
    ]


def test_a_changed_original_makes_a_confirmed_translation_outdated(desk: Desk) -> None:
    desk.draft.write("edition.zh.md", "---\ntitle: 我们的通讯\n---\n")
    desk.draft.write(TRANSLATION, confirm(STORY_ZH, text_digest(ORIGINAL)))
    assert desk.status().state is TranslationState.complete
    assert desk.status().is_confirmed
    desk.draft.change(FILE, "met in October", "met in November")
    assert desk.status().state is TranslationState.outdated


def test_studio_and_the_checks_agree_whether_an_original_has_changed(desk: Desk) -> None:
    desk.draft.write(FILE, ORIGINAL.replace("October", "October\u202e").replace("\n", "\r\n"))
    desk.draft.translate()
    desk.draft.write(TRANSLATION, confirm(STORY_ZH, "0" * 12))
    advice = next(problem for problem in desk.draft.problems() if problem.code == "original-changed")
    digest = advice.message.rpartition("translated_from: ")[2].strip("`.")
    desk.draft.write(TRANSLATION, confirm(STORY_ZH, digest))
    assert desk.status().state is TranslationState.complete


def test_a_text_that_is_meant_to_be_the_same_counts_as_translated(desk: Desk, now: datetime) -> None:
    desk.draft.translate()
    desk.draft.change(TRANSLATION, "title: 青年论坛", "title: A forum for youth")
    texts = desk.status().open_texts
    assert [text.key for text in texts] == ["title"]
    record_base(desk.session, EDITION, STORY, ORIGINAL, now=now, same_texts={text.digest for text in texts})
    assert desk.status().state is TranslationState.complete
    desk.draft.change(FILE, "title: A forum for youth", "title: A forum of youth")
    desk.draft.change(TRANSLATION, "title: A forum for youth", "title: A forum of youth")
    assert [text.key for text in desk.status().open_texts] == ["title"]


@pytest.mark.parametrize("name", [FILE, TRANSLATION])
def test_a_file_that_cannot_be_read_is_told_and_takes_no_others_with_it(desk: Desk, name: str) -> None:
    desk.draft.translate()
    desk.draft.write(name, b"---\ntitle: [\n---\n\xff")
    assert desk.status().state is TranslationState.unreadable
    assert desk.status(LETTER).state is not TranslationState.unreadable


def test_languages_are_counted(desk: Desk) -> None:
    desk.draft.translate()
    desk.draft.write("stories/020-bare.md", "---\ntitle: Bare\n---\n\nText.\n")
    found = desk.assess()
    assert found.stories == (("youth-forum", "A forum for youth"), ("bare", "Bare"))
    assert found.count("zh", TranslationState.missing) == 1
    assert found.count("fr", TranslationState.missing) == 3


def test_a_translation_keeps_its_state_when_its_story_is_moved(desk: Desk, now: datetime) -> None:
    desk.draft.translate()
    desk.draft.change(TRANSLATION, "title: 青年论坛", "title: A forum for youth")
    same = {text.digest for text in desk.status().open_texts}
    record_base(desk.session, EDITION, STORY, ORIGINAL, now=now, same_texts=same)
    for name in (FILE, TRANSLATION):
        path = desk.draft.folder / name
        path.rename(path.with_name(path.name.replace("010", "030")))
    assert desk.status(FilePlace(story="youth-forum", language="zh")).state is TranslationState.complete
