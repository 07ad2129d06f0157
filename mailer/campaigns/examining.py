"""Everything that is wrong with an edition, found in one go: in its files, and in the mail it becomes."""

from dataclasses import dataclass

from editions.model import Edition
from editions.problem import Level, Problem
from editions.reading import inspect_edition
from mailer.errors import TemplateError
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.compiling import compile_edition
from mailer.rendering.judging import check_compiled
from mailer.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Examination:
    """An edition with all its problems, sorted by place, and the compiled mail in each of its languages.

    ``edition`` is None where its files could not be read at all; ``compiled`` is empty where they
    hold errors.
    """

    slug: str
    edition: Edition | None
    compiled: tuple[CompiledEdition, ...]
    problems: tuple[Problem, ...]

    @property
    def has_errors(self) -> bool:
        return any(problem.level is Level.error for problem in self.problems)


def examine(workspace: Workspace, slug: str) -> Examination:
    """Read, check, compile and judge an edition of the workspace.

    Raises:
        ConfigurationError: there is no such edition. Bad content raises nothing: it is in ``problems``.
    """
    inspection = inspect_edition(workspace.edition_folder(slug), sectors=workspace.settings.sectors)
    problems = list(inspection.problems)
    compiled: list[CompiledEdition] = []
    if inspection.edition is not None and not any(problem.level is Level.error for problem in problems):
        for language in inspection.edition.languages:
            try:
                mail = compile_edition(
                    inspection.edition,
                    workspace.settings,
                    language=language,
                    overrides=workspace.template_overrides,
                )
            except TemplateError as error:
                problems.append(_template_problem(error))
            else:
                compiled.append(mail)
                problems.extend(check_compiled(mail))
    return Examination(
        slug=slug, edition=inspection.edition, compiled=tuple(compiled), problems=tuple(sorted(problems))
    )


def _template_problem(error: TemplateError) -> Problem:
    return Problem(path="edition.md", line=1, level=Level.error, code="template", message=str(error))
