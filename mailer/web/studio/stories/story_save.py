"""Saving what the form of a story says, and what a save leads to."""

from dataclasses import dataclass

from mailer.activity.acts import Act
from mailer.revisions.edition_file import TextSave
from mailer.revisions.edition_save import Conflict, Saved, save_edition_file
from mailer.revisions.revision_log import find_text
from mailer.web.studio.page import StudioPage
from mailer.web.studio.stories.composition import ComposedText, StoryDraft, compose_text
from mailer.web.studio.story_place import StoryPlace


@dataclass(frozen=True, kw_only=True)
class SavedStory:
    """A story as it was saved, or the conflict that keeps what was written. ``adjusted`` is whether emphasis
    was moved a little so that Markdown can say it."""

    outcome: Saved | Conflict
    adjusted: bool


def compose_draft(page: StudioPage, place: StoryPlace, draft: StoryDraft) -> ComposedText:
    """The text of the file with what ``draft`` says, made from the text its page began from.

    Somebody may have changed the file since; saving then shows both. If the text it began from is not known
    any more, it is made from what the file has now, with every field as the form has it.

    Raises:
        FrontMatterError: a key of the front matter cannot be changed.
        UnwritableError: Markdown cannot say what the editor shows.
        DocumentSchemaError: the document is none of the editor's.
    """
    return compose_text(_find_base(page, place, draft), draft, place.story)


def _find_base(page: StudioPage, place: StoryPlace, draft: StoryDraft) -> str:
    if draft.base == place.file.digest:
        return place.file.text
    with page.state.read_session() as session:
        return find_text(session, place.edition, draft.base) or place.file.text


def save_draft(page: StudioPage, place: StoryPlace, draft: StoryDraft) -> SavedStory:
    """Save what ``draft`` says.

    Raises:
        FrontMatterError: a key of the front matter cannot be changed.
        UnwritableError: Markdown cannot say what the editor shows.
        DocumentSchemaError: the document is none of the editor's.
        TextRefusedError: no file can have this text.
    """
    composed = compose_draft(page, place, draft)
    save = TextSave(
        edition=place.edition,
        name=place.file.name,
        text=composed.text,
        base=draft.base,
        member=page.member,
        sitting=draft.sitting,
        sequence=draft.sequence,
        now=page.state.clock(),
        acts=(Act.wrote_text,),
    )
    with page.writing() as session:
        outcome = save_edition_file(page.state.workspace, session, save)
    return SavedStory(outcome=outcome, adjusted=composed.adjusted)
