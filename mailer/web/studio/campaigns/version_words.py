"""For whom a version of a campaign's mail is, and in what it differs from the one that most partners get."""

from collections.abc import Sequence
from dataclasses import dataclass

from editions.model import Personalisation
from mailer.i18n import gettext_noop
from mailer.rendering.body.variants import Interests
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.web.form_options import list_sectors, own_country_names
from mailer.web.studio.campaigns.versions import MailVersionShown, PreparedMail
from mailer.web.studio.page import StudioPage

_MOST_NAMED = 2

_FOLLOWERS = gettext_noop("For partners who follow %(what)s")
_NO_FOLLOWERS = gettext_noop("For partners who follow none of its sectors and countries")
_OTHERS = gettext_noop("For partners who follow different things, or nothing in particular")
_MAIN = gettext_noop("What most partners get; the others are compared with it")
_WITHOUT = gettext_noop("Without %(stories)s")
_WITH = gettext_noop("Also with %(stories)s")
_ORDER = gettext_noop("In another order: %(story)s comes sooner")
_SAME = gettext_noop("The same stories in the same order")


@dataclass(frozen=True, kw_only=True)
class VersionWords:
    """In the language of the page: for whom a version is, "" if that cannot be said in a line, and in what it
    differs, a line each."""

    audience: str
    differences: tuple[str, ...]


def describe_versions(
    page: StudioPage, mail: PreparedMail, versions: Sequence[MailVersionShown]
) -> dict[str, VersionWords]:
    """Describe some ``versions`` of a mail, by their tag. Those of a mail that has only one need no words."""
    if len(mail.versions) < 2:
        return {}
    mails = {one.language: one for one in mail.mails}
    main = mail.versions[0]
    return {
        one.tag: VersionWords(
            audience=_describe_audience(page, one, mails[one.language]),
            differences=_describe_differences(page, one, main, _name_stories(mail)),
        )
        for one in versions
    }


def _name_stories(mail: PreparedMail) -> dict[str, str]:
    edition = mail.compiled.edition if mail.compiled is not None else None
    return {one.slug: one.texts[edition.language].title for one in edition.stories} if edition else {}


def _describe_audience(page: StudioPage, version: MailVersionShown, mail: CompiledEdition) -> str:
    """What its readers have in common of that which the edition's order depends on."""
    if mail.personalise is Personalisation.off or not version.followed:
        return ""
    sectors = {story.sector for story in mail.stories} | {story.section for story in mail.stories}
    countries = {country for story in mail.stories for country in story.countries}
    followed = [
        Interests(sectors=one.sectors & sectors, countries=one.countries & countries)
        for one in version.followed
    ]
    translate = page.translator.translate
    if not any(followed):
        return translate(_NO_FOLLOWERS)
    shared = Interests(
        sectors=frozenset.intersection(*(one.sectors for one in followed)),
        countries=frozenset.intersection(*(one.countries for one in followed)),
    )
    if shared:
        return translate(_FOLLOWERS, what=", ".join(_name_interests(page, shared)))
    return "" if all(followed) else translate(_OTHERS)


def _name_interests(page: StudioPage, interests: Interests) -> list[str]:
    sectors = [
        name for slug, name in list_sectors(page.translator, page.settings) if slug in interests.sectors
    ]
    names = own_country_names(page.settings)
    return sectors + sorted(page.translator.name_country(code, names) for code in interests.countries)


def _describe_differences(
    page: StudioPage, version: MailVersionShown, main: MailVersionShown, titles: dict[str, str]
) -> tuple[str, ...]:
    translate = page.translator.translate
    if version.tag == main.tag:
        return (translate(_MAIN),)
    own, others = version.variant.stories, main.variant.stories
    missing = [slug for slug in others if slug not in own]
    more = [slug for slug in own if slug not in others]
    lines = []
    if missing:
        lines.append(translate(_WITHOUT, stories=_name_some(page, missing, titles)))
    if more:
        lines.append(translate(_WITH, stories=_name_some(page, more, titles)))
    sooner = _find_sooner([slug for slug in own if slug in others], [slug for slug in others if slug in own])
    if sooner:
        lines.append(translate(_ORDER, story=_quote(titles.get(sooner, sooner))))
    return tuple(lines) or (translate(_SAME),)


def _find_sooner(own: Sequence[str], others: Sequence[str]) -> str:
    """The first of the same stories that stands before others that it follows in the main version; "" if
    the order is the same."""
    return next((slug for slug, other in zip(own, others, strict=True) if slug != other), "")


def _name_some(page: StudioPage, slugs: Sequence[str], titles: dict[str, str]) -> str:
    named = ", ".join(_quote(titles.get(slug, slug)) for slug in slugs[:_MOST_NAMED])
    rest = len(slugs) - _MOST_NAMED
    if rest <= 0:
        return named
    more = page.translator.translations.ngettext("and %(count)s more", "and %(count)s more", rest)
    return f"{named} {more % {'count': rest}}"


def _quote(title: str) -> str:
    return f"“{title}”"
