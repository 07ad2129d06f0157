"""The page of one edition: its details, its letter, and its stories as cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.markdown.renderer import LETTER_HEADING_LEVEL
from editions.problem import Problem
from editions.source.document import Document, read_document
from editions.source.folder import EDITION_FILE, FolderContents, scan_folder
from editions.source.schema import EditionHeader
from mailer.campaigns.corrections import SEPARATOR, find_corrections
from mailer.campaigns.named_plan import find_note_of
from mailer.comments.thread_list import count_open_comments
from mailer.revisions.presence import list_present_by_place
from mailer.team.members import Permission
from mailer.web.form_options import own_language_name
from mailer.web.studio.editions.campaign_states import STATE_WORDS, EditionState, find_edition_states
from mailer.web.studio.editions.last_writers import find_last_writers
from mailer.web.studio.editions.moved_story import describe_move
from mailer.web.studio.editions.story_cards import SectionCards, list_story_cards
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.story_place import find_edition_folder

_PAGES = ("preview", "versions", "history")
"""Other pages of an edition, by the last part of their paths."""


@dataclass(frozen=True, kw_only=True)
class EditionView:
    """An edition as its page shows it. ``document`` is its ``edition.md``, None if that cannot be read, for
    which ``faults`` say why. ``strays`` are the problems of files that are no stories."""

    slug: str
    folder: Path
    contents: FolderContents
    document: Document[EditionHeader] | None
    faults: Sequence[Problem]
    strays: Sequence[Problem]
    sections: Sequence[SectionCards]

    @property
    def title(self) -> str:
        return (self.document.front_matter.text("title") if self.document else "") or self.slug

    @property
    def stories(self) -> int:
        return len(self.contents.stories)


def view_edition(page: StudioPage, edition: str) -> EditionView:
    """Read an edition for its page.

    Raises:
        HTTPException: 404, there is no such edition.
    """
    folder = find_edition_folder(page, edition)
    contents, settings = scan_folder(folder), page.settings
    document, problems = read_document(
        folder,
        EDITION_FILE,
        EditionHeader,
        sectors=settings.sectors,
        heading=LETTER_HEADING_LEVEL,
        stamp=contents.stamps.get(EDITION_FILE),
    )
    is_faulty = document is None or document.header is None
    return EditionView(
        slug=edition,
        folder=folder,
        contents=contents,
        document=document,
        faults=tuple(problems) if is_faulty else (),
        strays=[problem for problem in contents.problems if problem.code != "no-stories"],
        sections=list_story_cards(
            folder,
            contents,
            language=document.language if document else "en",
            settings=settings,
            translator=page.translator,
        ),
    )


def find_correction_page(page: StudioPage, name: str) -> str:
    """The page of the correction called ``name``, below /studio.

    Raises:
        HTTPException: 404, there is none, or its note is not in the workspace.
    """
    with page.state.read_session() as session:
        record = find_corrections(session.connection(), [name]).get(name)
    place = None if record is None else find_note_of(page.state.workspace, record)
    if place is None:
        raise HTTPException(404)
    names = (quote(part, safe="") for part in (place.edition, place.story))
    return f"/corrections/{'/'.join(names)}/{place.number}"


def show_edition(edition: str, page: PageDep, request: Request) -> Response:
    """Show an edition; for htmx, only its stories. The name of a correction leads to its page."""
    if SEPARATOR in edition:
        return page.redirect(find_correction_page(page, edition))
    view = view_edition(page, edition)
    said = describe_move(view.sections, request.query_params.get("moved", ""), page.translator)
    if page.is_fragment:
        with page.state.read_session() as session:
            open_comments = count_open_comments(session, edition)
        return page.render(
            "edition_stories.html",
            edition=view,
            said=said,
            open_comments=open_comments,
            present=list_present_stories(page, view.slug),
        )
    return render_edition(page, view, said=said)


def render_edition(
    page: StudioPage, view: EditionView, *, said: str = "", errors: Sequence[tuple[str, str]] = ()
) -> Response:
    """Render the page of an edition; ``said`` is what has just become of a story, ``errors`` why an act was
    refused."""
    with page.state.read_session() as session:
        writer = find_last_writers(session, [view.slug]).get(view.slug)
        state = find_edition_states(session, [view.slug])[view.slug]
        open_comments = count_open_comments(session, view.slug)
    words, tone = STATE_WORDS[state]
    summary = page.state.summaries.read(view.slug)
    return page.render(
        "edition.html",
        status=422 if errors else 200,
        section="editions",
        edition=view,
        front=view.document.front_matter if view.document else None,
        state=words,
        may_correct=page.may(Permission.prepare) and state in {EditionState.sending, EditionState.sent},
        tone=tone,
        said=said,
        open_comments=open_comments,
        present=list_present_stories(page, view.slug),
        errors=errors,
        writer=writer,
        pages=[name for name in _PAGES if page.leads_to(f"/editions/{{edition}}/{name}")],
        languages=[own_language_name(tag) for tag in (summary.language, *summary.complete) if tag],
        unfinished=[own_language_name(tag) for tag in summary.incomplete],
    )


def list_present_stories(page: StudioPage, edition: str) -> Mapping[str, Sequence[str]]:
    """The names of others who have a story of the edition open, or a translation of it, by the story's slug;
    "" is the letter."""
    with page.state.read_session() as session:
        found = list_present_by_place(session, edition, now=page.state.clock(), apart_from=page.member)
    present: dict[str, list[str]] = {}
    for place, names in found.items():
        present[place.story] = list(dict.fromkeys([*present.get(place.story, ()), *names]))
    return present
