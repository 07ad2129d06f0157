"""The problems of an edition, as ``mailer check`` finds them: a line for lists, or all of them by file."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from starlette.responses import Response

from editions.problem import Problem
from editions.source.folder import STORIES_FOLDER
from mailer.campaigns.corrections import SEPARATOR
from mailer.web.studio.editions.edition_page import find_correction_page
from mailer.web.studio.page import PageDep
from mailer.web.studio.story_place import find_edition_folder


@dataclass(frozen=True, kw_only=True)
class FileProblems:
    """The problems of one file; ``page`` is the page below the edition's that mends them."""

    path: str
    page: str
    problems: Sequence[Problem]


def show_problems(edition: str, page: PageDep) -> Response:
    """Show the problems of an edition; for htmx, how many. Those of a correction are on its page."""
    if SEPARATOR in edition:
        return page.redirect(find_correction_page(page, edition))
    find_edition_folder(page, edition)
    if page.is_fragment:
        return page.render(
            "problem_count.html", edition=edition, count=page.state.problem_counts.count(edition)
        )
    compiled = page.state.previews.compiler(edition).compile()
    return page.render(
        "problems.html",
        section="editions",
        edition=edition,
        title=compiled.edition.title if compiled.edition else edition,
        errors=compiled.errors,
        warnings=len(compiled.problems) - compiled.errors,
        files=group_by_file(compiled.problems),
        switched_off=compiled.switched_off,
    )


def group_by_file(problems: Sequence[Problem]) -> list[FileProblems]:
    """The problems of each file, the most serious files first."""
    ordered = sorted(problems, key=lambda problem: problem.path)
    files = [
        FileProblems(path=path, page=find_page(path), problems=tuple(found))
        for path, found in groupby(ordered, key=lambda problem: problem.path)
    ]
    return sorted(files, key=lambda file: min(problem.level for problem in file.problems))


def find_page(path: str) -> str:
    """The page on which a file is changed, below that of its edition; "" where it is the edition's own."""
    folder, _, name = path.rpartition("/")
    stem, _, language = name.removesuffix(".md").partition(".")
    if folder != STORIES_FOLDER or not name.endswith(".md"):
        return "/letter" if stem == "edition" and not language else ""
    slug = stem.partition("-")[2]
    return f"/stories/{slug}" + (f"/translations/{language}" if language else "")
