"""Reads a theme from its file, with what is wrong with it and which version its templates must have."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from locales.phrase import Phrase, gettext_noop, join_sentences
from mailer.errors import TemplateError
from mailer.rendering.themes.field_docs import describe_fields, find_dataclasses
from mailer.rendering.themes.template_files import Phrases, read_toml, template_folders
from mailer.rendering.themes.theme import (
    MIN_TEXT_CONTRAST,
    Logo,
    Theme,
    TypeScale,
    TypeStep,
    find_logo,
    measure_contrast,
)

_TOO_LIGHT = gettext_noop(
    "%(appearance)s: %(name)s %(ink)s on the %(ground)s has a contrast of %(ratio)s:1, but text needs "
    "%(least)s:1. Choose a darker colour."
)
_TOO_DARK = gettext_noop(
    "%(appearance)s: %(name)s %(ink)s on the %(ground)s has a contrast of %(ratio)s:1, but text needs "
    "%(least)s:1. Choose a lighter colour."
)
VERSION_KEY = "version"
TEMPLATE_VERSION = 2
"""The version of the shipped templates; raised when templates of a workspace have to do something new."""
_UNVERSIONED = 1
"""The version of a theme that does not say: of before themes had versions."""
CHANGES: Mapping[int, str] = MappingProxyType(
    {
        2: gettext_noop(
            "an edition can be a digest. If page.form is “digest”, the layout includes "
            "email/blocks/digest.mjml.j2, which shows the stories of a section as cards where "
            "section.as_cards is true; the plain text does so in email/blocks/story.txt.j2; and the style "
            "sheets have rules for the classes kb, kc, kh and kw."
        )
    }
)
DIGEST_SINCE = 2
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def find_low_contrast(theme: Theme) -> Iterator[str]:
    """Yield a message for every text colour that is hard to read on one of its backgrounds, light or dark,
    and if there is no colour for sections without one of their own."""
    if "other" not in theme.sections:
        yield gettext_noop("sections.other is missing: sections without a colour of their own use it.")
    for appearance, palette, which in (("light", theme.light, 0), ("dark", theme.dark, 1)):
        inks = {"ink": palette.ink, "muted": palette.muted, "link": palette.link}
        inks |= {f"sections.{key}": colours[which] for key, colours in theme.sections.items()}
        for ground_name, ground in (("sheet", palette.sheet), ("page", palette.page)):
            for name, ink in inks.items():
                ratio = measure_contrast(ink, ground)
                if ratio < MIN_TEXT_CONTRAST:
                    yield Phrase(
                        _TOO_LIGHT if which == 0 else _TOO_DARK,
                        appearance=appearance,
                        name=name,
                        ink=ink,
                        ground=f"{ground_name} {ground}",
                        ratio=f"{ratio:.2f}",
                        least=MIN_TEXT_CONTRAST,
                    )


def find_inconsistencies(theme: Theme, overrides: Path | None) -> Iterator[str]:
    """Yield a message for every token that is valid by itself but does not fit the others."""
    for entry in fields(TypeScale):
        step: TypeStep = getattr(theme.type, entry.name)
        if not step.size * 1.1 <= step.line <= step.size * 2:
            yield Phrase(
                "type.%(name)s: a line height of %(line)s px does not suit text of %(size)s px. Set line "
                "to between %(least)s and %(most)s.",
                name=entry.name,
                line=step.line,
                size=step.size,
                least=round(step.size * 1.2),
                most=round(step.size * 1.8),
            )
    widest = theme.content - theme.spacing.column - 200 if theme.layout.columns == 2 else theme.content
    if theme.pictures.shown > widest:
        yield Phrase(
            "pictures.shown: %(shown)s px is too wide for a sheet of %(width)s px with layout.columns = "
            "%(columns)s. Use %(widest)s or less.",
            shown=theme.pictures.shown,
            width=theme.layout.width,
            columns=theme.layout.columns,
            widest=widest,
        )
    yield from _find_logo_faults(theme.logo, find_logo(theme, overrides))


def _find_logo_faults(logo: Logo, path: Path | None) -> Iterator[str]:
    if logo.file and not (path and path.is_file()):
        yield Phrase(
            'logo.file: %(path)s does not exist. Put the picture there, or write file = "" for no logo.',
            path=path or logo.file,
        )
    if logo.file and not logo.alt.strip():
        yield gettext_noop('logo.alt is empty. Write what the logo says, such as alt = "UNESCO Beijing".')


def explain_error(fault: ErrorDetails) -> str:
    """Return a pydantic error as a message: which token, and what to write."""
    *above, name = place = [str(part) for part in fault["loc"]]
    token = ".".join(place)
    match fault["type"]:
        case "unexpected_keyword_argument":
            unknown = Phrase("%(token)s: unknown token.", token=token)
            return join_sentences([unknown, _suggest(above, name)])
        case "missing":
            return Phrase("%(token)s is missing. Add it, as in the shipped themes.", token=token)
        case "token":
            return Phrase(
                "%(token)s: invalid value %(value)s. %(advice)s.",
                token=token,
                value=f"{fault['input']!r}",
                advice=fault["msg"],
            )
        case _:
            return Phrase(
                "%(token)s: invalid value %(value)s. Write a table, as in the shipped themes.",
                token=token,
                value=f"{fault['input']!r}",
            )


def _suggest(above: list[str], name: str) -> str:
    """Return what ``name`` was probably meant to be: that of another table, or the most similar of its
    own."""
    table = "".join(f"{part}." for part in above)
    tokens = [token for token, _ in _walk_tokens(Theme, "")]
    elsewhere = [token for token in tokens if token.rpartition(".")[2] == name]
    siblings = [
        token.removeprefix(table)
        for token in tokens
        if token.startswith(table) and "." not in token.removeprefix(table)
    ]
    near = elsewhere or [f"{table}{sibling}" for sibling in get_close_matches(name, siblings, 1)]
    if near:
        return Phrase("Did you mean %(token)s?", token=near[0])
    return Phrase("The tokens are: %(tokens)s.", tokens=", ".join(siblings))


def _walk_tokens(holder: type, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield every token below ``holder`` with its type, by its dotted name; tables before their content."""
    for field in describe_fields(holder):
        yield f"{prefix}{field.name}", field.type
        for table in find_dataclasses(field.type):
            yield from _walk_tokens(table, f"{prefix}{field.name}.")


