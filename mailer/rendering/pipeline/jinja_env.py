"""The Jinja environment of templates, and what each story of a page depends on."""

import contextlib
import re
import stat
import textwrap
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound, TemplateSyntaxError
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.loaders import split_template_path
from jinja2.sandbox import ImmutableSandboxedEnvironment

import templates
from editions.cache import FileStamp, stamp_file
from locales.phrase import gettext_noop
from mailer.errors import TemplateError
from mailer.rendering.body.fragments import FragmentKind, mark_begin, mark_begin_text, mark_end, mark_end_text
from mailer.rendering.pipeline.mjml import mark_origin
from mailer.rendering.template_context.page import StoryView
from mailer.rendering.themes.template_files import template_folders

WIDTH = 76
_BULLET = re.compile(r"(?:[-*•]|\d+\.) +")
# What comes before the text of a line: indentation, quotation marks, list markers.
_PREFIX = re.compile(rf"(?: +|> |{_BULLET.pattern})*")
# Fields that fragments and messages are marked with: a story with other values is another story.
_IDENTITY_FIELDS = frozenset({"slug", "origin"})
SHIPPED = "shipped"
"""The prefix that names our own template even where the workspace has one of the same name."""
MAX_OUTPUT_BYTES = 4_000_000
"""The most bytes a template may write: some 2,000 stories, forty times what Gmail shows."""


def wrap_text(text: str, width: int = WIDTH) -> str:
    """Return ``text`` with its long lines broken at spaces. The lines of a list item are indented to its
    first word, and every line of a quotation has its ``> ``. Web addresses and words longer than a line stay
    whole."""
    return "\n".join(_wrap_line(line, width) for line in text.splitlines())


