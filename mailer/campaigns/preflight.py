"""Check an edition before sending: read its files, build its mails, and collect every problem."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial

from editions.checks.inbox import find_repeated_subjects
from editions.checks.registry import (
    DisabledCheck,
    apply_disabled_checks,
    merge_disabled_results,
    validate_disabled_checks,
)
from editions.errors import Problem, ProblemLevel
from editions.model import Edition, arrange_sections, list_written_texts
from editions.reader import Inspection, inspect_edition
from editions.skeleton_examples import find_example_remains
from editions.source.folder import EDITION_FILE
from locales.languages import language_name, text_direction
from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.recipients import (
    find_database_problem,
    find_missing_identity,
    find_variants,
    list_cohorts,
)
from mailer.campaigns.trial import find_example_sender
from mailer.checks.mail.parsed_mail import Mail, ParsedMail
from mailer.checks.registry import CHECKS
from mailer.checks.rules.links import list_links
from mailer.checks.rules.wording import find_written_code
from mailer.checks.runner import SourceLines, check_mails
from mailer.database.engine import open_session
from mailer.errors import BuildError, MjmlError, TemplateError
from mailer.rendering.body.variants import Variant
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.mail_merge import anonymous_reader
from mailer.rendering.message import build_message
from mailer.rendering.themes.sector_colours import color_sectors
from mailer.rendering.themes.template_files import find_phrase_language, load_phrases
from mailer.rendering.themes.theme import Theme
from mailer.rendering.themes.theme_files import explain_old_version, load_theme, read_version
from mailer.settings import SETTINGS_FILE, Settings
from mailer.workspace import Workspace
from subscribers.segments.segment import eligible

NO_POSTAL_ADDRESS = "no-postal-address"
"""The code of a sender whose name or address is missing, and of a mail without them."""
_STORY_FILE = re.compile(r"\bstories/[a-z0-9-]+\.md\b")


@dataclass(frozen=True, kw_only=True)
class PreflightReport:
    """An edition with all its problems, sorted by place, and the compiled mail in each of its languages.

    ``edition`` is None and ``compiled`` is empty if its files contain errors. ``mails`` were checked: each
    variant in each language, or with errors what can be made of the rest, which is never sent.
    ``launch_problems`` are not in ``problems``: they matter for a launch alone.
    """

    edition: Edition | None
    source: SourceLines
    compiled: tuple[CompiledEdition, ...]
    problems: tuple[Problem, ...]
    switched_off: tuple[DisabledCheck, ...] = ()
    mails: tuple[Mail, ...] = ()
    launch_problems: tuple[Problem, ...] = ()

    @property
    def has_errors(self) -> bool:
        return any(problem.level is ProblemLevel.error for problem in self.problems)


def run_preflight(
    workspace: Workspace,
    slug: str,
    *,
    choose_variants: Callable[[Sequence[CompiledEdition]], Iterable[Variant]] = lambda _: (),
    count_clicks: bool | None = None,
) -> PreflightReport:
    """Read, compile and check an edition: the whole edition in each language, and the variants chosen.
    ``count_clicks`` makes it larger; None is what the settings say. Raise ConfigurationError if there is no
    such edition."""
    folder = workspace.edition_folder(slug)
    source = SourceLines(folder)
    inspection = inspect_edition(folder, sectors=workspace.settings.sectors)
    # A sender who is not the workspace's own or has no postal address, and texts of the example edition.
    launch_problems = (*find_sender_problems(workspace), *find_example_remains(folder))
    report = check_inspection(
        workspace,
        inspection,
        source=source,
        found=find_repeated_subjects(workspace.editions, slug),
        choose_variants=choose_variants,
        count_clicks=count_clicks,
    )
    return replace(report, launch_problems=launch_problems)


def check_inspection(
    workspace: Workspace,
    inspection: Inspection,
    *,
    source: SourceLines,
    found: Iterable[Problem] = (),
    choose_variants: Callable[[Sequence[CompiledEdition]], Iterable[Variant]] = lambda _: (),
    count_clicks: bool | None = None,
) -> PreflightReport:
    """Compile and check an edition that was read from ``source``; ``found`` are problems already known."""
    # With errors in its files, what can be compiled is checked all the same, so that one run tells all.
    edition = inspection.edition or inspection.partial
    if edition is None:
        return _build_report(inspection, source, (), (), [*found])
    compiled, problems = _compile(workspace, edition)
    variants = () if problems else choose_variants(compiled)
    mails: list[Mail] = []
    try:
        counts = workspace.settings.campaigns.count_clicks if count_clicks is None else count_clicks
        mails = [
            replace(mail, counts_clicks=counts)
            for mail in _make_mails(workspace, edition, compiled, variants)
        ]
        problems += _find_untranslated_sectors(workspace, edition)
        problems += _find_old_theme(workspace, edition)
    except TemplateError as error:
        problems.append(_template_problem(error))
    except BuildError as error:
        problems.append(_problem("message-header", str(error)))
    problems += [*check_mails(mails, source), *found]
    sendable = compiled if inspection.edition else ()
    return _build_report(inspection, source, sendable, mails, problems)


def find_sender_problems(workspace: Workspace) -> tuple[Problem, ...]:
    """Return why nothing can be sent in the name of this sender."""
    senders = {
        NO_POSTAL_ADDRESS: find_missing_identity(workspace.settings),
        "example-sender": find_example_sender(workspace.settings),
    }
    return tuple(_problem(code, message, path=SETTINGS_FILE) for code, message in senders.items() if message)


def run_preflight_for_list(workspace: Workspace, slug: str, *, today: date) -> PreflightReport:
    """Like :func:`run_preflight`, with every variant that a subscriber would get ``today``; without a
    database of subscribers, only the whole edition."""
    with workspace.use_database() as engine:
        if find_database_problem(engine):
            return run_preflight(workspace, slug)
        with open_session(engine, read_only=True) as session:
            cohorts = list(list_cohorts(session, eligible(today)))
        return run_preflight(workspace, slug, choose_variants=partial(find_variants, cohorts))


def _find_untranslated_sectors(workspace: Workspace, edition: Edition) -> Iterator[Problem]:
    """Yield a warning for each translation with a section that has its sector's name in another language."""
    settings, overrides = workspace.settings, workspace.template_overrides
    used = arrange_sections(edition, sectors=tuple(settings.sectors))
    for language in edition.languages:
        phrases = load_phrases(language, overrides)
        # Phrases in the fallback language are no translation.
        known = phrases.sections if phrases.language.partition("-")[0] == language.partition("-")[0] else {}
        missing = [
            slug
            for slug in settings.sectors
            if slug in used and slug not in known and not settings.find_sector_name(slug, language)
        ]
        if missing and language != edition.language:
            lines = "; ".join(f'{slug} = "…"' for slug in missing)
            named = ", ".join(settings.sectors[slug] for slug in missing)
            yield Problem(
                path=EDITION_FILE,
                line=1,
                level=ProblemLevel.warning,
                code="untranslated-sector",
                message=Phrase(
                    "%(language)s: %(sectors)s has no name in %(wanted)s, so readers get the one in "
                    "%(shown)s. Add it to mailer.toml: %(lines)s",
                    language=language,
                    sectors=named,
                    wanted=language_name(language, "en"),
                    shown=language_name(edition.language, "en"),
                    lines=f"[sector_names.{language}] {lines}",
                ),
            )


