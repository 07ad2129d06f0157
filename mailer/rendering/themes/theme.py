"""A theme as data: colours for light and dark, fonts, a type scale, spacing, a logo."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from locales.phrase import gettext_noop
from mailer.rendering.themes.field_docs import Help

MIN_FONT_SIZE = 13
"""The smallest font size that a theme may set, in pixels: with less, phone readers have to zoom in."""

# Thunderbird leaves 549 of 552 pixels when it forwards a mail: without it, the columns would not fit.
_SLACK = 4
_MIN_TEXT_WIDTH = 240

_CONFIG = ConfigDict(extra="forbid", frozen=True)
MIN_TEXT_CONTRAST = 4.5
"""The minimum contrast of text with its background (WCAG 2.2, success criterion 1.4.3, level AA)."""


def _expect(what: str) -> WrapValidator:
    """Replace pydantic's message, which quotes patterns, with ``what``."""

    def check(value: Any, handler: Any) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise PydanticCustomError("token", "{what}", {"what": what}) from None

    return WrapValidator(check)


def _pixels(least: int, most: int) -> WrapValidator:
    """Allow only a whole number of pixels from ``least`` to ``most``."""

    def check(value: Any, _handler: Any) -> int:
        if type(value) is int and least <= value <= most:
            return value
        what = gettext_noop("Write a whole number of pixels from %(least)s to %(most)s") % {
            "least": least,
            "most": most,
        }
        raise PydanticCustomError("token", "{what}", {"what": what})

    return WrapValidator(check)


