"""Filling the holes of a compiled edition for one reader, as text: for whoever looks at a mail.

The wire takes a shorter way to the same: :mod:`mailer.rendering.message`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from mailer.errors import BuildError
from mailer.rendering.body.merge_tags import TAG_PATTERN, MergeTag, TagContext
from mailer.rendering.body.variants import Variant
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.headers import plain_phrase
from mailer.rendering.reader import Reader

# Visible ASCII that may stand in a URL, and no more of it than a header line can hold.
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,900}")


@dataclass(frozen=True, kw_only=True)
class PersonalisedMail:
    """The two parts of one reader's mail, complete."""

    html: str
    text: str


def personalise(
    compiled: CompiledEdition, reader: Reader, variant: Variant | None = None
) -> PersonalisedMail:
    """The mail of ``reader``: the variant of their interests (or ``variant``), its holes filled.

    No value is looked at again, whatever it holds.

    Raises:
        BuildError: a link is no URL.
    """
    values = merge_values(compiled, reader)
    if variant is None:
        variant = compiled.variant_for(reader.interests, named=bool(values[MergeTag.greeting]))
    mail = compiled.assemble(variant)
    return PersonalisedMail(
        html=fill_merge_tags(mail.html, values, escape), text=fill_merge_tags(mail.text, values, str)
    )


def merge_values(compiled: CompiledEdition, reader: Reader) -> Mapping[MergeTag, str]:
    """What fills each hole for ``reader``; the greeting is empty where we know no name.

    Raises:
        BuildError: a link is no URL.
    """
    values = {
        MergeTag.greeting: format_greeting(compiled, plain_phrase(reader.name)),
        MergeTag.unsubscribe_url: reader.unsubscribe_url,
        MergeTag.preferences_url: reader.preferences_url,
        MergeTag.archive_url: reader.archive_url(compiled.slug, compiled.language, compiled.digest),
    }
    for hole, value in values.items():
        if hole.context is TagContext.url:
            check_url(value, hole, reader)
    return values


def format_greeting(compiled: CompiledEdition, name: str) -> str:
    """The line that greets ``name`` (a plain phrase); empty without one."""
    return compiled.greeting.replace("{name}", name) if name else ""


def check_url(value: str, tag: MergeTag, reader: Reader) -> None:
    """Refuse what is no URL.

    Raises:
        BuildError: saying which link, and whose.
    """
    if not _URL.fullmatch(value):
        raise BuildError(f"{reader.email or 'a reader'}: {tag} is no URL: {value!r}.")


def fill_merge_tags(template: str, values: Mapping[MergeTag, str], written: Callable[[str], str]) -> str:
    """``template`` with its holes filled in one pass, so that a name that looks like a hole stays a name."""
    return TAG_PATTERN.sub(lambda match: written(values[MergeTag(match[1])]), template)
