"""The list of all editions."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.revisions.presence import list_present_by_edition
from mailer.web.form_options import own_language_name
from mailer.web.plain_number import read_number
from mailer.web.studio.edition_summaries import EditionSummary
from mailer.web.studio.editions.campaign_states import STATE_WORDS, EditionState, find_edition_states
from mailer.web.studio.editions.last_writers import LastWriter, find_last_writers
from mailer.web.studio.page import PageDep, StudioPage

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