def _find_old_theme(workspace: Workspace, edition: Edition) -> Iterator[Problem]:
    """Yield a warning if the theme is of an older version of the templates: it works for this form of the
    edition, or that would not have been compiled."""
    version = read_version(edition.template, workspace.template_overrides)
    if message := explain_old_version(edition.template, version):
        yield Problem(
            path=EDITION_FILE, line=1, level=ProblemLevel.warning, code="old-theme", message=message
        )


def _compile(workspace: Workspace, edition: Edition) -> tuple[list[CompiledEdition], list[Problem]]:
    """Compile the edition in each of its languages, its own first, and collect the problems."""
    compiled: list[CompiledEdition] = []
    problems: list[Problem] = []
    settings, overrides = workspace.settings, workspace.template_overrides
    for language in edition.languages:
        try:
            compiled.append(compile_edition(edition, settings, language=language, overrides=overrides))
        except TemplateError as error:
            problems.append(_template_problem(error))
    return compiled, problems


def _make_mails(
    workspace: Workspace,
    edition: Edition,
    compiled: Sequence[CompiledEdition],
    variants: Iterable[Variant],
) -> list[Mail]:
    overrides = workspace.template_overrides
    theme = color_sectors(load_theme(edition.template, overrides), tuple(workspace.settings.sectors))
    spoken = {mail.language: find_phrase_language(mail.language, overrides) for mail in compiled}
    by_language = {mail.language: mail for mail in compiled}
    wanted = dict.fromkeys((*(mail.full_variant for mail in compiled), *variants))
    mails = [
        make_mail(by_language[variant.language], variant, workspace.settings, theme) for variant in wanted
    ]
    written = find_written_code(list_written_texts(edition))
    return [replace(mail, words_language=spoken[mail.language], written=written) for mail in mails]


