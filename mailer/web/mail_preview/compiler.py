"""Compiling an edition for the preview, again whenever one of its files has changed."""

import hashlib
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from editions.checks.registry import DisabledCheck
from editions.errors import Problem, ProblemLevel
from editions.images.prepared_images import PreparedImage
from editions.model import Edition, EditionForm
from editions.reader import inspect_edition
from mailer.campaigns.corrections import SEPARATOR
from mailer.campaigns.named_plan import plan_written_correction
from mailer.campaigns.preflight import run_preflight
from mailer.errors import BuildError, ConfigurationError, MailerError, TemplateError
from mailer.rendering.body.variants import choose_language
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition, compile_excerpt
from mailer.web.dependencies import UtcClock, utc_now
from mailer.workspace import Workspace
from subscribers.errors import SubscriberError
from templates import ROOT

_MAX_EDITIONS = 6
"""Editions whose mail is kept, each with its pictures: a team writes one or two at a time."""


@dataclass(frozen=True, kw_only=True)
class CompiledPreview:
    """An edition compiled from its files at ``version``. ``mails`` are by language, and empty while the
    edition has errors. With ``launch_problems`` it can be looked at and tested, but not launched.
    """

    version: str
    edition: Edition | None
    mails: dict[str, CompiledEdition]
    problems: tuple[Problem, ...]
    switched_off: tuple[DisabledCheck, ...] = ()
    launch_problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> int:
        return sum(problem.level is ProblemLevel.error for problem in self.problems)

    @property
    def warnings(self) -> int:
        return len(self.problems) - self.errors

    @property
    def problems_by_file(self) -> list[tuple[str, list[Problem]]]:
        """The problems of each file, files with errors first."""
        groups = groupby(self.problems, key=lambda problem: problem.path)
        files = [(path, list(found)) for path, found in groups]
        return sorted(files, key=lambda file: min(problem.level for problem in file[1]))

    @property
    def own_first(self) -> tuple[CompiledEdition, ...]:
        """The mails, that in the edition's own language first."""
        own = self.edition.language if self.edition is not None else ""
        return tuple(sorted(self.mails.values(), key=lambda mail: mail.language != own))


class UnsavedMail(NamedTuple):
    """An email, or one story of it, made of texts that are not saved yet, without its checks; None if nothing
    can be made of them, and words that say why."""

    mail: CompiledEdition | None
    words: str = ""


class PreviewCompiler:
    """Compiles one edition and keeps the latest result. Thread-safe."""

    def __init__(self, workspace: Workspace, slug: str) -> None:
        self.workspace = workspace
        self.slug = slug
        self._lock = threading.Lock()
        self._compiled: CompiledPreview | None = None
        self._other_form: tuple[tuple[str, EditionForm, str], CompiledEdition] | None = None
        self._recent_images: deque[dict[str, PreparedImage]] = deque(maxlen=4)

    def read_version(self) -> str:
        """Return a digest that changes whenever a file of the edition or a template changes."""
        digest = hashlib.sha256()
        for path, status in sorted(self._list_watched_files()):
            digest.update(os.fsencode(f"{path}\0{status.st_mtime_ns}\0{status.st_size}\n"))
        return digest.hexdigest()[:16]

    def find_compiled(self) -> CompiledPreview | None:
        """Return the latest result, if its files have not changed since; None if it has to be compiled."""
        known = self._compiled
        return known if known is not None and known.version == self.read_version() else None

    def compile(self) -> CompiledPreview:
        """Compile the edition unless its files are unchanged. A page and its frames ask at once."""
        with self._lock:
            version = self.read_version()
            if self._compiled is None or self._compiled.version != version:
                self._compiled = self._compile(version)
                if self._compiled.mails:
                    self._recent_images.append(_index_images(self._compiled.mails.values()))
            return self._compiled

    def compile_in_form(self, mail: CompiledEdition, form: EditionForm) -> CompiledEdition:
        """Compile the edition in another form than its own, in the language of ``mail``, and keep the latest.
        Raise TemplateError if the theme cannot show this form.
        """
        compiled = self.compile()
        with self._lock:
            key = (compiled.version, form, mail.language)
            if self._other_form is None or self._other_form[0] != key:
                assert compiled.edition is not None  # noqa: S101 - there is a mail of it
                other = compile_edition(
                    replace(compiled.edition, form=form),
                    self.workspace.settings,
                    language=mail.language,
                    overrides=self.workspace.template_overrides,
                )
                self._other_form = (key, other)
                self._recent_images.append(_index_images([other]))
            return self._other_form[1]

    def compile_unsaved(
        self,
        unsaved: Mapping[str, str],
        *,
        story: str | None = None,
        language: str = "",
        form: EditionForm | None = None,
    ) -> UnsavedMail:
        """Compile the edition with the texts ``unsaved`` in place of its files, by name; nothing is checked.
        ``story`` is the slug of the only story to compile, "" for the letter, None for all of it;
        ``language`` and ``form`` are the edition's own where it has no other.
        """
        try:
            mail = self._compile_unsaved(unsaved, story, language, form)
        except (TemplateError, BuildError, ConfigurationError, MailerError) as error:
            return UnsavedMail(mail=None, words=str(error))
        if mail is None:
            return UnsavedMail(mail=None)
        with self._lock:
            self._recent_images.append(_index_images([mail]))
        return UnsavedMail(mail=mail)

    def _compile_unsaved(
        self, unsaved: Mapping[str, str], story: str | None, language: str, form: EditionForm | None
    ) -> CompiledEdition | None:
        settings, overrides = self.workspace.settings, self.workspace.template_overrides
        folder = self.workspace.edition_folder(self.slug)
        found = inspect_edition(folder, sectors=settings.sectors, unsaved=unsaved)
        edition = found.edition or found.partial
        if edition is None:
            return None
        if form is not None and form is not edition.form:
            edition = replace(edition, form=form)
        spoken = choose_language(language, edition.languages)
        if story is None:
            return compile_edition(edition, settings, language=spoken, overrides=overrides)
        if story and all(one.slug != story for one in edition.stories):
            return None
        return compile_excerpt(edition, settings, story, language=spoken, overrides=overrides)

    def find_image(self, name: str) -> PreparedImage | None:
        """Find an image of the edition by its name. Those of the previous compilation are kept, too: a frame
        requests its images after its page, and the writer may have saved a file in between.
        """
        found = self._find_recent_image(name)
        if found is None:
            self.compile()
            found = self._find_recent_image(name)
        return found

    def _find_recent_image(self, name: str) -> PreparedImage | None:
        return next((images[name] for images in tuple(self._recent_images) if name in images), None)

    def _compile(self, version: str) -> CompiledPreview:
        try:
            examination = run_preflight(self.workspace, self.slug)
        except (ConfigurationError, MailerError) as error:
            return _describe_unreadable(version, error)
        return CompiledPreview(
            version=version,
            edition=examination.edition,
            mails={mail.language: mail for mail in examination.compiled},
            problems=examination.problems,
            switched_off=examination.switched_off,
            launch_problems=examination.launch_problems,
        )

    def _list_watched_files(self) -> Iterator[tuple[str, os.stat_result]]:
        root = self.workspace.root
        folders = (self.workspace.editions / self.slug, root / "templates", ROOT / "email")
        for folder in folders:
            yield from list_files(folder)