Colour = Annotated[
    str,
    Field(pattern=r"^#[0-9a-f]{6}$"),
    _expect(gettext_noop('Write a colour as # and six lower-case hexadecimal digits, such as "#1d2733"')),
]
# A font stack must not contain anything that could end a style attribute or a rule.
FontStack = Annotated[
    str,
    Field(pattern=r"^[\w ',-]+$"),
    _expect(
        gettext_noop('Write font names separated by commas, the generic one last, such as "Georgia,serif"')
    ),
]
ColourPair = Annotated[
    tuple[Colour, Colour],
    _expect(gettext_noop('Write a colour for light and one for dark, such as ["#0b6a8f", "#6cc4e8"]')),
]
Columns = Annotated[int, Field(ge=1, le=2, strict=True), _expect(gettext_noop("Write 1 or 2"))]
SingleLine = Annotated[
    str, Field(pattern=r"^[^\n<>{}]*$"), _expect(gettext_noop("Write text in quotes, on one line"))
]
Bullet = Annotated[
    str, Field(max_length=1), _expect(gettext_noop('Write one character, such as "■", or "" for none'))
]
PictureFile = Annotated[
    str,
    Field(pattern=r"^$|^[\w-][\w .-]*\.(?i:jpe?g|png|gif)$"),
    _expect(
        gettext_noop(
            "Write the name of a JPEG, PNG or GIF file in templates/email of the workspace, such as "
            '"logo.png"'
        )
    ),
]


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The colours for light or dark mode: two backgrounds, three text colours, one for rules."""

    __pydantic_config__ = _CONFIG

    page: Annotated[Colour, Help("The background around the sheet, and of the footer.")]
    sheet: Annotated[Colour, Help("The background of the sheet behind the stories.")]
    ink: Annotated[Colour, Help("Text and titles.")]
    muted: Annotated[Colour, Help("Secondary text: captions, counts, the footer.")]
    link: Annotated[Colour, Help("Links, which are underlined too.")]
    rule: Annotated[Colour, Help("Thin lines between parts.")]


@dataclass(frozen=True, kw_only=True)
class Fonts:
    """Font stacks. ``text`` and ``title`` go into style attributes, the others only into the style sheet."""

    __pydantic_config__ = _CONFIG

    text: Annotated[FontStack, Help("Body text. Keep it short: it is repeated in every row of the email.")]
    title: Annotated[FontStack, Help("Titles and the letter. Keep it short, for the same reason.")]
    system: Annotated[FontStack, Help("Body text in programs that read the style sheet; may be long.")]
    languages: Annotated[
        dict[str, FontStack], Help("By language tag, for an edition or a passage in that language.")
    ]


@dataclass(frozen=True, kw_only=True)
class TypeStep:
    """One step of the type scale."""

    __pydantic_config__ = _CONFIG

    size: Annotated[int, _pixels(MIN_FONT_SIZE, 72), Help("The font size, in pixels.")]
    line: Annotated[
        int, _pixels(MIN_FONT_SIZE, 96), Help("The line height, in pixels; 1.2 to 1.8 times the font size.")
    ]


@dataclass(frozen=True, kw_only=True)
class TypeScale:
    """The type scale: ``{ size = 16, line = 26 }``, in pixels, for each kind of text."""

    __pydantic_config__ = _CONFIG

    title: Annotated[TypeStep, Help("The newsletter's title.")]
    phone_title: Annotated[TypeStep, Help("The same on a phone.")]
    section: Annotated[TypeStep, Help("The name of a section, and the letter's title.")]
    feature: Annotated[TypeStep, Help("The title of a lead story.")]
    phone_feature: Annotated[TypeStep, Help("The same on a phone.")]
    story: Annotated[TypeStep, Help("The title of every other story.")]
    heading: Annotated[
        TypeStep, Help("Small headings: the contents, follow us, headings inside a story, the signature.")
    ]
    letter: Annotated[TypeStep, Help("The text of the letter that opens the edition.")]
    body: Annotated[TypeStep, Help("The text of stories.")]
    contents: Annotated[TypeStep, Help("A line of the contents; large enough to tap.")]
    small: Annotated[TypeStep, Help("Issue and period, counts, the footer, alt texts.")]
    caption: Annotated[TypeStep, Help("Captions, and the signatory's titles.")]
    label: Annotated[TypeStep, Help("The office's name at the top, and the countries above a story.")]
    # With a value of its own, because themes of a workspace are older.
    card: Annotated[TypeStep, Help("The title of a story in a digest.")] = TypeStep(size=19, line=24)


Space = Annotated[int, _pixels(0, 96)]


@dataclass(frozen=True, kw_only=True)
class Spacing:
    """Spacing in pixels."""

    __pydantic_config__ = _CONFIG

    gutter: Annotated[Space, Help("Left and right of all content on the sheet.")]
    phone_gutter: Annotated[Space, Help("The same on a phone.")]
    outside: Annotated[Space, Help("Above and below the sheet, when the window is wider than the sheet.")]
    top: Annotated[Space, Help("Above the masthead.")]
    part: Annotated[Space, Help("Below the masthead and the contents, and around the letter.")]
    section: Annotated[Space, Help("Above a section.")]
    story: Annotated[Space, Help("Between two stories of a section.")]
    paragraph: Annotated[Space, Help("Below a paragraph.")]
    column: Annotated[Space, Help("Between a picture and the text beside it.")]
    indent: Annotated[Space, Help("Left of lists, and of the second line of an entry in the contents.")]
    bar: Annotated[int, _pixels(1, 12), Help("The thickness of the bar above a section.")]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The layout of the sheet."""

    __pydantic_config__ = _CONFIG

    width: Annotated[int, _pixels(480, 680), Help("The width of the sheet on a desktop screen, in pixels.")]
    columns: Annotated[
        Columns,
        Help(
            "2 puts pictures beside the text and the contents in two columns when there is room; 1 "
            "stacks everything."
        ),
    ]
    bullet: Annotated[Bullet, Help("The character before a line of the contents, in the section's colour.")]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Picture widths in pixels: as shown on a desktop screen, and as used to size the files. A file has up to
    twice as many pixels, for high-density screens, and for phones, where pictures are wider."""

    __pydantic_config__ = _CONFIG

    shown: Annotated[int, _pixels(16, 680), Help("A story's picture on a desktop screen.")]
    signature: Annotated[int, _pixels(16, 200), Help("The portrait beside a signature.")]
    feature: Annotated[
        int, _pixels(16, 680), Help("The width that the file of a lead story's picture is made for.")
    ]
    story: Annotated[
        int, _pixels(16, 680), Help("The same for any other story; it determines the size of the email.")
    ]
    portrait: Annotated[int, _pixels(16, 680), Help("The same for the portrait.")]


@dataclass(frozen=True, kw_only=True)
class Logo:
    """The picture above the masthead, if there is one. It is a file, not a web address: it is prepared, named
    and served like every picture of the edition, so that no other server learns who opens the email."""

    __pydantic_config__ = _CONFIG

    file: Annotated[
        PictureFile,
        Help("A JPEG, PNG or GIF in the workspace's `templates/email` folder; empty for no logo."),
    ]
    alt: Annotated[SingleLine, Help("The alternative text; required with a file.")]
    width: Annotated[int, _pixels(16, 680), Help("The display width, in pixels.")]


@dataclass(frozen=True, kw_only=True)
class Accent:
    """The colour of a section."""

    name: Annotated[str, Help("The CSS class for the colour in this email.")]
    light: Annotated[str, Help("The colour on a light background.")]
    dark: Annotated[str, Help("The colour on a dark background.")]


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Everything in a theme, by the tables of its TOML file."""

    __pydantic_config__ = _CONFIG

    layout: Annotated[Layout, Help("The layout of the sheet.")]
    logo: Annotated[Logo, Help("The picture above the masthead.")]
    fonts: Annotated[Fonts, Help("Font stacks.")]
    type: Annotated[TypeScale, Help("The type scale.")]
    spacing: Annotated[Spacing, Help("Spaces.")]
    pictures: Annotated[Pictures, Help("Picture widths.")]
    light: Annotated[Palette, Help("Colours in light mode.")]
    dark: Annotated[Palette, Help("Colours in dark mode.")]
    sections: Annotated[
        dict[str, ColourPair],
        Help(
            "A light and a dark colour for each section, by its key. A sector of yours without a colour gets "
            "one that no other section has; every other section without one uses that of `other`."
        ),
    ]

    def __reduce__(self) -> tuple[Callable[[bytes], "Theme"], tuple[bytes]]:
        """For pickle: every page to be rendered carries its theme, and most carry the same one."""
        return _unpack_theme, (self._packed,)

    @cached_property
    def _packed(self) -> bytes:
        return pickle.dumps({entry.name: getattr(self, entry.name) for entry in fields(self)})

    @property
    def content(self) -> int:
        """The pixels between the gutters of the sheet."""
        return self.layout.width - 2 * self.spacing.gutter

    @property
    def card(self) -> int:
        """The pixels of a card's picture and text in a digest, of which two are side by side."""
        return (self.content - self.spacing.column) // 2

    @property
    def beside(self) -> int:
        """The pixels for the text beside a story's picture, in a layout of two columns."""
        return self.content - self.pictures.shown - self.spacing.column - _SLACK

    @property
    def narrowest(self) -> int:
        """The pixels that a text beside a picture has at least; with less room it stands below it."""
        return min(_MIN_TEXT_WIDTH, self.beside)

    def accent(self, section: str, name: str) -> Accent:
        """Return the colour of ``section``, or that of ``other``, with the class ``name``."""
        light, dark = self.sections.get(section, self.sections["other"])
        return Accent(name=name, light=light, dark=dark)


@lru_cache(maxsize=8)
def _unpack_theme(packed: bytes) -> Theme:
    return Theme(**pickle.loads(packed))  # noqa: S301 - from the program that started us


def find_logo(theme: Theme, overrides: Path | None) -> Path | None:
    """Return the file of the theme's logo; None if it has none."""
    return overrides / "email" / theme.logo.file if theme.logo.file and overrides is not None else None


@lru_cache(maxsize=1024)
def measure_contrast(one: str, other: str) -> float:
    """Return the contrast of two colours written ``#rrggbb``, from 1 (the same) to 21 (black on white)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (to_linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def to_linear(value: float) -> float:
    """Return a channel of sRGB, from 0 to 1, as it is linear in light."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
