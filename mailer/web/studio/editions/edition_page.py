"""The list of editions, and the page of one: its stories as cards, their order, and its problems."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from fastapi import Request
from sqlalchemy import Engine, func
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.changes.story_order import JOURNAL, finish_moves
from editions.errors import Problem
from editions.markdown.renderer import LETTER_HEADING_LEVEL
from editions.model import Crop, ImageShape, StoryKind, find_section, order_sections
from editions.source.document import AnyDocument, Document, read_document
from editions.source.folder import EDITION_FILE, STORIES_FOLDER, FolderContents, StoryFiles, scan_folder
from editions.source.schema import EditionHeader, StoryHeader
from mailer.campaigns.corrections import SEPARATOR, find_corrections
from mailer.campaigns.named_plan import find_note_of
from mailer.comments.thread_list import count_open_comments
from mailer.database.edition_models import EditionRevision, RevisionKind
from mailer.database.models import Campaign, CampaignState
from mailer.database.team_models import TeamMember
from mailer.i18n import Translator, gettext_noop
from mailer.revisions.edition_file import lock_edition
from mailer.revisions.presence import list_present_by_edition, list_present_by_place
from mailer.settings import Settings
from mailer.team.members import Permission
from mailer.web.forms import list_sectors, own_country_names, own_language_name, read_number
from mailer.web.studio.edition_summaries import EditionSummary
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.story_place import answer_with_image, find_edition_folder
from mailer.workspace import Workspace


class EditionState(StrEnum):
    """How far an edition is. Where it has several campaigns, the one that is furthest counts."""

    draft = "draft"
    """Being written; nobody has got a test of it."""

    tested = "tested"
    """Colleagues have got a test of it."""

    approved = "approved"
    """A person has approved it for sending."""

    scheduled = "scheduled"
    """It waits for its time."""

    sending = "sending"
    """It is being sent, or its sending is paused."""

    sent = "sent"
    """It has been sent."""


STATE_WORDS: Mapping[EditionState, tuple[str, str]] = MappingProxyType(
    {
        EditionState.draft: (gettext_noop("Draft"), "quiet"),
        EditionState.tested: (gettext_noop("Tested"), "quiet"),
        EditionState.approved: (gettext_noop("Approved"), "right"),
        EditionState.scheduled: (gettext_noop("Scheduled"), "right"),
        EditionState.sending: (gettext_noop("Being sent"), "careful"),
        EditionState.sent: (gettext_noop("Sent"), "right"),
    }
)
"""The word for each, and the tone of its mark."""

_BY_CAMPAIGN: Mapping[CampaignState, EditionState] = MappingProxyType(
    {
        CampaignState.tested: EditionState.tested,
        CampaignState.approved: EditionState.approved,
        CampaignState.scheduled: EditionState.scheduled,
        CampaignState.sending: EditionState.sending,
        CampaignState.paused: EditionState.sending,
        CampaignState.finished: EditionState.sent,
    }
)


def find_edition_states(session: Session, slugs: Collection[str]) -> Mapping[str, EditionState]:
    """How far each of the editions ``slugs`` is."""
    rows = session.exec(
        select(Campaign.edition, Campaign.state).where(col(Campaign.edition).in_(slugs)).distinct()
    ).all()
    order = list(EditionState)
    states = dict.fromkeys(slugs, EditionState.draft)
    for slug, state in rows:
        reached = _BY_CAMPAIGN.get(CampaignState(state), EditionState.draft)
        states[slug] = max(states[slug], reached, key=order.index)
    return states


@dataclass(frozen=True, kw_only=True)
class LastWriter:
    """The member who has last changed an edition in Studio, and on which day."""

    name: str
    day: date


def find_last_writers(session: Session, slugs: Collection[str]) -> Mapping[str, LastWriter]:
    """Who has last changed each of the editions ``slugs``, as far as that is known."""
    latest = (
        select(func.max(EditionRevision.id))
        .where(col(EditionRevision.edition).in_(slugs))
        .where(col(EditionRevision.member_id).is_not(None), EditionRevision.kind != RevisionKind.set_aside)
        .group_by(EditionRevision.edition)
    )
    rows = session.exec(
        select(EditionRevision.edition, TeamMember.name, EditionRevision.ended_at)
        .where(TeamMember.id == EditionRevision.member_id)
        .where(col(EditionRevision.id).in_(latest))
    )
    return {edition: LastWriter(name=name, day=ended.date()) for edition, name, ended in rows}


PAGE_SIZE = 30


@dataclass(frozen=True, kw_only=True)
class EditionCard:
    """An edition in the list, and how far it is. ``words`` and ``tone`` are those of its state,
    ``writer`` is None if nobody has changed it in Studio yet; ``present`` are the names of others who have a
    text of it open."""

    summary: EditionSummary
    state: EditionState
    words: str
    tone: str
    languages: Sequence[str]
    unfinished: Sequence[str]
    writer: LastWriter | None
    present: Sequence[str]


def list_editions(page: PageDep, request: Request) -> Response:
    """List a page of the editions, the newest first."""
    slugs = page.state.summaries.list_slugs()
    number = _read_number(request.query_params.get("page", "1"))
    first = (number - 1) * PAGE_SIZE
    if number > 1 and first >= len(slugs):
        raise HTTPException(404)
    return page.render(
        "editions.html",
        section="editions",
        cards=_make_cards(page, slugs[first : first + PAGE_SIZE]),
        number=number,
        total=len(slugs),
        has_more=len(slugs) > first + PAGE_SIZE,
    )


def _read_number(written: str) -> int:
    number = read_number(written, digits=6)
    if not number:
        raise HTTPException(404)
    return number


def _make_cards(page: StudioPage, slugs: Sequence[str]) -> list[EditionCard]:
    with page.state.read_session() as session:
        states = find_edition_states(session, slugs)
        writers = find_last_writers(session, slugs)
        present = list_present_by_edition(session, slugs, now=page.state.clock(), apart_from=page.member)
    cards = []
    for slug in slugs:
        summary = page.state.summaries.read(slug)
        words, tone = STATE_WORDS[states[slug]]
        own = [summary.language] if summary.language else []
        cards.append(
            EditionCard(
                summary=summary,
                state=states[slug],
                words=words,
                tone=tone,
                languages=[own_language_name(tag) for tag in (*own, *summary.complete)],
                unfinished=[own_language_name(tag) for tag in summary.incomplete],
                writer=writers.get(slug),
                present=present.get(slug, ()),
            )
        )
    return cards


FIXED_SECTION_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "feature": gettext_noop("Lead story"),
        "centres-and-chairs": gettext_noop("Centres and Chairs"),
        "campaigns": gettext_noop("Public campaigns"),
        "office": gettext_noop("Office news"),
    }
)
"""The sections that every edition can have, beside those of the sectors."""


@dataclass(frozen=True, kw_only=True)
class StoryCard:
    """A story as a card. ``sector`` is a slug, "" for none; ``countries`` are names. ``image`` is a file in
    ``images/``. ``faults`` are what is wrong with its front matter; ``title`` is then what can be read."""

    slug: str
    title: str
    sector: str
    countries: Sequence[str]
    image: str
    words: int
    languages: Sequence[str]
    faults: Sequence[Problem]


@dataclass(frozen=True, kw_only=True)
class SectionCards:
    """A section with its stories in order. ``sector`` is "" where it is not that of a sector."""

    key: str
    name: str
    sector: str
    cards: Sequence[StoryCard]


def list_story_cards(
    folder: Path, contents: FolderContents, *, language: str, settings: Settings, translator: Translator
) -> list[SectionCards]:
    """The stories of the edition in ``folder``, whose files are ``contents``, by section.

    ``language`` is the edition's own, ``translator`` that of the page.
    """
    names = dict(list_sectors(translator, settings))
    sections: dict[str, list[StoryCard]] = {}
    for story in contents.stories:
        document, problems = read_document(
            folder,
            story.original,
            StoryHeader,
            sectors=settings.sectors,
            language=language,
            stamp=contents.stamps.get(story.original),
        )
        card = _make_card(story, document, problems, contents, settings, translator)
        sections.setdefault(_find_section(document, settings), []).append(card)
    return [
        SectionCards(
            key=key,
            name=names.get(key) or translator.translate(FIXED_SECTION_NAMES.get(key, key)),
            sector=key if key in settings.sectors else "",
            cards=sections[key],
        )
        for key in order_sections(sections, sectors=tuple(settings.sectors))
    ]


def _make_card(
    story: StoryFiles,
    document: AnyDocument | None,
    problems: Sequence[Problem],
    contents: FolderContents,
    settings: Settings,
    translator: Translator,
) -> StoryCard:
    front = document.front_matter if document is not None else None
    written = front.value("countries") if front is not None else ""
    codes = [code for code in written if isinstance(code, str)] if isinstance(written, list) else []
    image = front.text("image", "file") if front is not None else ""
    sector = front.text("sector") if front is not None else ""
    is_faulty = document is None or document.header is None
    return StoryCard(
        slug=story.slug,
        title=(front.text("title") if front is not None else "") or story.slug,
        sector=sector if sector in settings.sectors else "",
        countries=[translator.name_country(code, own_country_names(settings)) for code in codes],
        image=image if image in contents.images else "",
        words=document.body.word_count if document is not None else 0,
        languages=[own_language_name(tag) for tag in sorted(story.translations)],
        faults=tuple(problems) if is_faulty else (),
    )


def _find_section(document: AnyDocument | None, settings: Settings) -> str:
    if document is None:
        return "office"
    sector, kind = document.front_matter.text("sector"), document.front_matter.text("kind")
    return find_section(
        StoryKind(kind) if kind in list(StoryKind) else StoryKind.story,
        sector if sector in settings.sectors else None,
    )


_MOVED = gettext_noop("“%(title)s” is now number %(place)s of %(count)s in “%(section)s”.")


def describe_move(sections: Sequence[SectionCards], slug: str, translator: Translator) -> str:
    """A sentence about where the story ``slug`` is now; empty if there is none."""
    for section in sections:
        for place, card in enumerate(section.cards, start=1):
            if card.slug == slug:
                return translator.translate(
                    _MOVED, title=card.title, place=place, count=len(section.cards), section=section.name
                )
    return ""


_PAGES = ("preview", "versions", "history")
"""Other pages of an edition, by the last part of their paths."""


@dataclass(frozen=True, kw_only=True)
class EditionView:
    """An edition as its page shows it. ``document`` is its ``edition.md``, None if that cannot be read, for
    which ``faults`` say why. ``strays`` are the problems of files that are no stories."""

    slug: str
    folder: Path
    contents: FolderContents
    document: Document[EditionHeader] | None
    faults: Sequence[Problem]
    strays: Sequence[Problem]
    sections: Sequence[SectionCards]

    @property
    def title(self) -> str:
        return (self.document.front_matter.text("title") if self.document else "") or self.slug

    @property
    def stories(self) -> int:
        return len(self.contents.stories)


def view_edition(page: StudioPage, edition: str) -> EditionView:
    """Read an edition for its page.

    Raises:
        HTTPException: 404, there is no such edition.
    """
    folder = find_edition_folder(page, edition)
    contents, settings = scan_folder(folder), page.settings
    document, problems = read_document(
        folder,
        EDITION_FILE,
        EditionHeader,
        sectors=settings.sectors,
        heading=LETTER_HEADING_LEVEL,
        stamp=contents.stamps.get(EDITION_FILE),
    )
    is_faulty = document is None or document.header is None
    return EditionView(
        slug=edition,
        folder=folder,
        contents=contents,
        document=document,
        faults=tuple(problems) if is_faulty else (),
        strays=[problem for problem in contents.problems if problem.code != "no-stories"],
        sections=list_story_cards(
            folder,
            contents,
            language=document.language if document else "en",
            settings=settings,
            translator=page.translator,
        ),
    )


def find_correction_page(page: StudioPage, name: str) -> str:
    """The page of the correction called ``name``, below /studio.

    Raises:
        HTTPException: 404, there is none, or its note is not in the workspace.
    """
    with page.state.read_session() as session:
        record = find_corrections(session.connection(), [name]).get(name)
    place = None if record is None else find_note_of(page.state.workspace, record)
    if place is None:
        raise HTTPException(404)
    names = (quote(part, safe="") for part in (place.edition, place.story))
    return f"/corrections/{'/'.join(names)}/{place.number}"


def show_edition(edition: str, page: PageDep, request: Request) -> Response:
    """Show an edition; for htmx, only its stories. The name of a correction leads to its page."""
    if SEPARATOR in edition:
        return page.redirect(find_correction_page(page, edition))
    view = view_edition(page, edition)
    said = describe_move(view.sections, request.query_params.get("moved", ""), page.translator)
    if page.is_fragment:
        with page.state.read_session() as session:
            open_comments = count_open_comments(session, edition)
        return page.render(
            "edition_stories.html",
            edition=view,
            said=said,
            open_comments=open_comments,
            present=list_present_stories(page, view.slug),
        )
    return render_edition(page, view, said=said)


def render_edition(
    page: StudioPage, view: EditionView, *, said: str = "", errors: Sequence[tuple[str, str]] = ()
) -> Response:
    """Render the page of an edition; ``said`` is what has just become of a story, ``errors`` why an act was
    refused."""
    with page.state.read_session() as session:
        writer = find_last_writers(session, [view.slug]).get(view.slug)
        state = find_edition_states(session, [view.slug])[view.slug]
        open_comments = count_open_comments(session, view.slug)
    words, tone = STATE_WORDS[state]
    summary = page.state.summaries.read(view.slug)
    return page.render(
        "edition.html",
        status=422 if errors else 200,
        section="editions",
        edition=view,
        front=view.document.front_matter if view.document else None,
        state=words,
        may_correct=page.may(Permission.prepare) and state in {EditionState.sending, EditionState.sent},
        tone=tone,
        said=said,
        open_comments=open_comments,
        present=list_present_stories(page, view.slug),
        errors=errors,
        writer=writer,
        pages=[name for name in _PAGES if page.leads_to(f"/editions/{{edition}}/{name}")],
        languages=[own_language_name(tag) for tag in (summary.language, *summary.complete) if tag],
        unfinished=[own_language_name(tag) for tag in summary.incomplete],
    )


def list_present_stories(page: StudioPage, edition: str) -> Mapping[str, Sequence[str]]:
    """The names of others who have a story of the edition open, or a translation of it, by the story's slug;
    "" is the letter."""
    with page.state.read_session() as session:
        found = list_present_by_place(session, edition, now=page.state.clock(), apart_from=page.member)
    present: dict[str, list[str]] = {}
    for place, names in found.items():
        present[place.story] = list(dict.fromkeys([*present.get(place.story, ()), *names]))
    return present


@dataclass(frozen=True, kw_only=True)
class FileProblems:
    """The problems of one file; ``page`` is the page below the edition's that mends them."""

    path: str
    page: str
    problems: Sequence[Problem]


