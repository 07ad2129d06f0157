"""What waits in the editions that are being written: problems, and translations that are out of date."""

from collections.abc import Iterator, Sequence
from functools import partial
from urllib.parse import quote

from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.translations.states import TranslationState, list_translation_states
from mailer.web.form_options import own_language_name
from mailer.web.studio.home.recent_editions import RecentEdition
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

_MAX_TRANSLATED = 2


def list_edition_sources(recent: Sequence[RecentEdition]) -> tuple[WaitingSource, ...]:
    """The sources that look at ``recent``, the editions which the page shows anyway."""
    return (
        WaitingSource(
            name=gettext_noop("Problems of editions"),
            permission=Permission.write,
            list_items=partial(_list_faulty_editions, recent),
        ),
        WaitingSource(
            name=gettext_noop("Translations"),
            permission=Permission.write,
            list_items=partial(_list_outdated_translations, recent),
        ),
    )


def _list_faulty_editions(recent: Sequence[RecentEdition], page: StudioPage) -> Iterator[WaitingItem]:
    """Editions being written that cannot be read, or have errors that the checks have found."""
    translate, plural = page.translator.translate, page.translator.translations.ngettext
    for edition in recent:
        summary, count = edition.summary, edition.count
        title = summary.title or summary.slug
        path = f"/editions/{quote(summary.slug, safe='')}"
        if summary.fault:
            yield WaitingItem(
                title=title,
                words=summary.fault,
                act=translate(gettext_noop("Open the edition")),
                path=path,
                tone="wrong",
                detail=summary.slug,
            )
        elif edition.is_open and count is not None and count.errors:
            yield WaitingItem(
                title=title,
                words=plural("%(num)s error", "%(num)s errors", count.errors) % {"num": count.errors},
                act=translate(gettext_noop("See the problems")),
                path=f"{path}/problems",
                tone="wrong",
                detail=summary.slug,
            )


def _list_outdated_translations(recent: Sequence[RecentEdition], page: StudioPage) -> Iterator[WaitingItem]:
    """Editions being written whose originals have changed since they were translated; the latest alone, whose
    files are read anyway."""
    state = page.state
    translate, plural = page.translator.translate, page.translator.translations.ngettext
    for edition in [one for one in recent if one.is_open and not one.summary.fault][:_MAX_TRANSLATED]:
        slug = edition.summary.slug
        with state.read_session() as session:
            found = list_translation_states(session, state.workspace, slug)
        for language in found.languages:
            if number := found.count(language, TranslationState.outdated):
                words = plural(
                    "The original of %(num)s translation has changed",
                    "The originals of %(num)s translations have changed",
                    number,
                ) % {"num": number}
                yield WaitingItem(
                    title=f"{edition.summary.title or slug} · {own_language_name(language)}",
                    words=words,
                    act=translate(gettext_noop("See the translations")),
                    path=f"/editions/{quote(slug, safe='')}/translations",
                    detail=slug,
                )
