"""Giving a sector a colour of its own in a theme: in the workspace's file for the theme, key by key."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

from locales.phrase import Phrase, gettext_noop
from mailer.atomic_write import locked_folder, write_atomically
from mailer.errors import TemplateError
from mailer.rendering.themes.theme_faults import find_low_contrast
from mailer.rendering.themes.theme_files import load_theme
from mailer.settings.changes.toml_splicer import change_toml, find_value

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_FILE_MODE = 0o644

ColourPair = tuple[str, str]
"""A colour for light mode and one for dark mode, each ``#rrggbb``."""


class ColourError(TemplateError):
    """The colours cannot be used; the message says why."""


def find_own_colour(root: Path, theme: str, sector: str) -> ColourPair | None:
    """The colours that the workspace in ``root`` gives a sector; None if it leaves that to the theme."""
    try:
        values = tomllib.loads(find_theme_file(root, theme).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = find_value(values, ("sections", sector))
    return (str(found[0]), str(found[1])) if isinstance(found, list) and len(found) == 2 else None


def change_sector_colour(
    root: Path, theme: str, sector: str, colours: ColourPair | None, *, was: ColourPair | None
) -> None:
    """Give a sector ``colours`` in a theme; None to have those that the theme chooses. ``was`` are those that
    it had.

    Raises:
        ColourError: they are no colours, too faint to read, or somebody else has changed them meanwhile.
        TemplateError: the theme cannot be read as it is.
        OSError: the file cannot be written.
    """
    if colours is not None:
        _check(root, theme, sector, colours)
    file = find_theme_file(root, theme)
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked_folder(root):
        if find_own_colour(root, theme, sector) != was:
            raise ColourError(
                gettext_noop("Somebody else has changed the colours meanwhile. Look at them, and try again.")
            )
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        value = None if colours is None else list(colours)
        write_atomically(file, change_toml(text, {("sections", sector): value}).encode(), mode=_FILE_MODE)


def find_theme_file(root: Path, theme: str) -> Path:
    """The file of the workspace in ``root`` for what it changes in a theme, whether or not there is one."""
    return root / "templates" / "email" / f"{theme}.toml"


def _check(root: Path, theme: str, sector: str, colours: ColourPair) -> None:
    if wrong := [one for one in colours if not _COLOUR.fullmatch(one)]:
        raise ColourError(
            Phrase(
                gettext_noop("%(text)s is not a colour. Write # and six digits or letters, such as #0b6a8f."),
                text=repr(wrong[0]),
            )
        )
    folder = root / "templates"
    found = load_theme(theme, folder if folder.is_dir() else None)
    changed = replace(found, sections={**found.sections, sector: colours})
    faults = [fault for fault in find_low_contrast(changed) if f"sections.{sector} " in fault]
    if faults:
        raise ColourError(" ".join(faults))
