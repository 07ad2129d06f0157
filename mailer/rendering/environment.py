"""Jinja, set up for mail: strict about what is missing, sandboxed, escaping wherever markup is written."""

import traceback
from pathlib import Path

from jinja2 import (
    ChoiceLoader,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment

import templates
from mailer.errors import TemplateError
from mailer.rendering.mjml import mark_origin
from mailer.rendering.sources import template_folders
from mailer.rendering.wrapping import wrap_text

SHIPPED = "shipped"
"""The prefix that names our own template even where the workspace has one of the same name."""


def make_environment(overrides: Path | None, *, markup: bool) -> ImmutableSandboxedEnvironment:
    """An environment for markup, where every value is escaped, or for plain text, where none is.

    Jinja's own ``select_autoescape()`` leaves ``.mjml.j2`` unescaped, so the choice is ours and made here.
    Style sheets are the exception inside markup: their quotes must stay, and no value of theirs comes from an
    author.
    """
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader(
            [
                FileSystemLoader(template_folders(overrides)),
                PrefixLoader({SHIPPED: FileSystemLoader(templates.ROOT)}),
            ]
        ),
        autoescape=(lambda name: not (name or "").endswith(".css.j2")) if markup else False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters["wrap"] = wrap_text
    environment.globals["origin"] = mark_origin
    return environment


def render_template(environment: ImmutableSandboxedEnvironment, name: str, **context: object) -> str:
    """Render the template ``name``.

    Raises:
        TemplateError: it does not exist, cannot be read, or asks for what is not there; with name and line.
    """
    try:
        return environment.get_template(name).render(context)
    except TemplateSyntaxError as error:
        raise TemplateError(f"{error.name}:{error.lineno}: {error.message}.") from error
    except TemplateNotFound as error:
        raise TemplateError(f"{error.name}: there is no such template, which {name} needs.") from error
    except (JinjaError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise TemplateError(f"{_locate(error, name)}: {error}.") from error


def _locate(error: Exception, name: str) -> str:
    """Where in the templates it happened: Jinja puts template files and lines into the traceback."""
    places = [
        f"{frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.endswith(".j2")
    ]
    return places[-1] if places else name
