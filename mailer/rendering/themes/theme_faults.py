"""What is wrong with a theme, in words: tokens that are unknown, invalid, at odds or hard to read."""

from collections.abc import Iterator
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic_core import ErrorDetails

from locales.phrase import Phrase, gettext_noop, join_sentences
from mailer.rendering.themes.contrast_ratio import MIN_TEXT_CONTRAST, measure_contrast
from mailer.rendering.themes.field_docs import describe_fields, find_dataclasses
from mailer.rendering.themes.theme import Logo, Theme, TypeScale, TypeStep, find_logo

_TOO_LIGHT = gettext_noop(
    "%(appearance)s: %(name)s %(ink)s on the %(ground)s has a contrast of %(ratio)s:1, but text needs "
    "%(least)s:1. Choose a darker colour."
)
_TOO_DARK = gettext_noop(
    "%(appearance)s: %(name)s %(ink)s on the %(ground)s has a contrast of %(ratio)s:1, but text needs "
    "%(least)s:1. Choose a lighter colour."
)


def find_low_contrast(theme: Theme) -> Iterator[str]:
    """A message for every text colour that is hard to read on one of its backgrounds, light or dark."""
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
    """A message for every token that is valid by itself but does not fit the others."""
    for entry in fields(TypeScale):
        step: TypeStep = getattr(theme.type, entry.name)
        if not step.size * 1.1 <= step.line <= step.size * 2:
            yield Phrase(
                gettext_noop(
                    "type.%(name)s: a line height of %(line)s px does not suit text of %(size)s px. Set line "
                    "to between %(least)s and %(most)s."
                ),
                name=entry.name,
                line=step.line,
                size=step.size,
                least=round(step.size * 1.2),
                most=round(step.size * 1.8),
            )
    widest = theme.content - theme.spacing.column - 200 if theme.layout.columns == 2 else theme.content
    if theme.pictures.shown > widest:
        yield Phrase(
            gettext_noop(
                "pictures.shown: %(shown)s px is too wide for a sheet of %(width)s px with layout.columns = "
                "%(columns)s. Use %(widest)s or less."
            ),
            shown=theme.pictures.shown,
            width=theme.layout.width,
            columns=theme.layout.columns,
            widest=widest,
        )
    yield from _find_logo_faults(theme.logo, find_logo(theme, overrides))


def _find_logo_faults(logo: Logo, path: Path | None) -> Iterator[str]:
    if logo.file and not (path and path.is_file()):
        yield Phrase(
            gettext_noop(
                'logo.file: %(path)s does not exist. Put the picture there, or write file = "" for no logo.'
            ),
            path=path or logo.file,
        )
    if logo.file and not logo.alt.strip():
        yield gettext_noop('logo.alt is empty. Write what the logo says, such as alt = "UNESCO Beijing".')


def explain_error(fault: ErrorDetails) -> str:
    """A pydantic error as a message: which token, and what to write."""
    *above, name = place = [str(part) for part in fault["loc"]]
    token = ".".join(place)
    match fault["type"]:
        case "unexpected_keyword_argument":
            unknown = Phrase(gettext_noop("%(token)s: unknown token."), token=token)
            return join_sentences([unknown, _suggest(above, name)])
        case "missing":
            return Phrase(
                gettext_noop("%(token)s is missing. Add it, as in the shipped themes."), token=token
            )
        case "token":
            return Phrase(
                gettext_noop("%(token)s: invalid value %(value)s. %(advice)s."),
                token=token,
                value=f"{fault['input']!r}",
                advice=fault["msg"],
            )
        case _:
            return Phrase(
                gettext_noop("%(token)s: invalid value %(value)s. Write a table, as in the shipped themes."),
                token=token,
                value=f"{fault['input']!r}",
            )


def _suggest(above: list[str], name: str) -> str:
    """What ``name`` was probably meant to be: a token of that name in another table, or the most similar one
    in its own."""
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
        return Phrase(gettext_noop("Did you mean %(token)s?"), token=near[0])
    return Phrase(gettext_noop("The tokens are: %(tokens)s."), tokens=", ".join(siblings))


def _walk_tokens(holder: type, prefix: str) -> Iterator[tuple[str, Any]]:
    """Every token below ``holder`` with its type, by its dotted name; tables before their content."""
    for field in describe_fields(holder):
        yield f"{prefix}{field.name}", field.type
        for table in find_dataclasses(field.type):
            yield from _walk_tokens(table, f"{prefix}{field.name}.")