@lru_cache(maxsize=4096)
def _wrap_line(line: str, width: int) -> str:
    line = line.rstrip()
    if len(line) <= width:
        return line
    words = _PREFIX.sub("", line, count=1)
    lead = line[: len(line) - len(words)]
    return textwrap.fill(
        words,
        width,
        initial_indent=lead,
        subsequent_indent=_BULLET.sub(lambda bullet: " " * len(bullet[0]), lead),
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


@dataclass
class StoryAccess:
    """The story whose fragment is open, and whether all stories were used only in their own."""

    open_slug: str = ""
    stories_isolated: bool = True


_current: ContextVar[StoryAccess | None] = ContextVar("trace", default=None)


@contextmanager
def track_stories() -> Iterator[StoryAccess]:
    trace = StoryAccess()
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def record_access(story: StoryView, field: Any) -> None:
    trace = _current.get()
    if trace and story.slug != trace.open_slug and field not in _IDENTITY_FIELDS:
        trace.stories_isolated = False


def tracked_begin(mark: Callable[[str, str], str]) -> Callable[..., str]:
    """Wrap ``mark``, which begins fragments, so that the tracker knows which story is open."""

    def begin(kind: str, key: str = "") -> str:
        marked = mark(kind, key)
        if kind == FragmentKind.story and (trace := _current.get()):
            trace.open_slug = key
        return marked

    return begin


def tracked_end(mark: Callable[[str], str]) -> Callable[[str], str]:
    """Wrap ``mark``, which ends fragments, so that the tracker knows that the story is closed."""

    def end(kind: str) -> str:
        if kind == FragmentKind.story and (trace := _current.get()):
            trace.open_slug = ""
        return mark(kind)

    return end


class _TemplateLoader(BaseLoader):
    """Loads templates by name, the workspace's before ours. Jinja's own loaders consider a template fresh as
    long as its file is unchanged, so a long-running process would not notice a new file in a folder with
    precedence."""

    def __init__(self, overrides: Path | None) -> None:
        self._folders = template_folders(overrides)

    def get_source(
        self,
        environment: Environment,  # noqa: ARG002 - it is Jinja that calls this
        template: str,
    ) -> tuple[str, str, Callable[[], bool]]:
        places = self._list_paths(template)
        found = _find_file(places)
        if found is None:
            raise TemplateNotFound(template)
        path, _ = found
        try:
            source = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateError(
                gettext_noop("%(path)s: cannot be read: %(error)s. Save it as UTF-8 and try again."),
                path=path,
                error=error,
            ) from error
        return source, path, lambda: _find_file(places) == found

    def _list_paths(self, name: str) -> tuple[str, ...]:
        first, *rest = parts = split_template_path(name)
        folders, parts = ((templates.ROOT,), rest) if first == SHIPPED else (self._folders, parts)
        # Only our email templates: web pages have their own environment.
        return tuple(
            str(folder.joinpath(*parts))
            for folder in folders
            if folder != templates.ROOT or parts[:1] == ["email"]
        )


def _find_file(places: tuple[str, ...]) -> tuple[str, FileStamp] | None:
    """Return the first of ``places`` that is a file, and its stamp. An email has some twenty templates."""
    for place in places:
        try:
            stamp = stamp_file(place)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            continue
        if stat.S_ISREG(stamp.mode):
            return place, stamp
    return None


class _MailEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with a shortcut for the fields of a page, of which an email reads two thousand. It also
    tracks which stories are read."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        kind: Any = type(obj)
        if kind is StoryView:
            record_access(obj, attribute)
        if attribute in _fields_of(kind):
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if type(obj) is StoryView:
            record_access(obj, argument)
        return super().getitem(obj, argument)


@cache
def _fields_of(kind: type) -> frozenset[str]:
    """Return the fields of a frozen dataclass; empty for anything else."""
    if not is_dataclass(kind) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return frozenset()
    return frozenset(field.name for field in fields(kind))


# Cached, so that a process compiles each template once; templates that changed on disk are reloaded.
@lru_cache(maxsize=16)
def make_environment(overrides: Path | None, *, markup: bool) -> ImmutableSandboxedEnvironment:
    """Make an environment for markup, where every value is escaped, or for plain text, where none is. Jinja's
    own ``select_autoescape()`` leaves ``.mjml.j2`` unescaped, so we decide here. Style sheets are the
    exception in markup: their quotes must stay, and none of their values come from an author."""
    environment = _MailEnvironment(
        loader=_TemplateLoader(overrides),
        autoescape=(lambda name: not (name or "").endswith(".css.j2")) if markup else False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    # Rendering must be deterministic.
    del environment.globals["lipsum"], environment.filters["random"]
    environment.filters["wrap"] = wrap_text
    environment.globals["origin"] = mark_origin
    environment.globals["begin"] = tracked_begin(mark_begin if markup else mark_begin_text)
    environment.globals["end"] = tracked_end(mark_end if markup else mark_end_text)
    return environment


def render_template(environment: ImmutableSandboxedEnvironment, name: str, **context: object) -> str:
    """Render the template ``name``. Raise TemplateError if it does not exist, cannot be read, uses a missing
    value, does something forbidden, or writes too much; with name and line."""
    try:
        rendered = environment.get_template(name).render(context)
        # A lone surrogate, which a template can write as "\\ud83d", cannot be encoded.
        length = len(rendered.encode())
    except TemplateSyntaxError as error:
        raise TemplateError(f"{error.name}:{error.lineno}: {(error.message or '').rstrip('.')}.") from error
    except TemplateNotFound as error:
        missing = gettext_noop("%(missing)s: template not found. %(name)s needs it.")
        raise TemplateError(missing, missing=error.name, name=name) from error
    except SyntaxError as error:  # of the Python that Jinja generates: statements nest only twenty deep
        raise TemplateError(f"{error.filename or name}: {error.msg}.") from error
    except RecursionError as error:
        raise TemplateError(
            gettext_noop("%(place)s: the template calls or includes itself, or is nested too deep."),
            place=_locate(error, name),
        ) from error
    except (MemoryError, TemplateError):
        raise
    except Exception as error:  # of any kind: the template determines what is computed here
        raise TemplateError(f"{_locate(error, name)}: {str(error).rstrip('.')}.") from error
    if length > MAX_OUTPUT_BYTES:
        raise TemplateError(
            gettext_noop(
                "%(name)s: the output is %(size)s bytes, and an email has about a hundred thousand. Look "
                "for a loop over too many items, or text that is repeated many times."
            ),
            name=name,
            size=f"{length:,}",
        )
    return rendered


def compile_shipped_templates() -> None:
    """Compile the shipped templates before they are needed; an error is reported when one is rendered."""
    for path in sorted((templates.ROOT / "email").rglob("*.j2")):
        name = path.relative_to(templates.ROOT).as_posix()
        environment = make_environment(None, markup=not name.endswith((".txt.j2", ".inline.css.j2")))
        with contextlib.suppress(JinjaError):
            environment.get_template(name)


def _locate(error: Exception, name: str) -> str:
    """Return where in the templates it happened: Jinja puts files and lines into the traceback."""
    places = [
        f"{frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.endswith(".j2")
    ]
    return places[-1] if places else name
