"""Filling the holes of a compiled edition for one reader, as text: for whoever looks at a mail.

The wire takes a shorter way to the same: :mod:`mailer.rendering.message`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from mailer.errors import BuildError
from mailer.rendering.body.merge_tags import PATTERN, Context, Hole
from mailer.rendering.body.variants import Variant
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.headers import plain_phrase
from mailer.rendering.reader import Reader

# Visible ASCII that may stand in a URL, and no more of it than a header line can hold.
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,900}")


@dataclass(frozen=True, kw_only=True)
class Personal:
    """The two parts of one reader's mail, complete."""

    html: str
    text: str


def personalise(compiled: CompiledEdition, reader: Reader, variant: Variant | None = None) -> Personal:
    """The mail of ``reader``: the variant of their interests (or ``variant``), its holes filled.

    No value is looked at again, whatever it holds.

    Raises:
        BuildError: a link is no URL.
    """
    values = fill_values(compiled, reader)
    if variant is None:
        variant = compiled.variant_for(reader.interests, named=bool(values[Hole.greeting]))
    mail = compiled.assemble(variant)
    return Personal(html=fill(mail.html, values, escape), text=fill(mail.text, values, str))


def fill_values(compiled: CompiledEdition, reader: Reader) -> Mapping[Hole, str]:
    """What fills each hole for ``reader``; the greeting is empty where we know no name.

    Raises:
        BuildError: a link is no URL.
    """
    values = {
        Hole.greeting: greet(compiled, plain_phrase(reader.name)),
        Hole.unsubscribe_url: reader.unsubscribe_url,
        Hole.preferences_url: reader.preferences_url,
        Hole.archive_url: reader.archive_url(compiled.slug, compiled.language, compiled.digest),
    }
    for hole, value in values.items():
        if hole.context is Context.url:
            check_url(value, hole, reader)
    return values


def greet(compiled: CompiledEdition, name: str) -> str:
    """The line that greets ``name`` (a plain phrase); empty without one."""
    return compiled.greeting.replace("{name}", name) if name else ""


def check_url(value: str, hole: Hole, reader: Reader) -> None:
    """Refuse what is no URL.

    Raises:
        BuildError: saying which link, and whose.
    """
    if not _URL.fullmatch(value):
        raise BuildError(f"{reader.email or 'a reader'}: {hole} is no URL: {value!r}.")


def fill(template: str, values: Mapping[Hole, str], written: Callable[[str], str]) -> str:
    """``template`` with its holes filled in one pass, so that a name that looks like a hole stays a name."""
    return PATTERN.sub(lambda match: written(values[Hole(match[1])]), template)
