"""Reads a theme from its TOML file, with a workspace's lines merged over ours."""

import re
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from locales.phrase import Phrase, gettext_noop
from mailer.errors import TemplateError
from mailer.rendering.themes.template_files import read_toml, template_folders
from mailer.rendering.themes.template_version import VERSION_KEY, check_version
from mailer.rendering.themes.theme import Theme
from mailer.rendering.themes.theme_faults import explain_error, find_inconsistencies, find_low_contrast

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


@cache
def _theme_schema() -> TypeAdapter[Theme]:
    # Built once, because building it takes longer than everything it is used for.
    return TypeAdapter(Theme)


def load_theme(name: str, overrides: Path | None = None) -> Theme:
    """The theme ``name``, with the workspace's lines merged over ours.

    Raises:
        TemplateError: there is no such theme, it has an unknown or invalid token, or a text colour is hard to
            read on its background; every error with its file, its token and what to write.
    """
    known = theme_names(overrides)
    if not _NAME.fullmatch(name) or name not in known:
        raise TemplateError(
            Phrase(
                gettext_noop("%(name)s: no such template. Set one of these in edition.md: %(known)s."),
                name=name,
                known=", ".join(known),
            )
        )
    file = f"email/{name}.toml"
    try:
        values = read_toml(file, overrides)
        check_version(values, file)
        tokens = {name: value for name, value in values.items() if name != VERSION_KEY}
        theme = _theme_schema().validate_python(tokens)
    except ValidationError as error:
        faults = [explain_error(fault) for fault in error.errors()]
    else:
        faults = [*find_low_contrast(theme), *find_inconsistencies(theme, overrides)]
    if faults:
        own = overrides / file if overrides is not None and (overrides / file).is_file() else file
        raise TemplateError("\n".join(f"{own}: {fault}" for fault in faults))
    return theme


def theme_names(overrides: Path | None = None) -> tuple[str, ...]:
    """The names an edition may set as its template."""
    folders = template_folders(overrides)
    layouts = {path.name for folder in folders for path in (folder / "email").glob("*.mjml.j2")}
    return tuple(sorted(name.removesuffix(".mjml.j2") for name in layouts))
