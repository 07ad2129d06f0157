"""The page with the story editor."""

from collections.abc import Iterator

import pytest

from tests.web.studio.editor.story_form import StoryForm, serve_story_form


@pytest.fixture(scope="module")
def story_server() -> Iterator[StoryForm]:
    with serve_story_form() as story:
        yield story


@pytest.fixture
def story(story_server: StoryForm) -> StoryForm:
    """The page, as if nobody had opened it yet."""
    story_server.forget()
    return story_server