def _build_report(
    inspection: Inspection,
    source: SourceLines,
    compiled: Sequence[CompiledEdition],
    mails: Sequence[Mail],
    found: Sequence[Problem],
) -> PreflightReport:
    """Combine all problems. A problem found in a file is not reported again for the mail made from it."""
    switched_off = (problem for off in inspection.disabled_results for problem in off.problems)
    told = {(problem.code, problem.path) for problem in (*inspection.problems, *switched_off)}
    counting, off = apply_disabled_checks(
        [problem for problem in found if (problem.code, problem.path) not in told],
        inspection.disabled_checks,
        CHECKS,
    )
    faults = validate_disabled_checks(inspection.disabled_checks, CHECKS)
    return PreflightReport(
        edition=inspection.edition,
        source=source,
        compiled=tuple(compiled),
        problems=tuple(sorted({*inspection.problems, *counting, *faults})),
        switched_off=merge_disabled_results([inspection.disabled_results, off]),
        mails=tuple(mails),
    )


def make_mail(compiled: CompiledEdition, variant: Variant, settings: Settings, theme: Theme) -> Mail:
    """Build the mail that readers of ``variant`` get, for the checks. The variant with all stories includes
    its complete message. Raise BuildError if none can be made."""
    assembled, full = compiled.assemble(variant), variant == compiled.full_variant
    html_stories, text_stories = compiled.locate_stories(variant)
    message = (
        build_message(compiled, anonymous_reader(settings), settings, now=datetime.now(UTC)) if full else None
    )
    return Mail(
        language=compiled.language,
        direction=text_direction(compiled.language),
        html=assembled.html,
        text=assembled.text,
        subject=compiled.subject,
        preheader=compiled.preheader,
        theme=theme,
        organisation=settings.sender.organisation,
        postal_address=settings.sender.postal_address,
        base_url=settings.web.base_url,
        message=message,
        images={image.name: image for image in compiled.images},
        variant=_name_variant(variant, full=full),
        html_stories=html_stories,
        text_stories=text_stories,
    )


def _name_variant(variant: Variant, *, full: bool) -> str:
    if full:
        return gettext_noop("the whole edition")
    number = len(variant.stories)
    if not number:
        return gettext_noop("the version with 0 stories")
    if number == 1:
        return Phrase("the version with 1 story from %(first)s on", first=variant.stories[0])
    several = gettext_noop("the version with %(number)s stories from %(first)s on")
    return Phrase(several, number=number, first=variant.stories[0])


def add_link_problems(report: PreflightReport) -> PreflightReport:
    """Test the links in the mails over the network, and add the problems found to the report."""
    # Imported here because nothing else needs the web client.
    from mailer.checks.link_checker import check_links

    found = check_links(locate_links(report))
    switched_off = {off.code for off in report.switched_off}
    counting = [problem for problem in found if problem.code not in switched_off]
    silent = [
        replace(off, problems=tuple(problem for problem in found if problem.code == off.code) or off.problems)
        for off in report.switched_off
    ]
    return replace(
        report,
        problems=tuple(sorted({*report.problems, *counting})),
        switched_off=tuple(silent),
    )


def locate_links(report: PreflightReport) -> dict[str, tuple[str, int]]:
    """Return every web address in the mails, with the file and line that contain it: the first line of
    edition.md for an address that comes from a template."""
    links = dict.fromkeys(link for mail in report.mails for link in list_links(ParsedMail(mail)))
    return {link: report.source.locate_link(link) for link in links}


def _template_problem(error: TemplateError) -> Problem:
    """Return the problem of a template, at the story it was met in, if its message names one."""
    code, story = "mjml" if isinstance(error, MjmlError) else "template", _STORY_FILE.search(str(error))
    return _problem(code, str(error), path=story[0] if story else EDITION_FILE)


def _problem(code: str, message: str, *, path: str = EDITION_FILE) -> Problem:
    return Problem(path=path, line=1, level=ProblemLevel.error, code=code, message=message)
