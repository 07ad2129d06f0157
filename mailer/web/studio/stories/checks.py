"""The checks of an edition, as a page and beside the text."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from starlette.responses import Response

from editions.errors import Problem, ProblemLevel
from editions.rich_text.block_reader import read_blocks
from editions.source.document import read_document
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.schema import EditionHeader, StoryHeader
from editions.source.text_file import TextFile
from mailer.checks.rules.mime import MAX_HTML_BYTES, WARN_HTML_BYTES
from mailer.revisions.edition_file import EditionFileError, parse_file_name
from mailer.web.forms import own_language_name
from mailer.web.mail_preview.compiler import CompiledPreview
from mailer.web.mail_preview.query import RecipientFinder
from mailer.web.mail_preview.shown_mail import list_versions
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.stories.composition import FieldKind, list_fields, split_text
from mailer.web.studio.stories.page_context import read_edition_title
from mailer.web.studio.story_place import PlaceDep, StoryPlace, find_place, make_story_path


@dataclass(frozen=True, kw_only=True)
class ListedProblem:
    """A problem, and where it leads. ``field`` is the id of the field it is about, "body" for the text, and
    ``block`` and ``line`` its place in the text, from 0 and from 1; ``href`` is the place on a page."""

    level: ProblemLevel
    code: str
    message: str
    href: str
    field: str = ""
    block: int | None = None
    line: int = 0
    file_line: int = 1

    @property
    def is_error(self) -> bool:
        return self.level is ProblemLevel.error


@dataclass(frozen=True, kw_only=True)
class ProblemGroup:
    """The problems of one file. ``title`` is its name, ``href`` its page; both are empty for the story whose
    page it is."""

    title: str
    href: str
    problems: Sequence[ListedProblem]


@dataclass(frozen=True, kw_only=True)
class CheckList:
    """The problems of the ``own`` text, and of the ``others`` of the edition."""

    own: Sequence[ListedProblem]
    others: Sequence[ProblemGroup]

    @property
    def errors(self) -> int:
        return sum(problem.is_error for problem in self._all)

    @property
    def warnings(self) -> int:
        return len(self._all) - self.errors

    @property
    def _all(self) -> list[ListedProblem]:
        return [*self.own, *(problem for group in self.others for problem in group.problems)]


def list_checks(place: StoryPlace, compiled: CompiledPreview) -> CheckList:
    """The problems that the checks of an edition have found, as the page of one of its texts lists them."""
    own, others = [], []
    for path, found in groupby(compiled.problems, key=lambda problem: problem.path):
        problems = list(found)
        if path == place.file.name:
            own += problems
        else:
            others.append((path, problems))
    locator = _Locator(place)
    groups = [_group(place, path, problems) for path, problems in others]
    groups.sort(key=lambda group: all(not problem.is_error for problem in group.problems))
    return CheckList(own=sorted(map(locator.locate, own), key=_rank), others=groups)


def _rank(problem: ListedProblem) -> tuple[bool, int]:
    return not problem.is_error, problem.file_line


def _group(place: StoryPlace, path: str, problems: Sequence[Problem]) -> ProblemGroup:
    href = _find_page(place, path)
    listed = [
        ListedProblem(
            level=problem.level,
            code=problem.code,
            message=problem.message,
            href=href,
            file_line=problem.line,
        )
        for problem in problems
    ]
    return ProblemGroup(title=path, href=href, problems=sorted(listed, key=_rank))


def _find_page(place: StoryPlace, path: str) -> str:
    """The page, below /studio, on which the file ``path`` of the edition is written."""
    try:
        found = parse_file_name(path)
    except EditionFileError:
        return place.edition_path
    if found.language:
        story = f"stories/{found.story}" if found.story else "letter"
        return f"{place.edition_path}/{story}/translations/{found.language}"
    return make_story_path(place.edition, found.story) if found.story else place.edition_path


class _Locator:
    """Finds the place in the form that a line of the file is about."""

    def __init__(self, place: StoryPlace) -> None:
        self._place = place
        text = place.file.text
        self._front: FrontMatter = read_front_matter(TextFile(name=place.file.name, text=text))[0]
        head, gap, body = split_text(text)
        self._body_start = head.count("\n") + 1
        self._shown_start = self._body_start + gap.count("\n")
        self._blocks = read_blocks(gap + body).blocks

    def locate(self, problem: Problem) -> ListedProblem:
        field, block, line = self._find_field(problem.line)
        is_picture = field == "picture"
        return ListedProblem(
            level=problem.level,
            code=problem.code,
            message=problem.message,
            href=f"{self._place.path}/picture" if is_picture else f"{self._place.path}#{field}",
            field="" if is_picture else field,
            block=block,
            line=line,
            file_line=problem.line,
        )

    def _find_field(self, line: int) -> tuple[str, int | None, int]:
        if line >= self._body_start:
            return "body", self._find_block(line), max(line - self._shown_start + 1, 1)
        paths = [(number, path) for path, number in self._front.lines.items() if number <= line]
        path = max(paths, key=lambda found: (found[0], len(found[1])), default=(1, ()))[1]
        return self._name_field(path), None, 0

    def _name_field(self, path: Sequence[str | int]) -> str:
        fields = list_fields(self._place.story)
        first = str(path[0]) if path else ""
        if first in {"image", "images"} or (self._place.is_letter and "portrait" in path):
            return "picture"
        for length in range(len(path), 0, -1):
            name = ".".join(map(str, path[:length]))
            if name in fields:
                return "read_more.0.what" if fields[name] is FieldKind.links else name
            if first == "read_more" and length == len(path):
                number = path[1] if len(path) > 1 and isinstance(path[1], int) else 0
                return f"read_more.{number}.{path[-1] if path[-1] in {'what', 'url'} else 'what'}"
        inside = next((name for name in fields if name.startswith(f"{first}.")), "")
        return inside or next(iter(fields))

    def _find_block(self, line: int) -> int | None:
        written = line - self._body_start
        for number, block in enumerate(self._blocks):
            if written < block.lines[1]:
                return number
        return len(self._blocks) - 1 if self._blocks else None


def count_own_errors(page: StudioPage, place: StoryPlace, name: str) -> int:
    """How many errors the file ``name`` has by itself, as it was just saved; for this nothing is compiled."""
    header = StoryHeader if place.story else EditionHeader
    sectors = tuple(page.settings.sectors)
    _, problems = read_document(place.folder, name, header, sectors=sectors, language=None)
    return sum(problem.level is ProblemLevel.error for problem in problems)


def show_checks(page: PageDep, place: PlaceDep) -> Response:
    """Show the problems of a story, and of its edition."""
    compiled = page.state.previews.compiler(place.edition).compile()
    return page.render(
        "story_checks.html" if not page.is_fragment else "story_checks_list.html",
        section="editions",
        place=place,
        edition_title=read_edition_title(place),
        checks=list_checks(place, compiled),
        switched_off=compiled.switched_off,
    )


def show_versions(edition: str, page: PageDep) -> Response:
    """Show which versions of an edition today's readers get, and how large each is."""
    place = find_place(page, edition, "")
    compiled = page.state.previews.compiler(edition).compile()
    state = page.state
    reader = RecipientFinder(state.workspace, state.engine).anonymous.reader
    versions, further = list_versions(tuple(compiled.mails.values()), state.audience.list_cohorts(), reader)
    return page.render(
        "edition_versions.html" if not page.is_fragment else "edition_versions_list.html",
        section="editions",
        place=place,
        edition_title=read_edition_title(place),
        versions=versions,
        further=further,
        has_errors=bool(compiled.errors),
        language_names={tag: own_language_name(tag) for tag in compiled.mails},
        large=WARN_HTML_BYTES,
        largest=MAX_HTML_BYTES,
        chosen=page.request.query_params.get("version", ""),
    )
