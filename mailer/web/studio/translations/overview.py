"""The translations of an edition: stories and languages, and how far each is."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from locales.languages import canonical_language
from mailer.i18n import gettext_noop
from mailer.translations import EditionTranslations, TranslationState, list_translation_states
from mailer.web.forms import MAIL_LANGUAGES, own_language_name
from mailer.web.studio.page import PageDep
from mailer.web.studio.story_place import find_edition_folder
from mailer.web.studio.translations.translation import STATE_WORDS

UNKNOWN_LANGUAGE = gettext_noop(
    "This is not the tag of a language. Write mn, ko, fr or zh-Hans, for example."
)
OWN_LANGUAGE = gettext_noop("The edition itself is written in this language. Choose another.")


@dataclass(frozen=True, kw_only=True)
class LanguageColumn:
    """A language of the table. ``done`` of its translations are complete."""

    tag: str
    name: str
    done: int


def show_translations(edition: str, page: PageDep) -> Response:
    """Show how far the translations of an edition are; ``?add=`` names a language that it does not have."""
    find_edition_folder(page, edition)
    with page.state.read_session() as session:
        found = list_translation_states(session, page.state.workspace, edition)
    wanted = page.request.query_params.get("add", "").strip()
    added, fault = _read_language(wanted, found)
    summary = page.state.summaries.read(edition)
    columns = _list_columns(found, added)
    return page.render(
        "translations.html",
        status=422 if fault else 200,
        section="editions",
        edition=edition,
        edition_title=summary.title or edition,
        translations=found,
        columns=columns,
        rows=[("", ""), *found.stories],
        total=len(found.stories) + 1,
        added=added,
        wanted=wanted,
        offered=_list_offered(found, added),
        own_name=own_language_name(found.language),
        state_words=STATE_WORDS,
        errors=[("add", page.translator.translate(fault))] if fault else [],
    )


def _read_language(wanted: str, found: EditionTranslations) -> tuple[str, str]:
    """The tag of a language that somebody asked for, and why it cannot be added; both may be empty."""
    if not wanted:
        return "", ""
    tag = canonical_language(wanted)
    if tag is None:
        return "", UNKNOWN_LANGUAGE
    return ("", OWN_LANGUAGE) if tag == found.language else (tag, "")


def _list_columns(found: EditionTranslations, added: str) -> Sequence[LanguageColumn]:
    tags = [*found.languages, *([added] if added and added not in found.languages else [])]
    return [
        LanguageColumn(tag=tag, name=own_language_name(tag), done=found.count(tag, TranslationState.complete))
        for tag in tags
    ]


def _list_offered(found: EditionTranslations, added: str) -> Sequence[tuple[str, str]]:
    used = {found.language, *found.languages, added}
    return [(tag, own_language_name(tag)) for tag in MAIL_LANGUAGES if tag not in used]
