"""Filling the holes of a compiled edition for one reader."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from mailer.errors import BuildError
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.headers import plain_phrase
from mailer.rendering.holes import PATTERN, Context, Hole
from mailer.rendering.reader import Reader

_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
# The greeting alone on its line, with the empty line below it.
_GREETING_LINE = re.compile(f"^{Hole.greeting.mark}\n+", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Personal:
    """The two parts of one reader's mail, complete."""

    html: str
    text: str


def personalise(compiled: CompiledEdition, reader: Reader) -> Personal:
    """Fill the holes of ``compiled`` for ``reader``; no value is looked at again, whatever it holds.

    Raises:
        BuildError: a link is no URL, or the edition has a hole this program does not know.
    """
    values = _fill_values(compiled, reader)
    text = compiled.text if values[Hole.greeting] else _GREETING_LINE.sub("", compiled.text)
    return Personal(html=_fill(compiled.html, values, escape), text=_fill(text, values, str))


def _fill_values(compiled: CompiledEdition, reader: Reader) -> Mapping[Hole, str]:
    name = plain_phrase(reader.name)
    values = {
        Hole.greeting: compiled.greeting.replace("{name}", name) if name else "",
        Hole.unsubscribe_url: reader.unsubscribe_url,
        Hole.preferences_url: reader.preferences_url,
        Hole.archive_url: reader.archive_url(compiled.slug, compiled.language),
    }
    for hole, value in values.items():
        if hole.context is Context.url and not _URL.fullmatch(value):
            raise BuildError(f"{reader.email or 'a reader'}: {hole} is no URL: {value!r}.")
    return values


def _fill(template: str, values: Mapping[Hole, str], written: Callable[[str], str]) -> str:
    """``template`` in one pass, so that a name that looks like a hole stays a name."""

    def fill_hole(match: re.Match[str]) -> str:
        try:
            return written(values[Hole(match[1])])
        except ValueError:
            known = ", ".join(hole.mark for hole in Hole)
            raise BuildError(f"{match[0]} is no hole this program can fill. There are: {known}.") from None

    return PATTERN.sub(fill_hole, template)
