"""Fills in the merge tags of a compiled edition for one reader, as text for display.

Messages are built in a faster way with the same result: :mod:`mailer.rendering.message`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from mailer.errors import BuildError
from mailer.rendering.archive_urls import verify_place, verify_url, version_query
from mailer.rendering.body.merge_tags import TAG_PATTERN, LinkTag, MergeTag, TagContext
from mailer.rendering.body.variants import Variant
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.headers import plain_phrase
from mailer.rendering.recipient import Reader

# Visible ASCII characters allowed in a URL, and no more of them than fit in a header line.
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,900}")


@dataclass(frozen=True, kw_only=True)
class PersonalisedMail:
    """The two parts of one reader's email, complete."""

    html: str
    text: str


def personalise(
    compiled: CompiledEdition, reader: Reader, variant: Variant | None = None
) -> PersonalisedMail:
    """The email of ``reader``: the variant for their interests (or ``variant``), with its merge tags filled
    in.

    Values are inserted once and never scanned for merge tags themselves.

    Raises:
        BuildError: a link is not a valid URL.
    """
    values = merge_values(compiled, reader)
    if variant is None:
        variant = compiled.variant_for(reader.interests, named=bool(values[MergeTag.greeting]))
    mail = compiled.assemble(variant)
    return PersonalisedMail(
        html=fill_merge_tags(mail.html, values, escape), text=fill_merge_tags(mail.text, values, str)
    )


def merge_values(compiled: CompiledEdition, reader: Reader) -> Mapping[MergeTag, str]:
    """The value of each merge tag for ``reader``; the greeting is empty if the name is not known.

    Raises:
        BuildError: a link is not a valid URL.
    """
    values = {
        MergeTag.greeting: format_greeting(compiled, plain_phrase(reader.name)),
        MergeTag.unsubscribe_url: reader.unsubscribe_url,
        MergeTag.preferences_url: reader.preferences_url,
        MergeTag.verification_code: reader.verification_code,
        MergeTag.verify_url: verify_url(reader.base_url),
        MergeTag.verify_place: verify_place(reader.base_url),
        MergeTag.archive_url: reader.archive_url(compiled.slug, compiled.language, compiled.digest),
        MergeTag.version: version_query(compiled.digest),
    }
    for tag, value in values.items():
        if tag.context is TagContext.url:
            check_url(value, tag, reader)
    return values


def format_greeting(compiled: CompiledEdition, name: str) -> str:
    """The greeting for ``name`` (a plain phrase); empty without one."""
    return compiled.greeting.replace("{name}", name) if name else ""


def check_url(value: str, tag: MergeTag | LinkTag, reader: Reader) -> None:
    """Reject a value that is not a URL.

    Raises:
        BuildError: with the link and the reader.
    """
    if not _URL.fullmatch(value):
        raise BuildError(f"{reader.email or 'a reader'}: {tag} is not a valid URL: {value!r}.")


def fill_merge_tags(template: str, values: Mapping[MergeTag, str], written: Callable[[str], str]) -> str:
    """``template`` with its merge tags filled in, in one pass, so that a name that looks like a merge tag
    stays a name."""
    return TAG_PATTERN.sub(lambda match: written(values[MergeTag(match[1])]), template)