def check_version(values: Mapping[str, Any], file: str) -> int:
    """Return the version that the merged ``values`` of the theme ``file`` state. Raise TemplateError if it is
    not a number, or is that of a newer program."""
    version = values.get(VERSION_KEY, _UNVERSIONED)
    if type(version) is not int or version < 1:
        raise TemplateError(
            gettext_noop(
                "%(file)s: invalid value %(value)s. Write the number of the version that the theme was "
                "written for: %(key)s = %(version)s."
            ),
            file=f"{file}: {VERSION_KEY}",
            value=repr(version),
            key=VERSION_KEY,
            version=TEMPLATE_VERSION,
        )
    if version > TEMPLATE_VERSION:
        raise TemplateError(
            gettext_noop(
                "%(file)s is of version %(version)s of the templates, and this program has version "
                "%(current)s. Update the program, or use the theme as it was before."
            ),
            file=file,
            version=version,
            current=TEMPLATE_VERSION,
        )
    return version


def read_version(template: str, overrides: Path | None) -> int:
    """Return the version of the theme ``template``. Raises the errors of :func:`check_version`."""
    file = f"email/{template}.toml"
    return check_version(read_toml(file, overrides), file)


def explain_old_version(template: str, version: int) -> str:
    """Return what has changed since ``version``, and what to do; empty if the theme is up to date."""
    if version >= TEMPLATE_VERSION:
        return ""
    since = gettext_noop("Since version %(number)s, %(change)s")
    changes = [
        Phrase(since, number=number, change=Phrase(CHANGES[number]))
        for number in sorted(CHANGES)
        if number > version
    ]
    return Phrase(
        "templates/email/%(template)s.toml is of version %(version)s of the templates, and this program "
        "has %(current)s. %(changes)s Compare your templates with ours, add what is missing, then write "
        "`%(key)s = %(current)s` at the top of the file.",
        template=template,
        version=version,
        current=TEMPLATE_VERSION,
        changes=join_sentences(changes),
        key=VERSION_KEY,
    )


def check_digest_support(template: str, overrides: Path | None, phrases: Phrases) -> None:
    """Raise TemplateError if a theme is older than digests, or the phrases of a language are."""
    version = read_version(template, overrides)
    if version < DIGEST_SINCE:
        raise TemplateError(
            join_sentences(
                [
                    explain_old_version(template, version),
                    Phrase("Until then, write `form: full` in edition.md."),
                ]
            )
        )
    if not phrases.read_story:
        raise TemplateError(
            gettext_noop(
                "templates/email/words/%(language)s.toml has no `read_story`, which a digest needs: the "
                "words of the link from a card to the story, in English “Read the story”. Add the line "
                '`read_story = "…"`.'
            ),
            language=phrases.language,
        )


def explain_lost_link(story: str) -> str:
    """Return the message about a block of a workspace that shows no card of a ``story`` in a digest."""
    return Phrase(
        "the story %(story)s has no link to its page, though the edition is a digest. A template of "
        "yours that replaces one of ours was probably written before there were digests: %(change)s "
        "Compare your files in templates/email/blocks with ours and add what is missing, or write "
        "`form: full` in edition.md.",
        story=story,
        change=Phrase(CHANGES[DIGEST_SINCE]),
    )


@cache
def _theme_schema() -> TypeAdapter[Theme]:
    # Built once, because building it takes longer than everything it is used for.
    return TypeAdapter(Theme)


def load_theme(name: str, overrides: Path | None = None) -> Theme:
    """Return the theme ``name``, with the workspace's lines merged over ours. Raise TemplateError if there is
    no such theme, it has an unknown or invalid token, or a text colour is hard to read on its background;
    every error with its file, its token and what to write."""
    known = theme_names(overrides)
    if not _NAME.fullmatch(name) or name not in known:
        raise TemplateError(
            gettext_noop("%(name)s: no such template. Set one of these in edition.md: %(known)s."),
            name=name,
            known=", ".join(known),
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
    """Return the names an edition may set as its template."""
    folders = template_folders(overrides)
    layouts = {path.name for folder in folders for path in (folder / "email").glob("*.mjml.j2")}
    return tuple(sorted(name.removesuffix(".mjml.j2") for name in layouts))
