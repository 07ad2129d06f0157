"""The variants of a round as pages list them: a few at a time, each with its mail."""

from dataclasses import dataclass

from locales.languages import language_name
from mailer.campaigns.approvals.rounds import Round
from mailer.web.forms import read_number

PAGE_SIZE = 12
"""Frames on one page: each is a mail of up to 100 kB, loaded as it comes into sight."""


@dataclass(frozen=True, kw_only=True)
class ShownVariant:
    """A variant in a list. ``is_whole`` says that it has every story, in the edition's own order."""

    number: int
    language: str
    language_name: str
    stories: int
    readers: int
    is_whole: bool


@dataclass(frozen=True, kw_only=True)
class VariantPage:
    """The variants on page ``number`` of ``pages``, from 1, and how many there are in all."""

    variants: tuple[ShownVariant, ...]
    number: int
    pages: int
    total: int


def list_variants(asked: Round, wanted: str = "") -> VariantPage:
    """The variants of a round, those of most readers first; ``wanted`` is the page in the address."""
    found = asked.facts.variants
    pages = max(1, -(-len(found) // PAGE_SIZE))
    number = min(max(read_number(wanted, digits=6) or 1, 1), pages)
    first = (number - 1) * PAGE_SIZE
    shown = tuple(
        describe_variant(asked, place + 1) for place in range(first, min(first + PAGE_SIZE, len(found)))
    )
    return VariantPage(variants=shown, number=number, pages=pages, total=len(found))


def describe_variant(asked: Round, number: int) -> ShownVariant:
    """The variant with this number, from 1, which there must be."""
    variant = asked.facts.variants[number - 1]
    return ShownVariant(
        number=number,
        language=variant.language,
        language_name=language_name(variant.language),
        stories=len(variant.stories),
        readers=variant.readers,
        is_whole=variant.stories == tuple(range(len(asked.facts.slugs))),
    )