def _describe_unreadable(version: str, error: Exception) -> CompiledPreview:
    problem = Problem(path=".", line=1, level=ProblemLevel.error, code="unreadable", message=str(error))
    return CompiledPreview(version=version, edition=None, mails={}, problems=(problem,))


def _index_images(mails: Iterable[CompiledEdition]) -> dict[str, PreparedImage]:
    return {image.name: image for mail in mails for image in mail.images}


def list_files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every file below ``folder`` with its status, except files deleted in the meantime."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                yield str(path), path.stat()
            except OSError:
                continue


class CorrectionCompiler(PreviewCompiler):
    """Compiles the correction called ``name`` from its note, again whenever that has changed. Thread-safe."""

    def __init__(self, workspace: Workspace, name: str, clock: UtcClock) -> None:
        super().__init__(workspace, name)
        self._clock = clock

    def _compile(self, version: str) -> CompiledPreview:
        try:
            with self.workspace.use_database() as engine:
                planned = plan_written_correction(self.workspace, engine, self.slug, now=self._clock())
        except (ConfigurationError, MailerError, SubscriberError) as error:
            return _describe_unreadable(version, error)
        return CompiledPreview(
            version=version,
            edition=None,
            mails={mail.language: mail for mail in planned.plan.compiled},
            problems=planned.plan.problems,
        )

    def _list_watched_files(self) -> Iterator[tuple[str, os.stat_result]]:
        notes = self.workspace.corrections / self.slug.partition(SEPARATOR)[0]
        for folder in (notes, self.workspace.root / "templates", ROOT / "email"):
            yield from list_files(folder)


class CompilerCache:
    """One compiler for each edition that was lately looked at. Thread-safe."""

    def __init__(
        self, workspace: Workspace, *, max_editions: int = _MAX_EDITIONS, clock: UtcClock = utc_now
    ) -> None:
        self._workspace = workspace
        self._max_editions = max_editions
        self._clock = clock
        self._compilers: OrderedDict[str, PreviewCompiler] = OrderedDict()
        self._lock = threading.Lock()

    def compiler(self, slug: str) -> PreviewCompiler:
        """Return the compiler of the edition ``slug``, or of the correction of that name. Raise
        ConfigurationError if there is no such edition.
        """
        is_correction = SEPARATOR in slug
        if not is_correction:
            self._workspace.edition_folder(slug)
        with self._lock:
            found = self._compilers.pop(slug, None)
            if found is None and is_correction:
                found = CorrectionCompiler(self._workspace, slug, self._clock)
            found = found or PreviewCompiler(self._workspace, slug)
            self._compilers[slug] = found
            while len(self._compilers) > self._max_editions:
                self._compilers.popitem(last=False)
            return found
