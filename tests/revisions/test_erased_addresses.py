"""Erasing a person masks their address in the history too, although the database cannot search it."""

import pytest
from sqlmodel import Session, select

from mailer.database.edition_models import RevisionText, UnsavedText
from mailer.database.secure_delete import MASK, list_compressed_columns, mask_addresses
from mailer.privacy.address_search import make_address_matcher
from mailer.team.members import Member
from tests.revisions.conftest import BEFORE, Desk


@pytest.mark.usefixtures("either_workspace")
def test_an_erased_address_is_masked_in_earlier_texts_and_unsaved_ones(
    desk: Desk, ann: Member, ben: Member
) -> None:
    base = desk.read().digest
    desk.must_save(ben, f"{BEFORE}Write to Bolor@Example.org.\n", base=base)
    desk.must_conflict(ann, f"{BEFORE}Write to bolor@example.org or b@example.org.\n", base=base)
    matcher = make_address_matcher("bolor@example.org")
    with Session(desk.engine) as session:
        assert mask_addresses(session.connection(), matcher.text_pattern, matcher.spellings) == 2
        session.commit()
        texts = [*session.exec(select(RevisionText.text)), *session.exec(select(UnsavedText.mine))]
        assert sorted(text.removeprefix(BEFORE) for text in texts) == [
            "",
            f"Write to {MASK} or b@example.org.\n",
            f"Write to {MASK}.\n",
        ]
        assert mask_addresses(session.connection(), matcher.text_pattern, matcher.spellings) == 0


def test_every_column_of_compressed_text_is_looked_through() -> None:
    assert {f"{column.table.name}.{column.name}" for column in list_compressed_columns()} == {
        "import_file.result",
        "revision_text.text",
        "translation_base.same_texts",
        "translation_base.text",
        "unsaved_text.base",
        "unsaved_text.mine",
    }
