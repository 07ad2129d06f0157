"""The original that a translation was made from is kept, or found in the history."""

from datetime import datetime

from sqlmodel import select

from mailer.database.edition_models import TranslationBase
from mailer.database.secure_delete import MASK, mask_addresses
from mailer.database.team_models import Role
from mailer.privacy.address_search import make_address_matcher
from mailer.revisions.edition_file import EditionFile, TextSave, read_edition_file
from mailer.revisions.edition_save import save_edition_file
from mailer.team.members import add_member
from mailer.translations import (
    digest_original,
    find_base_text,
    list_same_texts,
    record_base,
)
from tests.translations.conftest import EDITION, LETTER, STORY, Desk

FILE = "stories/010-youth-forum.md"


def test_the_original_is_kept_until_a_later_one_takes_its_place(desk: Desk, now: datetime) -> None:
    for text in ("First.", "Second."):
        record_base(desk.session, EDITION, STORY, text, now=now, same_texts={"a"})
    record_base(desk.session, EDITION, STORY, "Third.", now=now)
    assert find_base_text(desk.session, EDITION, STORY, digest_original("Third.")) == "Third."
    assert find_base_text(desk.session, EDITION, STORY, digest_original("First.")) is None
    assert find_base_text(desk.session, EDITION, LETTER, digest_original("Third.")) is None
    assert list_same_texts(desk.session, EDITION) == {STORY: frozenset({"a"})}


def test_an_original_that_only_the_history_has_is_found(desk: Desk, now: datetime) -> None:
    before = read_edition_file(desk.draft.folder, FILE)
    member = add_member(desk.session, "ann@example.org", "Ann Author", Role.author, now=now)
    saved = save_edition_file(
        desk.workspace,
        desk.session,
        TextSave(
            edition=EDITION,
            name=FILE,
            text=before.text.replace("October", "November"),
            base=before.digest,
            member=member,
            sitting="a page",
            now=now,
        ),
    )
    assert isinstance(saved, EditionFile)
    assert find_base_text(desk.session, EDITION, STORY, digest_original(before.text)) == before.text


def test_an_erased_address_is_masked_in_what_was_translated(desk: Desk, now: datetime) -> None:
    record_base(desk.session, EDITION, STORY, "Write to bolor@example.org.", now=now)
    desk.session.commit()
    matcher = make_address_matcher("bolor@example.org")
    assert mask_addresses(desk.session.connection(), matcher.text_pattern, matcher.spellings) == 1
    assert desk.session.exec(select(TranslationBase.text)).one() == f"Write to {MASK}."
