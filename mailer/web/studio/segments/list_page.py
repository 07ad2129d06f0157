"""The list of saved segments, and saving another."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from sqlmodel import Session
from starlette.responses import Response

from mailer.campaigns.uses import SegmentUses, find_segment_uses
from mailer.counts.counters import CountedNumber, count_segment
from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.segment_query import read_query
from mailer.web.studio.segments.segment_save import save_new_segment
from subscribers.segments.saved_segments import NamedSegment, list_saved_segments

PAGE_SIZE = 50


@dataclass(frozen=True, kw_only=True)
class SegmentRow:
    """A saved segment in the list. ``fault`` is why it is not understood any more."""

    saved: NamedSegment
    in_words: str
    fault: str
    uses: SegmentUses
    number: CountedNumber | None


def list_segments(page: PageDep, request: Request) -> Response:
    """List a page of the saved segments, by name."""
    after = request.query_params.get("after", "")
    with page.state.read_session() as session:
        saved = list_saved_segments(session.connection())
        following = [one for one in saved if one.name > after]
        rows = _make_rows(page, session, following[:PAGE_SIZE], saved)
    return page.render(
        "segments.html",
        section="segments",
        rows=rows,
        is_first=not after,
        more=following[PAGE_SIZE - 1].name if len(following) > PAGE_SIZE else "",
    )


def _make_rows(
    page: StudioPage, session: Session, shown: Sequence[NamedSegment], saved: Sequence[NamedSegment]
) -> list[SegmentRow]:
    uses = find_segment_uses(session.connection(), page.settings, shown, saved)
    queries = {one.name: read_query(page, session, one.text) for one in shown}
    understood = [one for one in shown if queries[one.name].segment is not None]
    numbers = page.state.counts.get_all([count_segment(one.text.strip()) for one in understood])
    by_name = dict(zip((one.name for one in understood), numbers, strict=True))
    return [
        SegmentRow(
            saved=one,
            in_words=queries[one.name].in_words,
            fault=problem.reason if (problem := queries[one.name].problem) else "",
            uses=uses[one.name],
            number=by_name.get(one.name),
        )
        for one in shown
    ]


ROUTES = (
    StudioRoute("/segments", list_segments, GET, Permission.see_partners),
    StudioRoute("/segments", save_new_segment, POST, Permission.change_partners),
)
