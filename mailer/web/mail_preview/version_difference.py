"""In what a version of a mail differs from the one that most readers get, in the words of a page."""

from collections.abc import Mapping, Sequence

from mailer.i18n import Translator, gettext_noop

_MOST_NAMED = 2

_MAIN = gettext_noop("What most partners get; the others are compared with it")
_WITHOUT = gettext_noop("Without %(stories)s")
_WITH = gettext_noop("Also with %(stories)s")
_ORDER = gettext_noop("In another order: %(story)s comes sooner")
_SAME = gettext_noop("The same stories in the same order")


def describe_main(translator: Translator) -> tuple[str, ...]:
    """What is said of the version that most readers get."""
    return (translator.translate(_MAIN),)


def describe_difference(
    translator: Translator, own: Sequence[str], others: Sequence[str], titles: Mapping[str, str]
) -> tuple[str, ...]:
    """In what a version with the stories ``own`` differs from the main one, which has ``others``: a line for
    each kind of difference. Stories are given by slug in their order, and named by their ``titles``."""
    translate = translator.translate
    missing = [slug for slug in others if slug not in own]
    more = [slug for slug in own if slug not in others]
    lines = []
    if missing:
        lines.append(translate(_WITHOUT, stories=_name_some(translator, missing, titles)))
    if more:
        lines.append(translate(_WITH, stories=_name_some(translator, more, titles)))
    sooner = _find_sooner([slug for slug in own if slug in others], [slug for slug in others if slug in own])
    if sooner:
        lines.append(translate(_ORDER, story=_quote(titles.get(sooner, sooner))))
    return tuple(lines) or (translate(_SAME),)


def _find_sooner(own: Sequence[str], others: Sequence[str]) -> str:
    """The first of the same stories that stands before others that it follows in the main version; "" if
    the order is the same."""
    return next((slug for slug, other in zip(own, others, strict=True) if slug != other), "")


def _name_some(translator: Translator, slugs: Sequence[str], titles: Mapping[str, str]) -> str:
    named = ", ".join(_quote(titles.get(slug, slug)) for slug in slugs[:_MOST_NAMED])
    rest = len(slugs) - _MOST_NAMED
    if rest <= 0:
        return named
    more = translator.translations.ngettext("and %(count)s more", "and %(count)s more", rest)
    return f"{named} {more % {'count': rest}}"


def _quote(title: str) -> str:
    return f"“{title}”"