def show_problems(edition: str, page: PageDep) -> Response:
    """Show the problems of an edition; for htmx, how many. Those of a correction are on its page."""
    if SEPARATOR in edition:
        return page.redirect(find_correction_page(page, edition))
    find_edition_folder(page, edition)
    if page.is_fragment:
        return page.render(
            "problem_count.html", edition=edition, count=page.state.problem_counts.count(edition)
        )
    compiled = page.state.previews.compiler(edition).compile()
    return page.render(
        "problems.html",
        section="editions",
        edition=edition,
        title=compiled.edition.title if compiled.edition else edition,
        errors=compiled.errors,
        warnings=len(compiled.problems) - compiled.errors,
        files=group_by_file(compiled.problems),
        switched_off=compiled.switched_off,
    )


def group_by_file(problems: Sequence[Problem]) -> list[FileProblems]:
    """The problems of each file, the most serious files first."""
    ordered = sorted(problems, key=lambda problem: problem.path)
    files = [
        FileProblems(path=path, page=find_page(path), problems=tuple(found))
        for path, found in groupby(ordered, key=lambda problem: problem.path)
    ]
    return sorted(files, key=lambda file: min(problem.level for problem in file.problems))


def find_page(path: str) -> str:
    """The page on which a file is changed, below that of its edition; "" where it is the edition's own."""
    folder, _, name = path.rpartition("/")
    stem, _, language = name.removesuffix(".md").partition(".")
    if folder != STORIES_FOLDER or not name.endswith(".md"):
        return "/letter" if stem == "edition" and not language else ""
    slug = stem.partition("-")[2]
    return f"/stories/{slug}" + (f"/translations/{language}" if language else "")


_log = logging.getLogger(__name__)


def finish_interrupted_moves(workspace: Workspace, engine: Engine) -> None:
    """Finish the moves of stories that had begun in any edition. What cannot be finished now is left for the
    next change of that edition."""
    for journal in workspace.editions.glob(f"*/{JOURNAL}"):
        try:
            with Session(engine) as session, lock_edition(workspace, session, journal.parent.name):
                finish_moves(journal.parent)
                session.rollback()
        except OSError as error:
            _log.warning("Stories of %s could not be moved: %s", journal.parent.name, error)


_WIDTH = 160
"""In CSS pixels, and twice as many of its own."""


def show_thumb(edition: str, file: str, page: PageDep) -> Response:
    """Show a small copy of a picture of the edition."""
    crop = Crop(shape=ImageShape.landscape)
    return answer_with_image(page, edition, file, width=_WIDTH, crop=crop, cache="private, max-age=300")
