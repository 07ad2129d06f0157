"""For whom a version of a campaign's mail is, and in what it differs from the one that most partners get."""

from collections.abc import Sequence
from dataclasses import dataclass

from editions.model import Personalisation
from mailer.i18n import gettext_noop
from mailer.rendering.body.variants import Interests
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.web.form_options import list_sectors, own_country_names
from mailer.web.mail_preview.version_difference import describe_difference, describe_main
from mailer.web.studio.campaigns.versions import MailVersionShown, PreparedMail
from mailer.web.studio.page import StudioPage

_FOLLOWERS = gettext_noop("For partners who follow %(what)s")
_NO_FOLLOWERS = gettext_noop("For partners who follow none of its sectors and countries")
_OTHERS = gettext_noop("For partners who follow different things, or nothing in particular")


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
    main, titles, translator = mail.versions[0], _name_stories(mail), page.translator
    return {
        one.tag: VersionWords(
            audience=_describe_audience(page, one, mails[one.language]),
            differences=describe_main(translator)
            if one.tag == main.tag
            else describe_difference(translator, one.variant.stories, main.variant.stories, titles),
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
