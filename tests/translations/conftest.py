"""An edition in a workspace, and what Studio says of its translations."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlmodel import Session

from mailer.revisions.edition_file import FilePlace
from mailer.translations import EditionTranslations, TranslationStatus, list_translation_states
from mailer.workspace import Workspace
from tests.factories.draft_edition import Draft

EDITION = "2021-2"
STORY = FilePlace(story="youth-forum", language="zh")
LETTER = FilePlace(language="zh")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The edition and a session in which its translations are assessed."""

    workspace: Workspace
    session: Session
    draft: Draft

    def assess(self) -> EditionTranslations:
        return list_translation_states(self.session, self.workspace, EDITION)

    def status(self, place: FilePlace = STORY) -> TranslationStatus:
        return self.assess().find_status(place.story, place.language)


@pytest.fixture
def desk(either_workspace: Workspace) -> Iterator[Desk]:
    engine = either_workspace.open_database(durable=False)
    draft = Draft(either_workspace.editions / EDITION)
    with Session(engine) as session:
        yield Desk(workspace=either_workspace, session=session, draft=draft)
    engine.dispose()
