"""What was true when an approval was asked for: the audience, its variants, and what the checks warned of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from editions.problem import Level, Problem
from mailer.campaigns.check_warnings import CheckWarning
from mailer.campaigns.plan import Plan
from mailer.rendering.body.variants import Variant


@dataclass(frozen=True, kw_only=True)
class AskedVariant:
    """One of the different mails, and how many readers would get it. ``stories`` are places in the list of
    slugs of :class:`RoundFacts`."""

    language: str
    stories: tuple[int, ...]
    readers: int


@dataclass(frozen=True, kw_only=True)
class RoundFacts:
    """What was true when it was asked. ``languages`` begin with the edition's own, and ``slugs`` are the
    stories that variants refer to."""

    title: str
    subject: str
    in_words: str
    audience: int
    by_country: Mapping[str, int]
    by_language: Mapping[str, int]
    left_out: Mapping[str, int]
    languages: tuple[str, ...]
    slugs: tuple[str, ...]
    variants: tuple[AskedVariant, ...]
    warnings: tuple[CheckWarning, ...]
    authors: tuple[str, ...] = ()

    def find_variant(self, number: int) -> Variant | None:
        """The variant with this number, from 1; None if there is none. Nobody is greeted by name in it."""
        if not 0 < number <= len(self.variants):
            return None
        asked = self.variants[number - 1]
        stories = tuple(self.slugs[place] for place in asked.stories)
        return Variant(language=asked.language, stories=stories, named=False)

    def list_problems(self) -> tuple[Problem, ...]:
        """The warnings as problems of the edition."""
        return tuple(
            Problem(path=one.path, line=one.line, level=Level.warning, code=one.code, message=one.message)
            for one in self.warnings
        )

    def to_json(self) -> str:
        """The facts as JSON, for :func:`load_facts`."""
        return _FACTS.dump_json(self).decode()


_FACTS = TypeAdapter(RoundFacts)


def load_facts(text: str) -> RoundFacts:
    """Read what :meth:`RoundFacts.to_json` wrote."""
    return _FACTS.validate_json(text)


def gather_facts(plan: Plan) -> RoundFacts:
    """What is true of ``plan`` now."""
    slugs = tuple(dict.fromkeys(story.slug for mail in plan.compiled for story in mail.stories))
    return RoundFacts(
        title=plan.title,
        subject=plan.subject,
        in_words=plan.in_words,
        audience=plan.audience,
        by_country=dict(plan.by_country),
        by_language=dict(plan.by_language),
        left_out=dict(plan.left_out),
        languages=plan.languages,
        slugs=slugs,
        variants=_list_variants(plan, slugs),
        warnings=tuple(
            CheckWarning(code=one.code, path=one.path, line=one.line, message=one.message)
            for one in plan.problems
            if one.level is Level.warning
        ),
        authors=plan.authors,
    )


def _list_variants(plan: Plan, slugs: Sequence[str]) -> tuple[AskedVariant, ...]:
    """The variants by their readers. How a reader is greeted makes no other mail; the whole edition is there
    in each language that nobody reads it in yet."""
    places = {slug: place for place, slug in enumerate(slugs)}
    readers: dict[tuple[str, tuple[int, ...]], int] = {}
    for variant, cohort in plan.variants.items():
        key = (variant.language, tuple(places[slug] for slug in variant.stories))
        readers[key] = readers.get(key, 0) + cohort.size
    for mail in plan.compiled:
        full = mail.full_variant
        if all(language != full.language for language, _ in readers):
            readers[(full.language, tuple(places[slug] for slug in full.stories))] = 0
    return tuple(
        AskedVariant(language=language, stories=stories, readers=number)
        for (language, stories), number in readers.items()
    )
