"""What waits for a member: their texts that could not be saved, comments that speak to them, editions that
cannot be sent as they are, translations whose original has changed, invitations that did not arrive.

Each source is asked by itself. One that cannot be read is named on the page, and hides none of the others.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from mailer.comments.mentions import list_mentions
from mailer.comments.story_path import make_story_path
from mailer.database.revision_models import UnsavedText
from mailer.errors import MailerError
from mailer.i18n import gettext_noop
from mailer.team.invitations import list_open_invitations
from mailer.team.roles import Permission
from mailer.translations.states import TranslationState, list_translation_states
from mailer.web.form_options import own_language_name
from mailer.web.studio.home.recent_editions import RecentEdition
from mailer.web.studio.page import StudioPage

_MAX_QUOTED = 120
_MAX_TRANSLATED = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class WaitingItem:
    """Something that a member can do now: what it is about, what is the matter, and the page for it.

    ``path`` is below /studio, encoded for an address. ``tone`` is that of its mark.
    """

    title: str
    words: str
    path: str
    tone: str = "careful"
    detail: str = ""


@dataclass(kw_only=True)
class Waiting:
    """What waits, the most urgent first, and the names of the sources that could not be read."""

    items: list[WaitingItem] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)


def find_what_waits(page: StudioPage, recent: Sequence[RecentEdition]) -> Waiting:
    """Find what waits for the member who opens the page; ``recent`` are the editions it shows."""
    found = Waiting()
    for name, list_items in _SOURCES:
        try:
            found.items += list_items(page, recent)
        except (SQLAlchemyError, MailerError, OSError) as error:
            _log.warning("%s of the first page cannot be read: %s", name, error)
            found.unreachable.append(page.translator.translate(name))
    return found


def _list_unsaved_texts(page: StudioPage, _: Sequence[RecentEdition]) -> Iterator[WaitingItem]:
    """Their own texts that are in no file, because it had changed or could not be written."""
    own = select(UnsavedText.edition, UnsavedText.story, UnsavedText.id).where(
        UnsavedText.member_id == page.member.id
    )
    with page.state.read_session() as session:
        rows = session.exec(own.order_by(col(UnsavedText.id).desc()).limit(20)).all()
    for edition, story, number in rows:
        yield WaitingItem(
            title=story or edition,
            words=page.translator.translate(gettext_noop("What you wrote is not in the file yet")),
            path=f"/editions/{quote(edition, safe='')}/conflicts/{number}",
            tone="wrong",
            detail=edition,
        )


def _list_mentions(page: StudioPage, _: Sequence[RecentEdition]) -> Iterator[WaitingItem]:
    """Comments that speak to them, which they have neither answered nor marked as read."""
    with page.state.read_session() as session:
        mentions = list_mentions(session, page.member, limit=20)
    for one in mentions:
        yield WaitingItem(
            title=_shorten(one.text),
            words=page.translator.translate(gettext_noop("%(name)s wrote to you"), name=one.author),
            path=f"{make_story_path(one.edition, one.story)}#thread-{one.thread_id}",
            detail=f"{one.edition} · {one.story}" if one.story else one.edition,
        )


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_QUOTED else f"{line[: _MAX_QUOTED - 1]}…"


def _list_faulty_editions(page: StudioPage, recent: Sequence[RecentEdition]) -> Iterator[WaitingItem]:
    """Editions being written that cannot be read, or have errors that the checks have found."""
    if not page.may(Permission.write):
        return
    for edition in recent:
        summary, count = edition.summary, edition.count
        title = summary.title or summary.slug
        path = f"/editions/{quote(summary.slug, safe='')}"
        if summary.fault:
            yield WaitingItem(title=title, words=summary.fault, path=path, tone="wrong", detail=summary.slug)
        elif edition.is_open and count is not None and count.errors:
            words = page.translator.translations.ngettext("%(num)s error", "%(num)s errors", count.errors) % {
                "num": count.errors
            }
            yield WaitingItem(
                title=title, words=words, path=f"{path}/problems", tone="wrong", detail=summary.slug
            )


def _list_outdated_translations(page: StudioPage, recent: Sequence[RecentEdition]) -> Iterator[WaitingItem]:
    """Editions being written whose originals have changed since they were translated; the latest alone, whose
    files are read anyway."""
    if not page.may(Permission.write):
        return
    state = page.state
    for edition in [one for one in recent if one.is_open and not one.summary.fault][:_MAX_TRANSLATED]:
        slug = edition.summary.slug
        with state.read_session() as session:
            found = list_translation_states(session, state.workspace, slug)
        for language in found.languages:
            if number := found.count(language, TranslationState.outdated):
                words = page.translator.translations.ngettext(
                    "The original of %(num)s translation has changed",
                    "The originals of %(num)s translations have changed",
                    number,
                ) % {"num": number}
                yield WaitingItem(
                    title=f"{edition.summary.title or slug} · {own_language_name(language)}",
                    words=words,
                    path=f"/editions/{quote(slug, safe='')}/translations",
                    detail=slug,
                )


def _list_stuck_invitations(page: StudioPage, _: Sequence[RecentEdition]) -> Iterator[WaitingItem]:
    """Invitations whose mail does not leave, or whose link has expired."""
    if not page.may(Permission.manage):
        return
    translate = page.translator.translate
    with page.state.read_session() as session:
        invitations = list_open_invitations(session, now=page.state.clock())
    for one in invitations:
        if one.is_expired or one.reason:
            words = (
                translate(gettext_noop("The link of their invitation has expired"))
                if one.is_expired
                else translate(gettext_noop("Their invitation could not be mailed yet"))
            )
            yield WaitingItem(title=one.member.name, words=words, path="/team", detail=one.member.email)


_Source = Callable[[StudioPage, Sequence[RecentEdition]], Iterator[WaitingItem]]
_SOURCES: tuple[tuple[str, _Source], ...] = (
    (gettext_noop("Texts that could not be saved"), _list_unsaved_texts),
    (gettext_noop("Comments"), _list_mentions),
    (gettext_noop("Problems of editions"), _list_faulty_editions),
    (gettext_noop("Translations"), _list_outdated_translations),
    (gettext_noop("Invitations"), _list_stuck_invitations),
)
"""The sources, each with its name on the page, the most urgent first."""
