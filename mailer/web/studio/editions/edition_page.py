"""The list of editions, and the page of one: its stories as cards, their order, and its problems."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from editions.model import Crop, ImageShape
from editions.overview import StoryCard, list_cards, read_header
from editions.source.folder import STORIES_FOLDER, scan_folder
from mailer.campaigns.corrections import SEPARATOR, find_corrections
from mailer.campaigns.edition_state import find_edition_states
from mailer.campaigns.named_plan import find_note_of
from mailer.comments.thread_list import count_open_comments
from mailer.i18n import gettext_noop
from mailer.revisions.history import find_last_writers
from mailer.revisions.presence import list_present_by_edition, list_present_by_place
from mailer.team.members import Permission
from mailer.web.forms import read_number
from mailer.web.studio.campaign_place import list_halted_items
from mailer.web.studio.page import PageDep, StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.story_place import (
    EditionPage,
    EditionPageDep,
    answer_with_image,
    make_note_path,
    open_edition,
)

ROUTES = Routes()
PAGE_SIZE = 30
_MOVED = gettext_noop("“%(title)s” is now number %(place)s of %(count)s in “%(section)s”.")
_WIDTH = 160
"""In CSS pixels, and twice as many of its own."""


@ROUTES.get_route("/editions", Permission.read)
def list_editions(page: PageDep) -> Response:
    slugs = page.state.summaries.list_slugs()
    number = read_number(page.request.query_params.get("page", "1"), digits=6) or 0
    first = (number - 1) * PAGE_SIZE
    or_404(number == 1 or 0 < first < len(slugs))
    shown = slugs[first : first + PAGE_SIZE]
    return page.render(
        "editions.html",
        editions=[page.state.summaries.read(slug) for slug in shown],
        states=find_edition_states(page.session, shown),
        halted=list(list_halted_items(page)),
        writers=find_last_writers(page.session, shown),
        present=list_present_by_edition(page.session, shown, now=page.state.clock(), apart_from=page.member),
        number=number,
        has_more=len(slugs) > first + PAGE_SIZE,
    )


@ROUTES.get_route("/editions/{edition}", Permission.read)
def show_edition(edition: str, page: PageDep) -> Response:
    """Show an edition; for htmx, only its stories. The name of a correction leads to its page."""
    if SEPARATOR in edition:
        return page.redirect(find_correction_page(page, edition))
    return render_edition(open_edition(page, edition))


def find_correction_page(page: StudioPage, name: str) -> str:
    """Return the page of the correction called ``name``, below /studio. 404 if there is none, or its note is
    not in the workspace."""
    record = or_404(find_corrections(page.session.connection(), [name]).get(name))
    return make_note_path(or_404(find_note_of(page.state.workspace, record)))


def list_sections(page: EditionPage) -> Mapping[str, Sequence[StoryCard]]:
    """Return the stories of the edition by the keys of their sections, both in order."""
    language = page.state.summaries.read(page.edition).language or "en"
    sectors = page.settings.sectors
    return list_cards(page.folder, scan_folder(page.folder), language=language, sectors=sectors)


def render_edition(page: EditionPage, error: str = "") -> Response:
    """Render the page of an edition; ``error`` is why an act was refused."""
    sections = list_sections(page)
    stories: dict[str, Any] = {
        "sections": sections,
        "said": _describe_move(page, sections, page.request.query_params.get("moved", "")),
        "open_comments": count_open_comments(page.session, page.edition),
        "present": _list_present(page),
        "summary": page.state.summaries.read(page.edition),
    }
    if page.is_fragment and not error:
        return page.render("edition_stories.html", **stories)
    contents = scan_folder(page.folder)
    document, problems = read_header(page.folder, contents, page.settings.sectors)
    state = find_edition_states(page.session, [page.edition])[page.edition]
    return page.render(
        "edition.html",
        errors=[("", error)] if error else [],
        front=document.front_matter if document else None,
        faults=problems if document is None or document.header is None else (),
        strays=[problem for problem in contents.problems if problem.code != "no-stories"],
        state=state,
        may_correct=page.may(Permission.prepare) and not state.is_open,
        writer=find_last_writers(page.session, [page.edition]).get(page.edition),
        **stories,
    )


def _describe_move(page: EditionPage, sections: Mapping[str, Sequence[StoryCard]], slug: str) -> str:
    """Return a sentence about where the story ``slug`` is now; "" if there is none."""
    for key, cards in sections.items():
        for place, card in enumerate(cards, start=1):
            if card.slug == slug:
                section = page.name_section(key)
                return page.translate(
                    _MOVED, title=card.title, place=place, count=len(cards), section=section
                )
    return ""


def _list_present(page: EditionPage) -> Mapping[str, Sequence[str]]:
    """Return the names of others who have a story of the edition open, or a translation of it, by the story's
    slug; "" is the letter."""
    now = page.state.clock()
    found = list_present_by_place(page.session, page.edition, now=now, apart_from=page.member)
    present: dict[str, list[str]] = {}
    for place, names in found.items():
        present[place.story] = list(dict.fromkeys([*present.get(place.story, ()), *names]))
    return present


@ROUTES.get_route("/editions/{edition}/problems", Permission.read)
def show_problems(edition: str, page: PageDep) -> Response:
    """Show the problems of an edition; for htmx, how many. Those of a correction are on its page."""
    if SEPARATOR in edition:
        return page.redirect(find_correction_page(page, edition))
    page = open_edition(page, edition)
    if page.is_fragment:
        return page.render("problem_count.html", count=page.state.problem_counts.count(edition))
    compiled = page.state.previews.compiler(edition).compile()
    return page.render(
        "problems.html",
        compiled=compiled,
        title=compiled.edition.title if compiled.edition else edition,
        files=[(path, _find_page(path), found) for path, found in compiled.problems_by_file],
    )


def _find_page(path: str) -> str:
    """Return the page on which a file is changed, below that of its edition; "" where it is that."""
    folder, _, name = path.rpartition("/")
    stem, _, language = name.removesuffix(".md").partition(".")
    if folder != STORIES_FOLDER or not name.endswith(".md"):
        return "/letter" if stem == "edition" and not language else ""
    slug = stem.partition("-")[2]
    return f"/stories/{slug}" + (f"/translations/{language}" if language else "")


@ROUTES.get_route("/editions/{edition}/thumb/{file}", Permission.read)
def show_thumb(file: str, page: EditionPageDep) -> Response:
    crop = Crop(shape=ImageShape.landscape)
    return answer_with_image(page, file, width=_WIDTH, crop=crop, cache="private, max-age=300")
