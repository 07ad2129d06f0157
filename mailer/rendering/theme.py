"""A theme as data: colours for light and dark, fonts, sizes of pictures. Templates turn it into CSS."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from mailer.errors import TemplateError
from mailer.rendering.contrast import LEAST, measure_contrast
from mailer.rendering.sources import read_toml, template_folders

Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
# What could end a style attribute or a rule has no business in a font stack.
FontStack = Annotated[str, Field(pattern=r"^[\w ',-]+$")]
Width = Annotated[int, Field(ge=16, le=600)]
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_CONFIG = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The colours of one appearance: two grounds, three inks, one rule."""

    __pydantic_config__ = _CONFIG

    page: Colour
    sheet: Colour
    ink: Colour
    muted: Colour
    link: Colour
    rule: Colour


@dataclass(frozen=True, kw_only=True)
class Fonts:
    """Font stacks. ``text`` and ``title`` go into style attributes, the others only into the sheet."""

    __pydantic_config__ = _CONFIG

    text: FontStack
    title: FontStack
    system: FontStack
    languages: dict[str, FontStack]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The widest a picture is ever laid out, in pixels, by where it stands."""

    __pydantic_config__ = _CONFIG

    feature: Width
    story: Width
    portrait: Width


@dataclass(frozen=True, kw_only=True)
class Accent:
    """The colour of a section. ``name`` is the class that carries it in this mail."""

    name: str
    light: str
    dark: str


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Everything a theme says. ``sections`` maps section keys to a light and a dark colour."""

    __pydantic_config__ = _CONFIG

    fonts: Fonts
    pictures: Pictures
    light: Palette
    dark: Palette
    sections: dict[str, tuple[Colour, Colour]]

    def accent(self, section: str, name: str) -> Accent:
        """The colour of ``section``, or that of ``other``, under the class ``name``."""
        light, dark = self.sections.get(section, self.sections["other"])
        return Accent(name=name, light=light, dark=dark)


def load_theme(name: str, overrides: Path | None = None) -> Theme:
    """The theme ``name``, with the workspace's lines laid over ours.

    Raises:
        TemplateError: there is no such theme, or it says something unknown, or a text colour cannot be read.
    """
    known = theme_names(overrides)
    if not _NAME.fullmatch(name) or name not in known:
        raise TemplateError(f"{name}: there is no such template. Set one in edition.md: {', '.join(known)}.")
    file = f"email/{name}.toml"
    try:
        theme = TypeAdapter(Theme).validate_python(read_toml(file, overrides))
    except ValidationError as error:
        faults = (f"{file}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise TemplateError("\n".join(faults)) from error
    faint = tuple(find_faint_colours(theme))
    if faint:
        raise TemplateError("\n".join(f"{file}: {sentence}" for sentence in faint))
    return theme


def theme_names(overrides: Path | None = None) -> tuple[str, ...]:
    """The names an edition may set as its template."""
    folders = template_folders(overrides)
    layouts = {path.name for folder in folders for path in (folder / "email").glob("*.mjml.j2")}
    return tuple(sorted(name.removesuffix(".mjml.j2") for name in layouts))


def find_faint_colours(theme: Theme) -> Iterator[str]:
    """A sentence for every text colour that is hard to read on a ground it stands on, light or dark."""
    if "other" not in theme.sections:
        yield "sections.other is missing: sections without a colour of their own take it."
    for appearance, palette, which in (("light", theme.light, 0), ("dark", theme.dark, 1)):
        inks = {"ink": palette.ink, "muted": palette.muted, "link": palette.link}
        inks |= {f"sections.{key}": colours[which] for key, colours in theme.sections.items()}
        for ground_name, ground in (("sheet", palette.sheet), ("page", palette.page)):
            for name, ink in inks.items():
                ratio = measure_contrast(ink, ground)
                if ratio < LEAST:
                    yield (
                        f"{appearance}: {name} {ink} on the {ground_name} {ground} has a contrast of "
                        f"{ratio:.2f}:1, and text needs {LEAST}:1. "
                        f"Take a {'darker' if which == 0 else 'lighter'} colour."
                    )
